"""Start and follow a run from any machine: Experiment, Run.

Beside the journey: this package talks to a deployment only over Airflow's public REST API (v2).  It imports no Airflow,
so it works wherever Python, httpx, rich and tenacity are installed.

    from airflow_mlpipe.experiment import Experiment

    experiment = Experiment(url="https://airflow.example.org", token_file="~/.airflow-token")
    run = experiment.submit("digits", params={"lr": 0.3})
    run.wait_for_completion()
    run.get_output("train", "model").uri
"""

from airflow_mlpipe.experiment.client import Experiment
from airflow_mlpipe.experiment.errors import (
    ApiError,
    ApiUnavailableError,
    AuthenticationError,
    RunFailedError,
    UsageError,
    WaitTimeoutError,
)
from airflow_mlpipe.experiment.records import RunStatus, Snapshot, StepStatus
from airflow_mlpipe.experiment.run import Run

__all__ = [
    "ApiError",
    "ApiUnavailableError",
    "AuthenticationError",
    "Experiment",
    "Run",
    "RunFailedError",
    "RunStatus",
    "Snapshot",
    "StepStatus",
    "UsageError",
    "WaitTimeoutError",
]
