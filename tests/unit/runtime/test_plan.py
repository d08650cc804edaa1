"""What a program on another machine is started with is what it is started with here, but for where its folders are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.agents import FILE, FOLDER, job_of

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model import DataReference, Datastore, Environment
from airflow_mlpipe.model.step import FunctionCall, InputPath, InputPort, OutputPath
from airflow_mlpipe.runtime.job import PinnedImage
from airflow_mlpipe.runtime.plan import plan

IMAGE = PinnedImage(name="i", identity="i", reference="i", python_path="/theirs")


def test_paths_are_below_one_folder() -> None:
    """Arguments, working folder, and every variable that is a path; none of it is there."""
    data = DataReference(Datastore("raw"), "a/b.csv")
    job = job_of(
        InputPath("raw"),
        InputPath("gone"),
        OutputPath("o"),
        script="pass",
        inputs=(InputPort(name="raw", data=data), InputPort(name="gone")),
        outputs=(FILE, FOLDER),
        parameters={"n": 3},
        secrets={"key": "swordfish"},
        image=IMAGE,
    )
    planned = plan(job, worker={})
    assert planned.argv == (
        "python3",
        "/mlpipe/code/main.py",
        "/mlpipe/inputs/raw/b.csv",
        "",
        "/mlpipe/outputs/o/o.txt",
    )
    assert planned.cwd == "/mlpipe/code"
    found = planned.environment
    assert found["MLPIPE_INPUT_RAW"] == "/mlpipe/inputs/raw/b.csv"
    assert found["MLPIPE_OUTPUT_D"] == "/mlpipe/outputs/d"
    assert found["MLPIPE_SECRET_KEY"] == "/mlpipe/private/key"
    assert found["MLPIPE_CHECKPOINT_DIR"] == "/mlpipe/checkpoints"
    assert found["PYTHONPATH"] == "/mlpipe/site:/theirs"
    assert found["AML_PARAMETER_n"] == "3"
    assert not any("swordfish" in value for value in (*found.values(), *planned.argv))
    assert not {"PATH", "USER", "VIRTUAL_ENV"} & set(found)


def test_functions_are_called_by_their_document() -> None:
    """With our modules before the image's."""
    job = job_of("x", image=IMAGE)
    planned = plan(replace(job, step=replace(job.step, function=FunctionCall(file="m.py", name="f"))), worker={})
    assert planned.argv == ("python3", "-m", "airflow_mlpipe.values.call", "/mlpipe/exchange/call.json")
    assert planned.environment["PYTHONPATH"] == "/mlpipe/site:/mlpipe/kernel:/theirs"


def test_variables_of_the_worker_are_taken_by_name() -> None:
    """A missing one is said."""
    job = job_of("x", environment=Environment(image="i", pass_variables=("MINE",)), image=IMAGE)
    assert plan(job, worker={"MINE": "1", "OTHER": "2"}).environment["MINE"] == "1"
    with pytest.raises(ConfigurationError, match="pass_variables"):
        plan(job, worker={})


def test_another_top_is_another_folder() -> None:
    """For a machine whose folders are elsewhere."""
    assert plan(job_of("x", image=IMAGE), top=Path("/scratch/a"), worker={}).cwd == "/scratch/a/work"
