"""The commands on what a real DAG left in a real workspace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlpipe.cli.forget import forget
from airflow_mlpipe.cli.gc import gc
from airflow_mlpipe.cli.listing import ls
from airflow_mlpipe.cli.pins import pin
from airflow_mlpipe.cli.plan import plan
from airflow_mlpipe.cli.show import show, small_values
from airflow_mlpipe.cli.why import why

PIPELINE = """
from airflow_mlpipe import CommandStep, PipelineData

with DAG("cli", params={"lr": Param(0.1, type="number"), "name": Param("a", type="string")}):
    prepared = PipelineData("prepared", kind="file")
    model = PipelineData("model", kind="file")
    CommandStep(task_id="prepare", arguments=["sh", "-c", "echo data > $1", "-", prepared], outputs=[prepared])
    CommandStep(
        task_id="train",
        arguments=["sh", "-c", "cat $1 > $2; echo $3 >> $2", "-", prepared, model, "{{ params.lr }}"],
        inputs=[prepared],
        outputs=[model],
    )
"""


@pytest.fixture
def mlpipe(run_dag, monkeypatch, capsys):
    """Run one of the commands, by its function, with the options that argparse would give it."""
    import argparse

    from airflow_mlpipe.cli.options import COMMANDS

    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # set by the commands; restored after the test
    functions = {"why": why, "plan": plan, "ls": ls, "show": show, "gc": gc, "pin": pin, "forget": forget}

    def run(name: str, *arguments: str) -> dict:
        parser = argparse.ArgumentParser()
        for option in next(c for c in COMMANDS if c.name == name).options:
            parser.add_argument(*option.flags, **option.settings)
        parsed = parser.parse_args([*arguments, "--output", "json"])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            functions[name](parsed)
        captured = capsys.readouterr()
        assert not ended.value.code, captured.err
        return json.loads(captured.out)

    return run


def test_a_plan_says_what_the_run_then_does(run_dag, mlpipe):
    """Before the first run everything is new; after it nothing would execute; another parameter touches one step."""

    def outcomes(*options: str) -> dict[str, str]:
        return {s["task_id"]: s["outcome"] for s in mlpipe("plan", "cli", *options)["steps"]}

    run_dag.parse(PIPELINE)
    assert outcomes() == {"prepare": "execute", "train": "depends"}
    assert run_dag(PIPELINE).executed == ["prepare", "train"]
    assert outcomes() == {"prepare": "reuse", "train": "reuse"}
    assert outcomes("--param", "lr=0.3") == {"prepare": "reuse", "train": "execute"}
    assert outcomes("--conf", '{"lr": 0.3}') == {"prepare": "reuse", "train": "execute"}
    assert outcomes("--refresh", "prepare") == {"prepare": "execute", "train": "depends"}
    changed = run_dag(PIPELINE, conf={"lr": 0.3})
    assert (changed.executed, changed.reused) == (["train"], ["prepare"])


def test_a_plan_names_the_parameter_that_changed(run_dag, mlpipe):
    """The reason of a plan is that of the run it plans."""
    run_dag(PIPELINE)
    train = mlpipe("plan", "cli", "--param", "lr=0.3")["steps"][1]
    assert {"code": "PARAM", "subject": "lr", "old": "0.1", "new": "0.3"} in train["reasons"]


def test_why_explains_a_real_run(run_dag, mlpipe):
    """The parameter before and after, from the two key documents."""
    run_dag(PIPELINE)
    second = run_dag(PIPELINE, conf={"lr": 0.3})
    explained = mlpipe("why", "cli", "train", second.run_id)
    assert explained["decision"] == "executed"
    assert {"code": "PARAM", "subject": "lr", "old": "0.1", "new": "0.3"} in explained["differences"]
    reused = mlpipe("why", "cli", "prepare", second.run_id)
    assert reused["decision"] == "reused"
    assert reused["origin"]["task_id"] == "prepare"


def test_ls_and_show_find_what_a_real_run_recorded(run_dag, mlpipe):
    """Outputs, sizes and the parts of the fingerprint."""
    run_dag(PIPELINE)
    rows = {r["producer"]["task_id"]: r for r in mlpipe("ls", "--dag", "cli")["records"]}
    assert rows["train"]["bytes"] == len("data\n0.1\n")
    shown = mlpipe("show", "cli", "train")
    assert shown["record"]["fingerprint"] == rows["train"]["fingerprint"]
    assert [o["name"] for o in shown["record"]["outputs"]] == ["model"]
    assert shown["key"]["params"] == {"lr": 0.1}


def test_gc_needs_all_of_what_a_real_run_recorded(run_dag, mlpipe):
    """Without a grace time, a healthy workspace keeps every result and its bytes."""
    run_dag(PIPELINE)
    document = mlpipe("gc", "--grace", "0", "--yes")
    assert not {line["kind"] for line in document["kinds"] if line["count"]} & {"record", "run", "key", "blob", "tree"}
    assert run_dag(PIPELINE).reused == ["prepare", "train"]


FUNCTIONS = """
from airflow_mlpipe import step

