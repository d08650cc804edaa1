"""Modules in DAGs that run: what is reused by whom, and what is never run."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from support.modules import SCALE_PY, write_module

from airflow_mlpipe import modules
from airflow_mlpipe.cli.plan import module_moves, module_notes
from airflow_mlpipe.hooks.workspace import Stores

NUMBERS = "numbers = DataReference(Datastore('lake', url={lake!r}), 'numbers.txt', name='raw')\n"
IMPORTS = "from airflow_mlpipe import DataReference, Datastore, ModuleStep, PipelineData, ScriptStep, step\n"


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    """The head of a DAG file that knows some data."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "numbers.txt").write_text("1\n2\n3\n")
    return IMPORTS + NUMBERS.format(lake=(tmp_path / "lake").as_uri())


@pytest.fixture
def publish(run_dag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Publish versions of ``scale`` to the workspace; everybody asks it each time."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__MODULE_REFRESH_SECONDS", "0")

    def publish(version: str, **files: str) -> None:
        modules.publish(write_module(tmp_path / "sources" / version, version=version, **files))

    return publish


BY_HAND = """
scaled, total = PipelineData("scaled"), PipelineData("total", kind="file", filename="total.json")
with DAG("d", schedule=None):
    by_hand = ScriptStep(
        task_id="by_hand", source_directory="modules/scale", script_name="scale.py", parameters={"factor": 2.0},
        arguments=["--numbers", numbers, "--factor", 2.0, "--out", scaled, "--total", total],
        inputs={"numbers": numbers}, outputs=[scaled, total])
    ModuleStep(task_id="module", module="scale", inputs={"numbers": numbers}) << by_hand
"""


def test_a_module_has_the_fingerprint_of_the_step_that_it_stands_for(run_dag, numbers: str):
    """The same code and arguments as a ScriptStep: whoever comes second is reused."""
    write_module(run_dag.folder / "modules" / "scale")
    run = run_dag(numbers + BY_HAND)
    assert run["by_hand"].decision == "executed", run.log
    assert run["module"].decision == "reused", run["module"].reasons
    assert run["module"].fingerprint == run["by_hand"].fingerprint


TEAM_A = """
with DAG("team_a", schedule=None, params={"factor": Param(3, type="number")}):
    ModuleStep(task_id="scale_it", module="scale@1.0", inputs={"numbers": numbers},
               params={"factor": "{{ params.factor }}"})
"""
TEAM_B = """
with DAG("team_b", schedule=None):
    out = PipelineData("ours")
    ModuleStep(task_id="multiply", module="VERSION", inputs={"numbers": numbers}, outputs={"scaled": out},
               params={"factor": 3.0})
    ModuleStep(task_id="again", module="./modules/sum", inputs={"numbers": out})
"""
SUM = """
    api: mlpipe/module/v1
    name: sum
    version: 1.0
    inputs: {numbers: table}
    outputs: {total: {type: metrics, filename: total.txt}}
    command: [sh, -c, 'tr "\\n" "+" < "$1/numbers.txt" > "$2"', sh, "${inputs.numbers}", "${outputs.total}"]
    """


def test_results_are_reused_across_dags_teams_and_versions_with_equal_code(run_dag, numbers: str, publish):
    """A template and a number are one value; another version with the same code is the same step; new code is not."""
    publish("1.0")
    publish("1.1", README__md="Nobody reads this.\n")
    publish("2.0", scale__py=SCALE_PY.replace("sum(numbers)", "sum(numbers) + 1"))
    write_module(run_dag.folder / "modules" / "sum", SUM)
    first = run_dag(numbers + TEAM_A)
    assert first.executed == ["scale_it"], first.log
    assert "module scale 1.0 of workspace, sha256:" in first["scale_it"].log
    same = run_dag(numbers + TEAM_B.replace("VERSION", "scale>=1,<2"))
    assert same["multiply"].decision == "reused", same["multiply"].reasons
    assert "module scale 1.1 of workspace" in same["multiply"].log
    assert same["again"].decision == "executed"
    other = run_dag(numbers + TEAM_B.replace("VERSION", "scale"))
    assert other["multiply"].reasons == ["CODE scale.py changed"]
    assert other["again"].decision == "reused", other["again"].reasons


def test_code_that_somebody_changed_in_the_library_is_not_run(run_dag, numbers: str, publish):
    """The task fails, and says which module, which library and what to do."""
    publish("1.0")
    for blob in (run_dag.workspace / "blobs").rglob("*"):
        if blob.is_file() and b"argparse" in blob.read_bytes():
            blob.write_bytes(blob.read_bytes().replace(b'print("scaled"', b'print("stolen"'))
    run = run_dag(numbers + TEAM_A)
    assert run["scale_it"].state == "failed"
    assert "the code of the module scale 1.0 is not what was published" in run["scale_it"].log
    assert "publish the same version again" in run["scale_it"].log
    assert "stolen [" not in run["scale_it"].log


