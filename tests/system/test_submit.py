"""``submit`` against a whole Airflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlpipe.experiment import RunFailedError, UsageError

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PIPELINE = """
api: mlpipe/v1
name: submitted
params: {lr: 0.1, fail: false}
steps:
  train:
    command:
      - sh
      - -c
      - echo training with $2; test $3 = False || exit 3; echo $2 > $1
      - "-"
      - ${outputs.model}
      - ${params.lr}
      - ${params.fail}
    outputs: {model: file}
"""
DAG_FILE = """
from airflow_mlpipe import dag_from_spec

dag = dag_from_spec("submitted.yaml")
"""


@pytest.fixture(scope="module")
def airflow(embedded_airflow):
    """The session's Airflow with the pipeline, whose file is YAML."""
    embedded_airflow.write("submitted", DAG_FILE, {"submitted.yaml": PIPELINE})
    return embedded_airflow


def _submit(airflow, tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    secret = tmp_path / "password"
    secret.write_text(airflow.login.password)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLPIPE_", "AIRFLOW_"))}
    return subprocess.run(
        [
            *(sys.executable, "-m", "airflow_mlpipe.cli", "submit", "submitted", "--unpause"),
            *("--url", airflow.login.url, "--username", airflow.login.username, "--password-file", str(secret)),
            *arguments,
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_a_run_is_followed_to_its_end_and_reused_the_next_time(airflow, tmp_path):
    """The shell sees what each step decided, and the second run of the same parameters executes nothing."""
    options = ("--param", "lr=0.25", "--follow", "--output", "json")
    first, second = _submit(airflow, tmp_path, *options), _submit(airflow, tmp_path, *options)
    assert first.returncode == 0, first.stderr
    assert second.returncode == 0, second.stderr
    (executed,), (reused,) = (json.loads(r.stdout)["steps"] for r in (first, second))
    assert (executed["decision"], reused["decision"]) == ("executed", "reused")
    assert executed["fingerprint"] == reused["fingerprint"]
    assert json.loads(first.stdout)["run_id"] in reused["origin"]
    assert "train: success executed in" in first.stderr


def test_a_refresh_executes_what_would_be_reused(airflow, tmp_path):
    """``--refresh`` reaches the step through the run's conf."""
    _submit(airflow, tmp_path, "--param", "lr=0.5", "--wait")
    forced = _submit(airflow, tmp_path, "--param", "lr=0.5", "--refresh", "train", "--wait", "-o", "json")
    (step,) = json.loads(forced.stdout)["steps"]
    assert step["decision"] == "executed"
    assert any(reason.startswith("FORCED") for reason in step["reasons"])


def test_a_failing_run_exits_with_1_and_shows_the_log(airflow, tmp_path):
    """The last lines of the failing step's log are on stderr."""
    failed = _submit(airflow, tmp_path, "--param", "fail=true", "--wait")
    assert failed.returncode == 1
    assert "train failed" in failed.stderr
    assert "training with 0.1" in failed.stderr


def test_a_value_that_the_dag_forbids_starts_nothing(airflow, tmp_path):
    """The type comes from the DAG's parameter."""
    refused = _submit(airflow, tmp_path, "--param", "lr=fast")
    assert refused.returncode == 2
    assert "not a value for parameter 'lr'" in refused.stderr


def test_an_output_is_found_from_python(airflow):
    """A reference with a digest and a URI that exists."""
    run = airflow.submit("submitted", lr=0.75)
    run.wait_for_completion(show_output=False)
    output = run.get_output("train", "model")
    assert output.size == len("0.75\n")
    assert Path(output.uri.removeprefix("file://")).read_text() == "0.75\n"
    with pytest.raises(UsageError, match="no such output"):
        run.get_output("train", "metrics")


def test_a_failed_run_is_an_error_in_python(airflow):
    """It names the step."""
    with pytest.raises(RunFailedError, match="failed: train"):
        airflow.submit("submitted", fail=True).wait_for_completion(show_output=False)
