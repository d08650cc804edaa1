"""A run on this machine, as its process leaves it behind."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from airflow_mlpipe.azureml.local import LOG, PROGRESS, LocalRun, start
from airflow_mlpipe.azureml.streaming import StepOutput
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment import RunFailedError
from airflow_mlpipe.experiment.records import StepStatus
from airflow_mlpipe.model.documents import tag, to_bytes

LINES = """\
2026-01-31T08:30:00.000000Z [info     ] [DAG TEST] starting task_id=prepare map_index=-1
prepared
2026-01-31T08:30:00.000000Z [info     ] [DAG TEST] end task task_id=prepare map_index=-1
2026-01-31T08:30:00.000000Z [info     ] [DAG TEST] starting task_id=train map_index=-1
2026-01-31T08:30:00.000000Z [info     ] ::group::Pre Execute
ZeroDivisionError: division by zero
2026-01-31T08:30:00.000000Z [info     ] [DAG TEST] end task task_id=train map_index=-1
"""


@pytest.fixture
def run(tmp_path):
    """A run whose process has ended, and its folder."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    (tmp_path / LOG).write_text(LINES)
    return LocalRun(dag_id="d", run_id="r", folder=tmp_path, process=process, order=("prepare", "train"))


def progress(run, state, *steps):
    members = {"map_index": -1, "try_number": 1, "started": 1.0, "seconds": 2.0, "outcome": None}
    document = {"state": state, "started": 1.0, "seconds": 3.0, "steps": [members | one for one in steps]}
    (run.folder / PROGRESS).write_bytes(to_bytes(tag("localrun", 1) | document))


def test_a_process_that_ended_without_a_run_is_a_failure(run):
    """Also one that ended in the middle."""
    assert run.get_status().state == "failed"
    progress(run, "running")
    assert run.get_status().state == "failed"
    with pytest.raises(RunFailedError, match="no step of its own"):
        run.wait_for_completion(show_output=False)


def test_steps_are_in_the_order_of_the_pipeline(run):
    """And say what they decided."""
    progress(
        run,
        "success",
        {"task_id": "train", "state": "success", "outcome": {"decision": "reused", "reasons": [], "saved": 3.0}},
        {"task_id": "prepare", "state": "success"},
    )
    steps = run.get_steps()
    assert [(s.task_id, s.outcome and s.outcome.decision) for s in steps] == [("prepare", None), ("train", "reused")]
    assert run.wait_for_completion(show_output=False).state == "success"


def test_the_log_of_a_step_is_its_own_lines(run):
    """Those of other steps, and what Airflow puts around them, are not shown."""
    assert run.get_log_tail(StepStatus(task_id="train")) == ["ZeroDivisionError: division by zero"]
    assert run.get_log_tail(lines=1) == ["ZeroDivisionError: division by zero"]


def test_what_steps_write_comes_while_they_run_and_once(run):
    """Of one that is reused, nothing."""
    progress(run, "running", {"task_id": "prepare", "state": "running"})
    out = io.StringIO()
    shown = StepOutput(out, lambda step, most: run.get_log_tail(step, lines=most), live=True)
    shown.update(run.poll())
    assert out.getvalue().endswith("prepare | prepared\n")
    (run.folder / LOG).write_text(LINES.replace("prepared\n", "prepared\nand written\n"))
    reused = {"decision": "reused", "reasons": [], "saved": 1.0}
    progress(
        run,
        "success",
        {"task_id": "prepare", "state": "success"},
        {"task_id": "train", "state": "success", "outcome": reused},
    )
    for _ in range(2):
        shown.update(run.poll())
    told = [line for line in out.getvalue().splitlines() if " | " in line]
    assert told == ["prepare | prepared", "prepare | and written"]


def test_a_pipeline_of_a_notebook_cannot_be_read_again(tmp_path):
    """The error says what to do."""
    with pytest.raises(DefinitionError, match=r"write the cells into a \.py file"):
        start(str(tmp_path / "notebook.py"), "d", {}, order=())