def test_instances_of_a_mapped_module_are_reused_one_by_one(run_dag, numbers: str):
    """By their parameters, checked against the schema, defaults of ``partial`` included."""
    write_module(run_dag.folder / "modules" / "scale")
    source = (
        numbers
        + """
with DAG("d", schedule=None):
    many = ModuleStep.partial(task_id="scale", module="scale", inputs={"numbers": numbers}).expand(params=FACTORS)
    ModuleStep(task_id="sums", module="./modules/cat", inputs={"totals": many.outputs["total"]})
"""
    )
    cat = """
        api: mlpipe/module/v1
        name: cat
        version: 1.0
        inputs: {totals: {type: metrics, many: true}}
        outputs: {all: {type: text, filename: all.txt}}
        command: [sh, -c, 'cat "$1"/* > "$2"', sh, "${inputs.totals}", "${outputs.all}"]
        """
    write_module(run_dag.folder / "modules" / "cat", cat)
    first = run_dag(source.replace("FACTORS", '[{"factor": 1}, {"factor": 2}]'))
    assert first.executed == ["scale[0]", "scale[1]", "sums"], first.log
    more = run_dag(source.replace("FACTORS", '[{"factor": 1.0}, {}, {"factor": 5}]'))
    assert more.executed == ["scale[2]", "sums"], [t.reasons for t in more.tasks.values()]


GIVEN = """
from pathlib import Path
from airflow_mlpipe import Outputs

@step
def given() -> list:
    return [1.0, 2.0, 6.0]
"""
SPREAD = """

@step
def spread(numbers: list, width: float = 1.0) -> Outputs(low=float, high=float):
    return {"low": middle(numbers) - width, "high": middle(numbers) + width}


def middle(numbers):
    return sum(numbers) / len(numbers)


@step
def words(path: Path) -> int:
    return len(path.read_text().split())


@step
def largest(numbers: list) -> dict:
    return {"largest": max(numbers)}
"""
OF_FUNCTIONS = """
with DAG("made", schedule=None, params={"width": Param(2, type="number")}):
    raw, numbers = numbers, given()
    a = ModuleStep(task_id="a", module="spread", inputs={"numbers": numbers}, params={"width": "{{ params.width }}"})
    c = ModuleStep(task_id="c", module="largest", inputs={"numbers": numbers})
    ModuleStep(task_id="d", module="./modules/show", inputs={"value": c.outputs["value"]})
    ModuleStep(task_id="e", module="words", inputs={"path": raw})
"""
SHOW = """
    api: mlpipe/module/v1
    name: show
    version: 1.0
    inputs: {value: any}
    command: [cat, "${inputs.value}"]
    """


def test_a_function_becomes_a_module_with_one_call(run_dag, numbers: str):
    """With what it reaches of its file; its values travel as those of a function step."""
    run_dag.write({"made.py": IMPORTS + GIVEN + SPREAD})
    space = importlib.util.spec_from_file_location("made", run_dag.folder / "made.py")
    made = importlib.util.module_from_spec(space)
    space.loader.exec_module(made)
    folder = run_dag.folder / "modules"
    spread = modules.from_function(made.spread, folder / "spread", inputs=["numbers"], owner="me")
    modules.from_function(made.largest, folder / "largest", inputs=["numbers"], types={"value": "metrics"})
    modules.from_function(made.words, folder / "words")
    assert (spread.kind, spread.function, spread.owner) == ("function", "spread", "me")
    assert [p.name for p in spread.inputs] == ["numbers"]
    assert spread.params == {"width": {"type": "number", "default": 1.0}}
    assert [p.name for p in spread.outputs] == ["low", "high"]
    assert "largest" not in (folder / "spread" / "made.py").read_text()
    write_module(folder / "show", SHOW)
    run = run_dag(numbers + GIVEN + OF_FUNCTIONS)
    assert run.state == "success", run.log
    assert (run["a"].xcoms["low"], run["a"].xcoms["high"]) == (1.0, 5.0)
    assert '{"largest":6.0}' in run["d"].log.replace(" ", "")
    assert run["e"].xcoms["return_value"] == 3
    again = run_dag(conf={"width": 2})
    assert "a" in again.reused


IGNORED = """
from airflow_mlpipe import Reuse

with DAG("d", schedule=None):
    ModuleStep(task_id="scale", module="scale", inputs={"numbers": numbers}, params={"factor": FACTOR},
               reuse=Reuse(ignore=["factor"]))
"""


