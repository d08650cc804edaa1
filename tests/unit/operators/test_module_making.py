"""Modules made of steps that there are."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG, Param
from support.modules import SCALE_PY

from airflow_mlpipe import (
    CommandStep,
    DataReference,
    Datastore,
    Environment,
    ModuleStep,
    PipelineData,
    Resources,
    ScriptStep,
    modules,
    step,
)
from airflow_mlpipe.errors import DefinitionError

RAW = DataReference(Datastore("lake", url="file:///srv/lake"), "numbers.txt", name="numbers")


@pytest.fixture
def dag(tmp_path: Path) -> DAG:
    """A DAG with a script beside its file, which imports a helper."""
    source = tmp_path / "dags" / "scripts"
    source.mkdir(parents=True)
    (source / "scale.py").write_text("import helper\n" + SCALE_PY)
    (source / "helper.py").write_text("x = 1\n")
    (source / "unrelated.py").write_text("y = 1\n")
    (tmp_path / "dags" / "requirements.txt").write_text("numpy\n")
    dag = DAG("d", schedule=None, params={"factor": Param(3, type="number", minimum=0)})
    dag.fileloc = str(tmp_path / "dags" / "dag.py")
    Path(dag.fileloc).touch()
    return dag


def script(**kwargs: object) -> ScriptStep:
    """A step that reads a run parameter."""
    return ScriptStep(
        **{
            "task_id": "scale",
            "source_directory": "scripts",
            "script_name": "scale.py",
            "arguments": ["--numbers", RAW, "--factor", "{{ params.factor }}", "--total", PipelineData("x")],
            **kwargs,
        }
    )


def test_a_script_step_becomes_a_module_that_does_the_same(dag: DAG, tmp_path: Path):
    """Its code and what that imports, its ports, the run's parameters with their schemas, its environment."""
    scaled, total = PipelineData("scaled"), PipelineData("total", kind="file", filename="total.json")
    with dag:
        made = script(
            arguments=[
                "--numbers",
                RAW,
                "--factor",
                "{{ params.factor }}",
                "--out",
                scaled,
                "--total",
                total,
                "${HOME}",
            ],
            inputs=[RAW],
            outputs=[scaled, total],
            parameters={"level": 2},
            environment=Environment(requirements="requirements.txt", variables={"A": "b"}),
            resources=Resources(memory="1Gi"),
        )
    found = modules.from_step(
        made, tmp_path / "modules" / "scale", version="2.0", types={"numbers": "table"}, owner="me"
    )
    assert (found.name, found.version, found.owner, found.kind) == ("scale", "2.0", "me", "script")
    assert found.arguments == (
        *("--numbers", "${inputs.numbers}", "--factor", "${params.factor}", "--out", "${outputs.scaled}"),
        *("--total", "${outputs.total}", "$${HOME}"),
    )
    assert found.params["factor"] == {"type": "number", "minimum": 0, "default": 3}
    assert found.params["level"] == {"default": 2}
    assert (str(found.inputs[0].type), found.outputs[1].filename) == ("table", "total.json")
    assert found.environment == Environment(requirements="requirements.txt", variables={"A": "b"})
    assert found.resources == Resources(memory="1Gi")
    files = {p.name for p in (tmp_path / "modules" / "scale").iterdir()}
    assert files == {"module.yaml", "scale.py", "helper.py", "requirements.txt"}
    with dag:
        again = ModuleStep(task_id="again", module="../modules/scale", inputs={"numbers": RAW})
    assert sorted(again.outputs) == ["scaled", "total"]


def test_a_command_step_becomes_a_module(dag: DAG, tmp_path: Path):
    """Without a source folder there is no code but the command."""
    out = PipelineData("out", kind="file")
    with dag:
        made = CommandStep(task_id="copy", command=["cp", RAW, out], inputs=[RAW], outputs=[out], allow_reuse=False)
    found = modules.from_step(made, tmp_path / "copy")
    assert (found.kind, found.arguments) == ("command", ("cp", "${inputs.numbers}", "${outputs.out}"))
    assert not found.deterministic


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["{{ ds }}"], "no templates but those of run parameters"),
        (["{{ params.factor * 2 }}"], "a template that computes"),
    ],
)
def test_what_a_module_cannot_say_is_refused(dag: DAG, tmp_path: Path, arguments: list, what: str):
    """With the argument that it is about."""
    with dag:
        made = script(arguments=arguments)
    with pytest.raises(DefinitionError, match=what):
        modules.from_step(made, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_folder_with_something_in_it_is_left_alone(dag: DAG, tmp_path: Path):
    """Nobody's work is overwritten."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").touch()
    with dag:
        made = script(arguments=[])
    with pytest.raises(DefinitionError, match="there already"):
        modules.from_step(made, tmp_path / "m")


def test_types_of_ports_that_there_are_not_are_refused(dag: DAG, tmp_path: Path):
    """A misspelt port is not ignored."""
    with dag:
        made = script(arguments=[])
    with pytest.raises(DefinitionError, match="types are of ports"):
        modules.from_step(made, tmp_path / "m", types={"nmbers": "table"})


@step
def plain(data, path: str, limit: int | None = None, flag: bool = False, sizes: list[int] = ()):
    """A function of this file."""
    return data


def test_the_signature_of_a_function_says_what_are_parameters(tmp_path: Path):
    """Plain annotations and plain defaults; all else is an input.  One result is called ``value``."""
    found = modules.from_function(plain, tmp_path / "plain", name="plain")
    assert [(p.name, p.optional) for p in found.inputs] == [("data", False)]
    assert found.params == {
        "path": {"type": "string"},
        "limit": {"type": ["integer", "null"], "default": None},
        "flag": {"type": "boolean", "default": False},
        "sizes": {"type": "array", "default": []},
    }
    assert [p.name for p in found.outputs] == ["value"]


def test_a_function_that_needs_what_is_around_it_is_refused(tmp_path: Path):
    """A module has no other place to keep it."""
    factor = 3

    def times(data):
        return data * factor

    with pytest.raises(DefinitionError, match=r"variables of a function around it.*factor"):
        modules.from_function(times, tmp_path / "times")
