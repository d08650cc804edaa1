"""The battery: what stays the same wherever it runs, and what the author declared that it depends on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest
from support.battery import Pipeline, another_machine, copy_project

from airflow_mlpipe.fingerprint.environment import environment_identity
from airflow_mlpipe.fingerprint.key import build_key
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.step import StepSpec

BOTH = ["prepare", "train"]


@pytest.fixture
def pipeline(run_dag, tmp_path):
    """A pipeline that has not run yet."""
    return Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()


def test_moved_cloned_by_another_user_on_another_machine(pipeline, tmp_path, monkeypatch):
    """Folder, user, DAG id, data's address and worker may all be others: nothing executes."""
    pipeline.run()
    model = pipeline.model()
    shutil.rmtree(pipeline.scripts / "__pycache__", ignore_errors=True)

    pipeline.folder = copy_project(pipeline.run_dag.folder, tmp_path / "elsewhere" / "clone")
    shutil.rmtree(pipeline.run_dag.folder)
    assert pipeline.run().reused == BOTH, "a fresh clone in another folder"

    shutil.move(pipeline.lake, tmp_path / "lake-2")
    pipeline.lake = tmp_path / "lake-2"
    assert pipeline.run().reused == BOTH, "the same data at another address"

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USER", "somebody")
    monkeypatch.setenv("LOGNAME", "somebody")
    assert pipeline.run().reused == BOTH, "another user"

    another_machine(pipeline.run_dag, tmp_path / "machine-2")
    assert pipeline.run().reused == BOTH, "another machine"
    assert (tmp_path / "machine-2" / "cache").is_dir()

    pipeline.dag_id = "another_teams_pipeline"
    assert pipeline.run().reused == BOTH, "another DAG"
    assert pipeline.runs[-1]["train"].step["origin"].startswith("battery/")
    assert pipeline.model() == model


def test_another_machine_that_must_execute_gets_the_data_from_the_workspace(pipeline, tmp_path):
    """A consumer elsewhere gets what was produced here."""
    pipeline.run()
    another_machine(pipeline.run_dag, tmp_path / "machine-2")
    changed = pipeline.run(rate=2)
    assert (changed.reused, changed.executed) == (["prepare"], ["train"])
    assert pipeline.model() == "rate=2 rows=a.csv - 1;b.csv - 22;deep/c.csv - 333"


def test_variables_that_were_declared_count_and_others_do_not(pipeline, monkeypatch):
    """Set in the definition, handed on from the worker, or neither."""
    pipeline.train = "environment=Environment(variables={'MODE': 'a'}, pass_variables=('REGION',)),"
    monkeypatch.setenv("REGION", "north")
    monkeypatch.setenv("UNDECLARED", "1")
    pipeline.run()
    monkeypatch.setenv("UNDECLARED", "2")
    assert pipeline.run().reused == BOTH
    monkeypatch.setenv("REGION", "south")
    changed = pipeline.run()
    assert changed.executed == ["train"]
    assert changed["train"].reasons == ['ENV variable REGION "north" -> "south"']
    pipeline.train = pipeline.train.replace("'a'", "'b'")
    changed = pipeline.run()
    assert changed.executed == ["train"]
    assert changed["train"].reasons == ['ENV variable MODE "a" -> "b"']


def test_what_was_not_declared_is_not_there(pipeline, monkeypatch):
    """A program sees the declared variables, ours and a minimum; nothing of Airflow's."""
    monkeypatch.setenv("UNDECLARED", "1")
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://user:hunter2@host/db")
    (pipeline.scripts / "train.py").write_text(
        "import os, sys\nprint('I run: train')\nopen(sys.argv[3], 'w').write('\\n'.join(sorted(os.environ)))\n"
    )
    pipeline.train = "environment=Environment(variables={'MODE': 'a'}),"
    pipeline.run()
    names = pipeline.model().split("\n")
    assert "MODE" in names
    assert "MLPIPE_INPUT_PREPARED" in names
    assert "AZURE_ML_OUTPUT_model" in names
    assert not [n for n in names if n.startswith("AIRFLOW") or n == "UNDECLARED"]


def test_a_version_counts(pipeline):
    """The author's own "this means something else now"."""
    pipeline.train = "reuse=Reuse(version='1'),"
    pipeline.run()
    pipeline.train = "reuse=Reuse(version='2'),"
    changed = pipeline.run()
    assert changed.executed == ["train"]
    assert changed["train"].reasons == ['VERSION "1" -> "2"']
    pipeline.train = "reuse=Reuse(version='1'),"
    assert pipeline.run().reused == BOTH


def test_the_deployments_salt_counts(pipeline, monkeypatch):
    """An administrator's way to start anew."""
    pipeline.run()
    monkeypatch.setenv("AIRFLOW__MLPIPE__SALT", "after the incident")
    assert pipeline.run().executed == BOTH


