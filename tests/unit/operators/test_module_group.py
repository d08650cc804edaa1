"""Modules that are pipelines, in a DAG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import DAG, Param, TaskGroup
from support.modules import write_module

from airflow_mlpipe import DataReference, Datastore, ModuleStep, PipelineData
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.lockmaking import modules_of
from airflow_mlpipe.modules.reading import parse_module
from airflow_mlpipe.written.mistakes import WrittenError

RAW = DataReference(Datastore("lake", url="file:///srv/lake"), "numbers.txt", name="raw")
TWICE = """
    api: mlpipe/module/v1
    name: twice
    version: 1.0
    inputs:
      numbers: {type: table.txt, kind: file}
      shift: {type: file, optional: true}
    outputs:
      numbers: {type: table, from: "${steps.second.outputs.scaled}"}
      total: {type: metrics, from: "${steps.first.outputs.total}"}
    params:
      factor: {type: number, default: 2}
    steps:
      second:
        module: scale
        inputs: {numbers: "${steps.pick.outputs.one}"}
        params: {factor: "${params.factor}"}
      first:
        module: scale@1.0
        inputs: {numbers: "${inputs.numbers}", shift: "${inputs.shift}"}
        params: {factor: "${params.factor}"}
      pick:
        command: [cp, "${steps.first.outputs.total}", "${outputs.one}"]
        outputs: {one: file}
    """


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[DAG]:
    """A DAG whose file lies beside two modules, ``scale`` and ``twice``."""
    write_module(tmp_path / "modules" / "scale")
    write_module(tmp_path / "modules" / "twice", TWICE)
    dag = DAG("d", schedule=None, params={"factor": Param(3, type="number")})
    dag.fileloc = str(tmp_path / "dag.py")
    (tmp_path / "dag.py").touch()
    with dag:
        yield dag


def test_a_module_of_steps_is_a_group_with_the_modules_ports(dag: DAG):
    """Its steps have their edges, the parameters and the inputs that were given."""
    group = ModuleStep(
        task_id="both", module="twice", inputs={"numbers": RAW}, params={"factor": "{{ params.factor }}"}
    )
    assert isinstance(group, TaskGroup)
    assert sorted(dag.task_ids) == ["both.first", "both.pick", "both.second"]
    first, second = dag.get_task("both.first"), dag.get_task("both.second")
    assert second.upstream_task_ids == {"both.pick"}
    assert first.parameters == second.parameters == {"factor": "{{ params.factor }}"}
    assert [port["name"] for port in first.inputs] == ["numbers"]
    assert {name: (arg.operator.task_id, arg.key) for name, arg in group.outputs.items()} == {
        "numbers": ("both.second", "scaled"),
        "total": ("both.first", "total"),
    }


def test_groups_are_connected_like_steps(dag: DAG):
    """By their outputs, by the author's objects, in any order, and by ``>>``."""
    mine = PipelineData("mine")
    last = ModuleStep(task_id="last", module="scale", inputs={"numbers": RAW, "shift": mine})
    group = ModuleStep(task_id="both", module="twice", inputs={"numbers": RAW}, outputs={"total": mine})
    after = ModuleStep(task_id="after", module="scale", inputs={"numbers": RAW, "shift": group.outputs["total"]})
    group >> ModuleStep(task_id="end", module="scale", inputs={"numbers": RAW})
    assert last.upstream_task_ids == after.upstream_task_ids == {"both.first"}
    assert "both.second" in dag.get_task("end").upstream_task_ids


def test_settings_of_the_group_are_those_of_its_steps(dag: DAG):
    """Retries, pools, the reuse policy."""
    ModuleStep(task_id="both", module="twice", inputs={"numbers": RAW}, retries=7, allow_reuse=False)
    assert {task.retries for task in dag.tasks} == {7}
    assert {task.reuse.policy for task in dag.tasks} == {"never"}


def test_every_module_of_a_group_is_locked(dag: DAG):
    """The one with the steps, and those of its steps."""
    ModuleStep(task_id="both", module="twice", inputs={"numbers": RAW})
    assert sorted(one.request.key for one in modules_of(dag)) == ["scale", "scale@1", "twice"]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"inputs": {}}, "requires the input 'numbers'"),
        ({"params": {"factor": "x"}}, "'x' is not of type 'number'"),
        ({"params": {"factor": -1}}, r"steps.second of the module twice 1.0: .*less than the minimum"),
        ({"outputs": {"numbers": PipelineData("x", kind="file")}}, "has no options"),
        ({"outputs": {"none": PipelineData("x")}}, "has no such output"),
        ({"arguments": []}, "arguments is the module's to say"),
        ({"execution_timeout": 3}, "execution_timeout is of each step"),
    ],
)
def test_mistakes_are_seen_at_parse(dag: DAG, given: dict, what: str):
    """Those of its steps, too, with the step."""
    with pytest.raises(DefinitionError, match=what):
        ModuleStep(**{"task_id": "both", "module": "twice", "inputs": {"numbers": RAW}, **given})


def test_an_output_that_is_something_else_than_the_module_says_is_an_error(dag: DAG, tmp_path: Path):
    """Types hold inside of a module as outside."""
    write_module(tmp_path / "modules" / "twice", TWICE.replace("total: {type: metrics,", "total: {type: model,"))
    with pytest.raises(DefinitionError, match="says that its output 'total' is model, and it is metrics"):
        ModuleStep(task_id="both", module="twice", inputs={"numbers": RAW})


def test_several_steps_cannot_be_mapped_at_once(dag: DAG):
    """The error says how it is done."""
    with pytest.raises(DefinitionError, match="task_group"):
        ModuleStep.partial(task_id="both", module="twice", inputs={"numbers": RAW})


def test_mistakes_in_the_steps_of_a_module_have_their_lines(tmp_path: Path):
    """All of them, those of its outputs included."""
    text = """\
api: mlpipe/module/v1
name: broken
version: 1.0
inputs: {a: any}
outputs:
  x: {from: "${steps.none.outputs.x}"}
  y: {type: any}
  z: {from: "x"}
steps:
  one: {module: m, inputs: {b: "${inputs.c}"}, params: {p: "${params.q}"}}
  two: {script: two.py}
  three: {command: [a], source: src}
  four: {module: ./m}
environment: {image: x}
"""
    with pytest.raises(WrittenError) as caught:
        parse_module(text, file="module.yaml")
    assert [one.line for one in caught.value.mistakes] == [6, 7, 8, 10, 10, 11, 12, 13, 14]
