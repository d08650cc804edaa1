"""Outputs as assets, on a real scheduler: a DAG that is scheduled on one runs when there are new bytes."""

from __future__ import annotations

import pytest

from airflow_mlpipe.experiment import Run
from tools.airflow_embedded import wait_for

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = 300
PRODUCER = """
from airflow.sdk import Asset
from airflow_mlpipe import CommandStep, PipelineData

with DAG("asset_producer", schedule=None, params={"text": "one", "tag": ""}):
    scores = PipelineData("scores", kind="file", asset=Asset(name="scores", uri="file:///tests/scores"))
    CommandStep(task_id="score", command=["sh", "-c", "echo $1 > $0", scores, "{{ params.text }}", "{{ params.tag }}"],
                outputs=[scores])
"""
CONSUMER = """
from airflow.sdk import Asset

scores = Asset(name="scores", uri="file:///tests/scores")

with DAG("asset_consumer", schedule=[scores]):
    @task
    def digests(triggering_asset_events):
        return [event.extra["digest"] for event in triggering_asset_events[scores]]

    digests()
"""


def received(airflow) -> list[str]:
    """The digests in the events that the consumer's runs got, the oldest first."""
    runs = airflow.experiment.api.pages("/api/v2/dags/asset_consumer/dagRuns", "dag_runs")
    found = []
    for run in sorted(runs, key=lambda run: str(run["run_after"])):
        handle = Run(api=airflow.experiment.api, dag_id="asset_consumer", run_id=str(run["dag_run_id"]))
        if run["state"] == "success":
            found += handle.get_xcom("digests", "return_value")
    return found


def test_a_dag_scheduled_on_an_output_runs_for_new_bytes_only(embedded_airflow):
    """Not for a step that was reused, and not for one that executed and wrote the same bytes."""
    embedded_airflow.write("asset_producer", PRODUCER)
    embedded_airflow.write("asset_consumer", CONSUMER)
    embedded_airflow.experiment.api.patch("/api/v2/dags/asset_consumer", {"is_paused": False})
    decisions, digests = [], []
    for params in ({"text": "one"}, {"text": "one"}, {"text": "one", "tag": "x"}, {"text": "two"}):
        run = embedded_airflow.submit("asset_producer", **params)
        run.wait_for_completion(show_output=False, timeout_seconds=SECONDS)
        (step,) = run.get_steps()
        decisions.append(step.outcome.decision)
        digests.append(run.get_output("score", "scores").digest)
    assert digests[0] == digests[1] == digests[2] != digests[3]
    digests = digests[2:]
    assert decisions == ["executed", "reused", "executed", "executed"]

    wait_for(lambda: digests[-1] in received(embedded_airflow), SECONDS)
    assert received(embedded_airflow) == digests