def test_resources_retries_and_queues_do_not_count(pipeline):
    """What does not change the result: how much of which machine, and how often to try."""
    pipeline.run()
    pipeline.train = "resources=Resources(cpu=2, memory='1Gi'), retries=2, pool='default_pool', priority_weight=7,"
    pipeline.prepare = "execution_timeout=timedelta(minutes=5), doc_md='explained',"
    assert pipeline.run().reused == BOTH


@pytest.mark.slow
def test_a_lock_file_counts_and_its_comments_do_not(pipeline):
    """The steps run in an environment of their own that uv builds from it."""
    lock = pipeline.run_dag.folder / "requirements.txt"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("# nothing yet\n")
    pipeline.train = "environment=Environment(requirements='requirements.txt'),"
    assert pipeline.run().executed == BOTH
    lock.write_text("# still nothing, said otherwise\n")
    assert pipeline.run().reused == BOTH
    lock.write_text("--no-index\n")
    changed = pipeline.run()
    assert changed.executed == ["train"]
    assert [r for r in changed["train"].reasons if r.startswith("ENV requirements")]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("img@sha256:" + "a" * 64, "img@sha256:" + "b" * 64, False),
        ("registry-1/img:1@sha256:" + "a" * 64, "registry-2/img:2@sha256:" + "a" * 64, True),
        ("img:1", "img:2", False),
    ],
)
def test_an_image_counts_by_its_digest(one, other, same):
    """Where it comes from and how it is tagged does not count when its digest is known."""

    def fingerprint(image):
        environment = Environment(image=image)
        found = environment_identity(environment, root="", imports=frozenset(), worker_variables={})
        spec = StepSpec(label="x", kind="command", environment=environment)
        return build_key(spec, snapshot=None, inputs={}, environment=found).fingerprint

    assert (fingerprint(one) == fingerprint(other)) is same


@pytest.mark.parametrize("days", [-1, 1], ids=["a day slow", "a day fast"])
def test_a_worker_whose_clock_is_wrong_by_a_day(pipeline, monkeypatch, days):
    """Its results are reused, it reuses others', and an edit is seen."""
    pipeline.prepare = "reuse=Reuse(max_age=timedelta(hours=12)),"
    real, real_ns = time.time, time.time_ns
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: real() + days * 86_400)
        wrong.setattr(time, "time_ns", lambda: real_ns() + days * 86_400 * 10**9)
        assert pipeline.run().executed == BOTH
        assert pipeline.run().reused == BOTH
        (pipeline.raw / "a.csv").write_text("7")
        assert pipeline.run().executed == BOTH
    assert pipeline.run().reused == BOTH
    (pipeline.raw / "a.csv").write_text("8")
    assert pipeline.run().executed == BOTH
    assert "a.csv - 8" in pipeline.model()


FINGERPRINT = """
import json, sys
from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.fingerprint.environment import environment_identity
from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.fingerprint.key import build_key
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.step import CodeSpec, OutputPort, StepSpec, Text
from pathlib import Path

root, raw, order = sys.argv[1], sys.argv[2], sys.argv[3]
pairs = [("ä", {"x": 1, "y": [1.5, None]}), ("b", "text"), ("c", 10**20)]
variables = [("B", "1"), ("A", "2")]
if order == "reversed":
    pairs.reverse()
    variables.reverse()
code = CodeSpec(root=root, entry="prepare.py")
environment = Environment(variables=dict(variables))
snapshot = read_code(code)
spec = StepSpec(label="x", kind="script", code=code, command=(Text("a", "a"),), parameters=dict(pairs),
                outputs=(OutputPort(data=PipelineData("o")),), environment=environment)
folder = ContentIdentity.of_local(LocalIndex(None).identify(Path(raw)))
inputs = [("raw", folder), ("v", ContentIdentity.declared("file", "7"))]
if order == "reversed":
    inputs.reverse()
found = environment_identity(environment, root="", imports=snapshot.imports, worker_variables={})
print(build_key(spec, snapshot=snapshot, inputs=dict(inputs), environment=found).fingerprint)
"""


def test_dict_order_hash_seed_locale_and_time_zone_do_not_count(pipeline, tmp_path):
    """One fingerprint in five interpreters."""
    (pipeline.raw / "zoë.csv").write_text("ß")
    program = tmp_path / "fingerprint.py"
    program.write_text(FINGERPRINT, encoding="utf-8")
    seen = set()
    for order, variables in (
        ("given", {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}),
        ("reversed", {"PYTHONHASHSEED": "2", "TZ": "Pacific/Auckland", "LC_ALL": "C.UTF-8"}),
        ("given", {"PYTHONHASHSEED": "3", "TZ": "America/Lima", "LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}),
        ("reversed", {"PYTHONHASHSEED": "random", "LANG": "tr_TR.UTF-8", "LC_ALL": ""}),
        ("given", {"PYTHONUTF8": "0", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}),
    ):
        done = subprocess.run(
            [sys.executable, str(program), str(pipeline.scripts), str(pipeline.raw), order],
            env=os.environ | {"PYTHONPATH": os.getcwd()} | variables,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        seen.add(done.stdout.strip())
    assert len(seen) == 1
    assert next(iter(seen)).startswith("mlp1:")
