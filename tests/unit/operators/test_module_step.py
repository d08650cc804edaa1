"""ModuleStep while its DAG file is parsed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import DAG, Param
from support.modules import write_module

from airflow_mlpipe import (
    CommandStep,
    DataReference,
    Datastore,
    Environment,
    ModuleStep,
    PipelineData,
    Reuse,
    ScriptStep,
)
from airflow_mlpipe.errors import DefinitionError

REPORT = """
    api: mlpipe/module/v1
    name: report
    version: 1.0
    inputs:
      numbers: {type: table, optional: true}
      totals: {type: metrics, many: true, optional: true}
    outputs: {report: {type: text, filename: report.md}}
    command: [python, report.py, "${outputs.report}", [--n, "${inputs.numbers}"], [--t, "${inputs.totals}"]]
    deterministic: false
    resources: {memory: 1Gi}
    """
RAW = DataReference(Datastore("lake", url="file:///srv/lake"), "numbers.txt", name="raw")


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[DAG]:
    """A DAG whose file lies beside two modules, ``scale`` and ``report``."""
    write_module(tmp_path / "modules" / "scale")
    write_module(tmp_path / "modules" / "report", REPORT, report__py="pass\n")
    (tmp_path / "script.py").touch()
    dag = DAG("d", schedule=None, params={"factor": Param(3, type="number")})
    dag.fileloc = str(tmp_path / "dag.py")
    (tmp_path / "dag.py").touch()
    with dag:
        yield dag


def scale(task_id: str = "scale", **kwargs: object) -> ModuleStep:
    """A step of the module ``scale``."""
    return ModuleStep(**{"task_id": task_id, "module": "scale", "inputs": {"numbers": RAW}, **kwargs})


def test_the_module_says_what_the_author_does_not(dag: DAG):
    """Outputs by its names, parameters with its defaults, its program, its resources."""
    step = scale()
    assert sorted(step.outputs) == ["scaled", "total"]
    assert [(o.name, o.kind, o.filename) for o in step.output_data] == [
        ("scaled", "folder", None),
        ("total", "file", "total.json"),
    ]
    assert step.parameters == {"factor": 2.0}
    assert (step.kind, step.script_name) == ("script", "scale.py")
    assert step.module_version == "scale 1.0 of bundle"
    assert ModuleStep(task_id="r", module="report").step_resources.memory == "1Gi"


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"inputs": {}}, r"requires the input 'numbers', of type table.txt"),
        ({"inputs": {"numbers": RAW, "number": RAW}}, r"has no such input.*given: 'number'.*valid: 'numbers', 'shift'"),
        ({"inputs": [RAW]}, r"a dict of port to data.*'numbers': ..., 'shift': ..."),
        ({"inputs": {"numbers": [RAW]}}, "takes one thing, not a list"),
        ({"inputs": {"numbers": "s3://x"}}, "not a data object"),
        ({"inputs": {"numbers": DataReference(RAW.datastore, "all/")}}, "takes a file, and this is a folder"),
        ({"inputs": {"numbers": DataReference(RAW.datastore, "*.txt")}}, "takes a file, and this is a folder"),
        ({"outputs": {"scald": PipelineData("x")}}, r"has no such output.*valid: 'scaled', 'total'"),
        (
            {"outputs": {"total": PipelineData("x", kind="file", filename="y.json")}},
            "filename of an output is the module",
        ),
        ({"outputs": {"scaled": PipelineData("x", kind="file")}}, "kind of an output is the module's to say"),
        ({"outputs": {"scaled": PipelineData("x", optional=True)}}, "optional of an output is the module's"),
        ({"outputs": "scaled"}, "a dict of port to PipelineData"),
        ({"params": {"factor": -1}}, "-1 is less than the minimum of 0"),
        ({"params": {"facto": 1}}, "no such parameter"),
        ({"params": [1]}, "a dict of name to value"),
        ({"arguments": ["x"]}, "arguments is the module's to say"),
        ({"parameters": {"factor": 1}}, r"give params=\{...\}"),
        ({"module": "scale@2"}, r"no source has such a version.*valid: '1.0 of bundle'"),
        ({"module": None}, "module says which module"),
    ],
)
def test_mistakes_are_seen_at_parse(dag: DAG, given: dict, what: str):
    """Each says what, where, and the fix."""
    with pytest.raises(DefinitionError, match=what) as caught:
        scale(**given)
    assert "step 'scale'" in str(caught.value)


def test_a_step_without_a_dag_says_so(tmp_path: Path):
    """Its module may lie beside the DAG file."""
    with pytest.raises(DefinitionError, match="belongs to no DAG"):
        scale()


def test_edges_follow_from_data_whatever_the_objects_are_called(dag: DAG):
    """By the author's object, by the step's output, in any order, between modules and scripts."""
    mine = PipelineData("my-numbers".replace("-", "_"))
    last = ModuleStep(task_id="last", module="report", inputs={"numbers": mine})
    first = scale("first", outputs={"scaled": mine})
    script = ScriptStep(task_id="script", script_name="script.py", inputs=[mine, first.outputs["total"]])
    assert last.upstream_task_ids == script.upstream_task_ids == {"first"}
    assert [(port["name"], port["from"].key) for port in script.inputs] == [
        ("my_numbers", "scaled"),
        ("total", "total"),
    ]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("by", ["object", "output"])
def test_a_type_that_does_not_fit_is_refused(dag: DAG, before: bool, by: str):
    """``metrics`` where a ``table`` is wanted, whichever step is written first."""
    total = PipelineData("total")

    def consume(data: object) -> None:
        ModuleStep(task_id="report", module="report", inputs={"numbers": data})

    def connect() -> None:
        if by == "output":
            consume(scale().outputs["total"])
        elif before:
            consume(total)
            scale(outputs={"total": total})
        else:
            scale(outputs={"total": total})
            consume(total)

    with pytest.raises(
        DefinitionError, match=r"the input 'numbers' wants table, and the output 'total' of 'scale' is metrics"
    ):
        connect()


def test_a_narrower_type_and_data_of_no_type_fit(dag: DAG):
    """``table.txt`` is a ``table``; what a script writes may be anything."""
    plain = PipelineData("plain")
    ScriptStep(task_id="script", script_name="script.py", outputs=[plain])
    for name, data in (("a", scale().outputs["scaled"]), ("b", plain), ("c", RAW)):
        ModuleStep(task_id=name, module="report", inputs={"numbers": data})


def test_a_port_for_many_takes_a_list_one_and_a_mapped_step(dag: DAG):
    """The program finds a folder each time."""
    one, two = scale("one").outputs["total"], scale("two").outputs["total"]
    for name, data in (("a", [one, two]), ("b", one)):
        (port,) = ModuleStep(task_id=name, module="report", inputs={"totals": data}).inputs
        assert isinstance(port["from"], list)
    many = ModuleStep.partial(task_id="m", module="scale", inputs={"numbers": RAW}).expand(params=[{"factor": 1}])
    (port,) = ModuleStep(task_id="c", module="report", inputs={"totals": many.outputs["total"]}).inputs
    assert not isinstance(port["from"], list)


@pytest.mark.parametrize("before", [True, False], ids=["producer first", "consumer first"])
def test_a_folder_of_a_program_is_no_file(dag: DAG, before: bool):
    """Its author said which it is, though no type."""
    out = PipelineData("out")

    def produce() -> None:
        CommandStep(task_id="make", command=["make", out], outputs=[out])

    def consume() -> None:
        ModuleStep(task_id="take", module="scale", inputs={"numbers": out})

    first, second = (produce, consume) if before else (consume, produce)
    first()
    with pytest.raises(DefinitionError, match=r"takes a file, and the output 'out' of 'make' is a folder.*kind='file'"):
        second()


def test_a_mapped_step_gives_no_single_input(dag: DAG):
    """The error says the two ways out."""
    out = PipelineData("out")
    ModuleStep.partial(task_id="m", module="scale", inputs={"numbers": RAW}, outputs={"scaled": out}).expand(
        params=[{"factor": 1}, {"factor": 2}]
    )
    with pytest.raises(DefinitionError, match="'m' is mapped: it gives one for each instance"):
        ModuleStep(task_id="r", module="report", inputs={"numbers": out})


@pytest.mark.parametrize(
    ("partial", "expand", "what"),
    [
        ({}, {"params": [{"factor": 1}, {"factor": -1}]}, "step 'm': instance 1: parameter 'factor'"),
        ({"params": {"factor": -1}}, {"inputs": [{"numbers": RAW}]}, "-1 is less than the minimum"),
        ({}, {"inputs": [{"numbers": RAW}, {}]}, "step 'm': instance 1: inputs: .* requires the input 'numbers'"),
        ({"inputs": {}}, {"params": [{"factor": 1}]}, "requires the input 'numbers'"),
        ({"outputs": {"x": PipelineData("x")}}, {"inputs": [{"numbers": RAW}]}, "has no such output"),
        ({"module": "nothing"}, {"inputs": [{"numbers": RAW}]}, "no source has a module of this name"),
    ],
)
def test_mistakes_in_a_mapped_step_are_seen_at_parse(dag: DAG, partial: dict, expand: dict, what: str):
    """Those of a single instance, too."""
    with pytest.raises(DefinitionError, match=what):
        ModuleStep.partial(**{"task_id": "m", "module": "scale", **partial}).expand(**expand)


def test_expand_kwargs_says_how_params_are_called_there(dag: DAG):
    """Airflow takes ``params`` of an instance for its own."""
    with pytest.raises(DefinitionError, match="module_params"):
        ModuleStep.partial(task_id="m", module="scale").expand_kwargs([{"params": {}, "inputs": {}}])


def test_a_module_that_is_not_deterministic_is_not_reused(dag: DAG):
    """Unless the author says otherwise."""
    assert ModuleStep(task_id="a", module="report").reuse.policy == "never"
    assert ModuleStep(task_id="b", module="report", allow_reuse=True).reuse.policy == "if_unchanged"
    assert ModuleStep(task_id="c", module="report", reuse=Reuse(policy="refresh")).reuse.policy == "refresh"
    assert scale(allow_reuse=False).reuse.policy == "never"


def test_an_environment_of_the_author_is_looked_for_beside_the_dag_file(dag: DAG):
    """And one of the module in its own folder, when it is read."""
    with pytest.raises(DefinitionError, match="the requirements file does not exist"):
        scale(environment=Environment(requirements="missing.txt"))


def test_the_serialised_step_says_which_module_it_is(dag: DAG):
    """Twice the same."""
    from airflow.serialization.serialized_objects import DagSerialization

    scale(params={"factor": "{{ params.factor }}"})
    first, second = DagSerialization.to_dict(dag), DagSerialization.to_dict(dag)
    (task,) = first["dag"]["tasks"]
    assert first == second
    assert task["__var"]["module"] == "scale"
    assert task["__var"]["module_version"] == "scale 1.0 of bundle"
    assert task["__var"]["parameters"] == {"factor": "{{ params.factor }}"}