def test_a_parameter_that_is_ignored_is_in_the_command_and_does_not_count(run_dag, numbers: str):
    """As a parameter of any step; another value does not execute it."""
    write_module(run_dag.folder / "modules" / "scale")
    first = run_dag(numbers + IGNORED.replace("FACTOR", "4"))
    assert "scaled [4.0, 8.0, 12.0]" in first["scale"].log
    assert run_dag(numbers + IGNORED.replace("FACTOR", "5"))["scale"].decision == "reused"


MAYBE = """
with DAG("d", schedule=None):
    maybe = ModuleStep(task_id="maybe", module="./modules/maybe", params={"write": WRITE})
    ModuleStep(task_id="scale", module="scale", inputs={"numbers": numbers, "shift": maybe.outputs["shift"]})
"""
MAYBE_MODULE = """
    api: mlpipe/module/v1
    name: maybe
    version: 1.0
    outputs: {shift: {type: file, optional: true}}
    params: {write: {type: boolean}}
    command: [sh, -c, 'if [ "$1" = True ]; then echo 10 > "$2"; fi', sh, "${params.write}", "${outputs.shift}"]
    """


def test_an_argument_in_a_list_is_left_out_when_upstream_wrote_nothing(run_dag, numbers: str):
    """And is there when it did: what is optional is known in the run."""
    write_module(run_dag.folder / "modules" / "scale")
    write_module(run_dag.folder / "modules" / "maybe", MAYBE_MODULE)
    without = run_dag(numbers + MAYBE.replace("WRITE", "False"))
    assert "scaled [2.0, 4.0, 6.0]" in without["scale"].log, without.log
    with_it = run_dag(numbers + MAYBE.replace("WRITE", "True"))
    assert "scaled [12.0, 14.0, 16.0]" in with_it["scale"].log


RANGE = """
with DAG("d", schedule=None):
    ModuleStep(task_id="scale", module="scale>=1", inputs={"numbers": numbers})
"""


def test_a_locked_dag_runs_what_was_locked_until_it_is_locked_again(run_dag, numbers: str, publish, monkeypatch):
    """``plan`` says what would move; locking moves it."""
    publish("1.0")
    modules.lock(run_dag.parse(numbers + RANGE))
    publish("1.1", scale__py=SCALE_PY.replace("sum(numbers)", "sum(numbers) + 1"))
    dag = run_dag.parse()
    assert [str(move) for move in module_moves(dag)] == ["scale>=1: 1.0 of workspace -> 1.1 of workspace"]
    assert "module scale 1.0 of workspace" in run_dag()["scale"].log
    modules.lock(dag)
    again = run_dag()
    assert again["scale"].reasons == ["CODE scale.py changed"]
    assert module_moves(run_dag.parse()) == []
    modules.deprecate("scale@1.1", "use 2.0")
    assert "the module scale 1.1 is deprecated: use 2.0" in run_dag()["scale"].log


def test_a_plan_says_that_a_locked_version_is_yanked(run_dag, numbers: str, publish):
    """It runs all the same; somebody should know."""
    publish("1.0")
    dag = run_dag.parse(numbers + RANGE)
    assert module_notes(dag, Stores()) == []
    modules.lock(dag)
    modules.yank("scale@1.0", "it loses rows")
    (note,) = module_notes(run_dag.parse(), Stores())
    assert "scale 1.0 is yanked: it loses rows" in note
    assert "mlpipe.lock pins it" in note


def test_a_deprecated_module_is_warned_of_at_parse(run_dag, numbers: str, publish):
    """Once for a DAG, with the step."""
    publish("1.0")
    modules.deprecate("scale@1.0", "use 2.0")
    with pytest.warns(UserWarning, match="step 'scale': the module scale 1.0 is deprecated: use 2.0"):
        run_dag.parse(numbers + RANGE)


OF_TASKS = """
@task
def three():
    return 3


@step
def five() -> int:
    return 5


@step
def long() -> dict:
    return {"factor": "x" * 20_000}


with DAG("d", schedule=None):
    ModuleStep(task_id="a", module="scale", inputs={"numbers": numbers}, params={"factor": three()})
    ModuleStep(task_id="b", module="scale", inputs={"numbers": numbers}, params={"factor": five()})
    ModuleStep(task_id="c", module="scale", inputs={"numbers": numbers}, params={"factor": long()})
"""


def test_parameters_may_be_results_of_other_tasks(run_dag, numbers: str):
    """Of ordinary ones and of functions; checked when they are known."""
    write_module(run_dag.folder / "modules" / "scale")
    run = run_dag(numbers + OF_TASKS)
    assert "scaled [3.0, 6.0, 9.0]" in run["a"].log
    assert "scaled [5.0, 10.0, 15.0]" in run["b"].log
    assert run["c"].state == "failed"
    assert "refuses this value" in run["c"].log, run["c"].log[-3000:]
