"""Two runs with one fingerprint, on a real scheduler and triggerer: one executes, the other waits without a slot."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe.experiment import Run
from tools.airflow_embedded import wait_for

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = 300
SCRIPT_STEP = """
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("@DAG@", schedule=None):
    out = PipelineData("out", kind="file")
    ScriptStep(task_id="slow", script_name="slow.py", source_directory=".", arguments=["@NOTES@", out], outputs=[out])
"""
SLOW = """
import os, pathlib, sys, time
import psutil
notes = pathlib.Path(sys.argv[1])
with open(notes / "runs", "a") as runs:
    worker = psutil.Process(os.getppid()).ppid()
    runs.write(f"{worker}\\n")
while not (notes / "go").exists():
    time.sleep(0.1)
open(sys.argv[2], "w").write("done")
"""
ANY_OPERATOR = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow_mlpipe import reuse_unchanged

with DAG("@DAG@", schedule=None):
    BashOperator(
        task_id="slow",
        bash_command="echo $PPID >> @NOTES@/runs; until [ -e @NOTES@/go ]; do sleep 0.1; done; echo done",
        pre_execute=reuse_unchanged(),
    )
"""


@dataclass(frozen=True, kw_only=True)
class Two:
    """Two runs of two DAGs with one equal step; the first executes it, the second one waits.

    :param notes: the programs append to ``runs`` the id of their task's process, and go on when there is ``go``.
    """

    first: Run
    second: Run
    notes: Path

    @property
    def owners(self) -> list[int]:
        """The task processes that executed the step, in order."""
        path = self.notes / "runs"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def let_go(self) -> None:
        """Let the programs end."""
        (self.notes / "go").touch()


def state_of(run: Run) -> Any:
    """The state of the run's one task."""
    return run.api.get(run.resource("taskInstances", "slow"))["state"]


def end_of(run: Run) -> tuple[str, str | None]:
    """Wait for the end: the run's state and its step's decision."""
    status = run.wait_for_completion(show_output=False, timeout_seconds=SECONDS, raise_on_error=False)
    (step,) = run.get_steps()
    return status.state, step.outcome.decision if step.outcome else None


def log_of(run: Run) -> str:
    """The task's log."""
    (step,) = run.get_steps()
    return "\n".join(run.get_log_tail(step, lines=500))


@pytest.fixture(params=["script", "any operator"])
def two(request, embedded_airflow, tmp_path):
    """One executes, the other is deferred."""
    kind = request.param.replace(" ", "_")
    source = (SCRIPT_STEP if kind == "script" else ANY_OPERATOR).replace("@NOTES@", str(tmp_path))
    names = [f"wait_{kind}_{request.function.__name__[5:9]}_{letter}" for letter in "ab"]
    for name in names:
        embedded_airflow.write(name, source.replace("@DAG@", name), {"slow.py": SLOW})
    first = embedded_airflow.submit(names[0])
    found = None
    try:
        wait_for((tmp_path / "runs").exists, SECONDS)
        second = embedded_airflow.submit(names[1])
        wait_for(lambda: state_of(second) == "deferred", SECONDS)
        found = Two(first=first, second=second, notes=tmp_path)
        yield found
    finally:
        (tmp_path / "go").touch()


def test_the_second_waits_deferred_and_reuses_what_the_first_made(two):
    """It says whom it waits for, ends as a success, and the program ran once."""
    assert state_of(two.first) == "running"
    assert f"WAITING for {two.first.dag_id}/{two.first.run_id}/slow" in log_of(two.second)
    two.let_go()
    assert end_of(two.first) == ("success", "executed")
    assert end_of(two.second) == ("success", "reused")
    assert len(two.owners) == 1
    assert two.second.get_xcom("slow", "return_value") == two.first.get_xcom("slow", "return_value")
    assert f"REUSED from {two.first.dag_id}/{two.first.run_id}/slow" in log_of(two.second)


def test_a_waiter_takes_over_from_an_owner_that_was_killed(two):
    """When the lease has run out it executes, as if it had never waited."""
    os.kill(two.owners[0], signal.SIGKILL)
    wait_for(lambda: len(two.owners) == 2, SECONDS)
    two.let_go()
    assert end_of(two.second) == ("success", "executed")
    assert end_of(two.first)[0] == "failed"
    assert len(two.owners) == 2