with DAG("functions"):
    @step
    def power(base: int, exponent: int = 2) -> dict:
        return {"power": base ** exponent, "password": "hush"}

    power.expand(base=[2, 3])
"""


def test_functions_are_steps_for_every_command(run_dag, mlpipe):
    """An instance is explained, listed, shown with its small value, pinned, and forgotten like any step."""
    from airflow_mlpipe.hooks.workspace import Stores

    run_dag(FUNCTIONS)
    run_dag(FUNCTIONS.replace("exponent: int = 2", "exponent: int = 3"))
    explained = mlpipe("why", "functions", "power", "--map-index", "1")
    assert [(d["code"], d["subject"]) for d in explained["differences"]] == [("CODE", "power()"), ("PARAM", "exponent")]
    records = mlpipe("ls", "--dag", "functions", "--task", "power")["records"]
    assert sorted(r["producer"]["map_index"] for r in records) == [0, 0, 1, 1]
    shown = mlpipe("show", "functions", "power", "--map-index", "1")
    assert shown["key"]["params"] == {"base": 3, "exponent": 3}
    assert "power()" in shown["key"]["code"]["files"]
    fingerprint = shown["record"]["fingerprint"]
    values = small_values(Stores().workspace.records.get(fingerprint))
    assert values == {"return_value": {"power": 27, "password": "***"}}
    assert mlpipe("pin", fingerprint)["pinned"] is True
    forgotten = mlpipe("forget", "functions", "power", "--yes")
    assert (len(forgotten["forgotten"]), forgotten["pinned"]) == (3, 1)
    planned = {s["map_index"]: s["outcome"] for s in mlpipe("plan", "functions")["steps"]}
    assert planned == {0: "execute", 1: "reuse"}


def test_a_dag_that_does_not_exist_is_a_usage_error(run_dag, mlpipe, capsys):
    """It is named, and so are the bundles that were searched."""
    run_dag.parse(PIPELINE)
    with pytest.raises(AssertionError, match=r"no such DAG.*'clii'"):
        mlpipe("plan", "clii")


def test_the_commands_are_airflows(airflow_db, airflow_home: Path):
    """``airflow mlpipe`` comes with the installed package, and its JSON is alone on stdout."""
    shown = subprocess.run(
        [sys.executable, "-m", "airflow", "mlpipe", "ls", "--output", "json"], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout) == {"mlpipe": "ls/1", "records": []}


def test_a_connection_of_the_database_is_found(airflow_db, tmp_path: Path):
    """A datastore that only Airflow's database knows can be cleared: the commands look there as Airflow's own do."""
    from airflow.models import Connection
    from airflow.utils.session import create_session

    extra = json.dumps({"url": (tmp_path / "lake").as_uri()})
    with create_session() as session:
        session.add(Connection(conn_id="lake_of_cli", conn_type="mlpipe_datastore", extra=extra))
    command = ["mlpipe", "gc", "--dry-run", "--datastore", "lake_of_cli", "--output", "json"]
    shown = subprocess.run([sys.executable, "-m", "airflow", *command], capture_output=True, text=True)
    with create_session() as session:
        session.query(Connection).filter_by(conn_id="lake_of_cli").delete()
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["garbage"] == 0
