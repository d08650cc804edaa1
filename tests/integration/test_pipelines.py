"""A pipeline in YAML runs like the DAG that says the same, and its steps are the same steps."""

from __future__ import annotations

import json

import pytest

PYTHON = """
from airflow_mlpipe import CommandStep, DataReference, Datastore, Input, Output, PipelineData, ScriptStep

lake = Datastore("lake", url="@LAKE@")
raw = DataReference(lake, "raw.csv", name="raw")

with DAG("in_python", params={"rate": Param(0.5, type="number")}):
    data, model, best = PipelineData("data"), PipelineData("model", kind="file"), PipelineData("best", kind="file")
    ScriptStep(task_id="prepare", source_directory="src", script_name="prepare.py",
               arguments=[raw, data, "{{ params.rate }}"], inputs=[raw], outputs=[data])
    with TaskGroup("learn"):
        CommandStep.partial(task_id="train", inputs=[data], outputs=[model]).expand(command=[
            ["sh", "-c", "cat $0/* > $1; echo $2 >> $1", Input("data"), Output("model"), number] for number in (1, 2)])
    CommandStep(task_id="choose", command=["sh", "-c", "cat $0/* > $1; echo ${0%/*} $${HOME}{a} > /dev/null",
                Input("models"), best], inputs={"models": model}, outputs=[best],
                parameters={"rate": "{{ params.rate }}"})
"""
PREPARE = """
import pathlib, sys
source, target, rate = sys.argv[1:]
pathlib.Path(target, "rows.csv").write_text(pathlib.Path(source).read_text() + rate)
"""


@pytest.fixture
def folder(tmp_path):
    """A bundle with the code, beside a datastore with data."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "raw.csv").write_text("1,2\n")
    (tmp_path / "dags" / "src").mkdir(parents=True)
    (tmp_path / "dags" / "src" / "prepare.py").write_text(PREPARE)
    return tmp_path / "dags"


def test_a_dag_and_its_yaml_have_the_same_fingerprints(run_dag, folder):
    """DAG -> YAML -> DAG: what the one executed, the other reuses, a mapped step and what gathers it included."""
    from airflow_mlpipe.pipelines.taking.dag import spec_of

    source = PYTHON.replace("@LAKE@", (folder.parent / "lake").as_uri())
    first = run_dag(source, folder=folder)
    assert first.executed == ["choose", "learn.train[0]", "learn.train[1]", "prepare"], first.log
    pipeline = spec_of(run_dag.parse(source, folder=folder))
    (folder / "in_yaml.yaml").write_text(pipeline.to_yaml().replace("name: in_python", "name: in_yaml"))
    second = run_dag(
        "from airflow_mlpipe import dag_from_spec\ndag = dag_from_spec('in_yaml.yaml')\n",
        folder=folder,
        dag_id="in_yaml",
    )
    assert second.executed == []
    assert second.reused == first.executed
    for task in second.reused:
        key = (task.split("[")[0], int(task.split("[")[1][:-1])) if "[" in task else (task, -1)
        assert second[key].fingerprint == first[key].fingerprint
    changed = run_dag(folder=folder, dag_id="in_yaml", conf={"rate": 0.75})
    assert changed["prepare"].reasons == ["PARAM rate 0.5 -> 0.75"]


def shown(capsys, command, *arguments):
    """What a command writes to stdout, and its exit code."""
    import argparse
    import importlib

    from airflow_mlpipe.cli.options import COMMANDS

    found = next(one for one in COMMANDS if one.name == command)
    parser = argparse.ArgumentParser()
    for option in found.options:
        parser.add_argument(*option.flags, **option.settings)
    module, _, name = found.function.rpartition(".")
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        getattr(importlib.import_module(module), name)(parser.parse_args(list(arguments)))
    captured = capsys.readouterr()
    return captured.out, captured.err, ended.value.code or 0


def test_the_commands_show_a_dag_and_a_file_alike(run_dag, folder, capsys, monkeypatch):
    """``spec`` gives the YAML, ``graph`` the drawing; of a file without any DAG."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    run_dag.parse(PYTHON.replace("@LAKE@", "file:///lake"), folder=folder)
    text, _, code = shown(capsys, "spec", "in_python")
    assert code == 0
    assert "${steps.prepare.outputs.data}" in text
    path = folder / "copy.yaml"
    path.write_text(text)
    assert shown(capsys, "spec", str(path))[0] == text
    (folder / "wrong.yaml").write_text(text.replace("prepare.py", "nobody.py"))
    _, said, code = shown(capsys, "spec", str(folder / "wrong.yaml"))
    assert code != 0
    assert "nobody.py" in said
    for form in ("mermaid", "dot", "json"):
        of_dag, of_file = (shown(capsys, "graph", name, "--format", form)[0] for name in ("in_python", str(path)))
        assert of_dag == of_file
    document = json.loads(shown(capsys, "graph", "in_python", "-o", "json")[0])
    assert {node["id"] for node in document["nodes"]} == {"data:raw", "prepare", "learn.train", "choose"}
    assert json.loads(shown(capsys, "spec", "in_python", "-o", "json")[0])["pipeline"]["name"] == "in_python"


def test_the_commands_name_what_has_no_form(run_dag, folder, capsys, monkeypatch):
    """One line for each on stderr, exit code 1; with --partial the rest is shown."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    source = """
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow_mlpipe import CommandStep

    with DAG("mixed"):
        EmptyOperator(task_id="nothing") >> CommandStep(task_id="true", command=["true"])
    """
    run_dag.parse(source, folder=folder)
    out, err, code = shown(capsys, "spec", "mixed")
    assert (out, code) == ("", 1)
    assert "task 'nothing': EmptyOperator" in err
    out, err, code = shown(capsys, "spec", "mixed", "--partial")
    assert code == 0
    assert "left out: task 'nothing': EmptyOperator" in err
    assert "steps:\n  'true':\n    command: ['true']\n" in out
    assert "EmptyOperator" in shown(capsys, "graph", "mixed")[0]
    assert shown(capsys, "spec", "mixed", "--param", "x=1")[2] == 2


def test_the_command_tells_all_mistakes_of_a_file(capsys, tmp_path):
    """To check a pipeline before it is in a DAG folder."""
    path = tmp_path / "p.yaml"
    path.write_text("api: mlpipe/v1\nname: p\nsteps:\n  a: {scirpt: x}\n  b: {command: []}\n")
    out, err, code = shown(capsys, "spec", str(path))
    assert (out, code) == ("", 1)
    assert f"{path}:4:6: steps.a" in err
    assert f"{path}:5:16: steps.b.command" in err
