"""Pipelines that were written for Azure ML run here: a v1 script, and v2 YAML."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from airflow_mlpipe.azureml.v2.run import import_all

EXAMPLES = Path(__file__).parents[2] / "dags_examples"
CANCEL = """
import os, time
if run:
    while not os.path.exists({0!r}):
        time.sleep(0.2)
    run.cancel()
    print("the run is", run.wait_for_completion(raise_on_error=False))
"""


@pytest.fixture
def examples(tmp_path):
    """A copy of the examples that were written for Azure ML."""
    folder = tmp_path / "dags"
    for name in ("azureml", "azureml_v1"):
        shutil.copytree(EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(EXAMPLES / "azureml_v1.py", folder)
    return folder


def test_a_v1_script_is_a_dag_that_runs_and_is_reused(run_dag, examples):
    """The file submits at its end, and while Airflow parses it, that starts nothing."""
    first = run_dag(folder=examples, dag_id="azureml_v1")
    assert set(first.states.values()) == {"success"}, first.log
    assert first.executed == ["evaluate", "prepare_penguins", "train"]
    assert "mean error" in first["evaluate"].log
    assert run_dag(folder=examples, dag_id="azureml_v1").executed == []
    changed = run_dag(folder=examples, dag_id="azureml_v1", conf={"passes": 3})
    assert changed.executed == ["evaluate", "train"]
    assert changed["train"].reasons == ["PARAM passes 300 -> 3"]


def test_an_imported_v2_pipeline_runs_on_local_data_and_is_reused(run_dag, examples, tmp_path):
    """Components, a pipeline in the pipeline, an optional input, and a command that bash reads."""
    dags = tmp_path / "imported"
    (done,) = import_all(examples / "azureml" / "pipeline.yml", dags, computes={"cpu-cluster": "local"})
    assert done.dag_id == "penguin_weights"
    assert [f.level for f in done.findings] == ["differs"] * 5
    first = run_dag(folder=dags, dag_id="penguin_weights")
    assert set(first.states.values()) == {"success"}, first.log
    assert first.executed == ["clean", "learn.evaluate", "learn.train", "report"]
    assert run_dag(folder=dags, dag_id="penguin_weights").executed == []
    changed = run_dag(folder=dags, dag_id="penguin_weights", conf={"passes": 3})
    assert changed.executed == ["learn.evaluate", "learn.train", "report"]


@pytest.mark.slow
def test_a_v1_script_runs_by_itself_without_a_scheduler(airflow_db, examples, tmp_path):
    """`submit` starts it, `wait_for_completion` follows it, metrics are there, and `cancel` ends all of it."""
    mark = tmp_path / "sleeps"
    environment = {
        **os.environ,
        "PYTHONPATH": str(EXAMPLES.parent),
        "AIRFLOW__MLPIPE__WORKSPACE": (tmp_path / "workspace").as_uri(),
        "AIRFLOW__MLPIPE__CACHE": str(tmp_path / "cache"),
    }
    argv = [sys.executable, str(examples / "azureml_v1.py")]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train: success executed" in done.stdout
    assert re.search(r"^evaluate \| .*mean error", done.stdout, re.MULTILINE), done.stdout
    assert "evaluate Finished {'mean_error_g': 239.6" in done.stdout
    # A second run is canceled while a program runs: that ends, and the steps after it do not start.
    script = examples / "azureml" / "train" / "train.py"
    script.write_text(
        script.read_text().replace("slope = 0.0", f"import time; open({str(mark)!r}, 'w'); time.sleep(999)")
    )
    source = examples / "azureml_v1.py"
    source.write_text(source.read_text().replace("run.wait_for_completion(show_output=True)", CANCEL.format(str(mark))))
    canceled = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert canceled.returncode == 0, canceled.stdout + canceled.stderr
    assert "the run is Canceled" in canceled.stdout
    assert "prepare penguins Finished" in canceled.stdout
    assert "train Failed" in canceled.stdout
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or ())]
