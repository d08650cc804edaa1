"""Plans, reasons and the commands on a pipeline of functions, scripts, mapped steps and ordinary tasks."""

from __future__ import annotations

import pytest

from airflow_mlpipe.operators.plan import plan_dag

FILE = "pipeline.py"

PIPELINE = """
    from __future__ import annotations
    import pendulum
    from airflow.sdk import Param, dag, task
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow_mlpipe import PipelineData, ScriptStep, reuse_unchanged, step
    from pathlib import Path

    FACTOR = 2

    def scaled(value: int):
        return value * FACTOR

    @step
    def numbers(count: int = 3) -> list:
        return list(range(1, count + 1))

    @step
    def power(base: int, exponent: int) -> int:
        return scaled(base) ** exponent

    @step
    def joined(values: list, more: tuple) -> str:
        return "-".join(map(str, [*values, *more]))

    @step
    def opened(path: Path) -> str:
        return path.read_text()

    @task(pre_execute=reuse_unchanged())
    def ordinary(text):
        return text.upper()

    @task(pre_execute=reuse_unchanged())
    def each(number):
        return number + 1

    @task
    def unhooked():
        return 7

    def around(offset):
        @step
        def shifted(x: int, by: int = 1) -> int:
            return x + by + offset
        return shifted

    shifted = around(10)

    @dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"exponent": Param(2, type="integer")})
    def functions():
        made = numbers()
        over = power.partial(exponent="{{ params.exponent }}").expand(base=made)
        text = joined(over, more=(made, "{{ 1 + 1 }}"))
        power.override(task_id="literal").expand_kwargs([{"base": 1, "exponent": 2}, {"base": 3, "exponent": 1}])
        upper = ordinary(text)
        each.expand(number=made)
        out = PipelineData("out", kind="file")
        ScriptStep(task_id="script", script_name="write.py", arguments=[out, "{{ params.exponent }}"], outputs=[out])
        opened(out)
        shifted(5)
        shifted.override(task_id="after")(unhooked())
        BashOperator(task_id="bash", bash_command="echo {{ params.exponent }}", pre_execute=reuse_unchanged())
        BashOperator(task_id="pulls", bash_command="echo {{ ti.xcom_pull('bash') }}", pre_execute=reuse_unchanged())
        joined.override(task_id="zipped")(made.zip(made), more=(1,))

    functions()
    """
WRITE = "import sys\nopen(sys.argv[1], 'w').write(sys.argv[2])\n"
FILES = {FILE: PIPELINE, "write.py": WRITE}
STEPS = {"numbers", "power[0]", "power[1]", "power[2]", "joined", "literal[0]", "literal[1]", "ordinary", "script"}
STEPS |= {"each[0]", "each[1]", "each[2]", "opened", "shifted", "bash"}


def plan(run_dag, text=PIPELINE, **conf):
    """The planned steps by name, of the pipeline with this text."""
    run_dag.write({**FILES, FILE: text})
    found = plan_dag(run_dag.parse(), conf)
    return {s.task_id if s.map_index < 0 else f"{s.task_id}[{s.map_index}]": s for s in found}


def why(planned, name):
    """What a plan says of a step, in one text."""
    step = planned[name]
    return f"{step.outcome} {'; '.join(map(str, step.reasons))}{', '.join(step.waits_for)}".strip()


def outcomes(planned, outcome):
    return {name for name, step in planned.items() if step.outcome == outcome}


def test_before_anything_ran_what_needs_nothing_executes_and_the_rest_depends(run_dag):
    """Literal instances are there one by one; over a list that is not known there is one line."""
    planned = plan(run_dag)
    assert outcomes(planned, "execute") == {"numbers", "literal[0]", "literal[1]", "script", "shifted", "bash"}
    assert why(planned, "numbers") == "execute NEW"
    assert why(planned, "power") == "depends numbers"
    assert why(planned, "joined") == "depends numbers, power"
    assert why(planned, "each") == "depends numbers"
    assert why(planned, "after") == "depends unhooked"
    assert why(planned, "unhooked") == "unknown UNKNOWN not a step"
    assert "rendered with what only a run knows" in why(planned, "pulls")


@pytest.fixture
def ran(run_dag):
    """The pipeline after a run."""
    run = run_dag(files=FILES)
    assert set(run.states.values()) == {"success"}, run.log
    return run_dag


def test_after_a_run_all_is_reused_and_the_next_run_does_what_the_plan_says(ran):
    """Each instance, what follows them, the hooked tasks; asking writes nothing."""
    before = {p: p.read_bytes() for p in ran.workspace.rglob("*") if p.is_file()}
    planned = plan(ran)
    assert {n: why(planned, n) for n in STEPS} == dict.fromkeys(STEPS, "reuse")
    assert ".zip()" in why(planned, "zipped")
    assert {p: p.read_bytes() for p in ran.workspace.rglob("*") if p.is_file()} == before
    assert set(ran().reused) >= STEPS


CHANGES: list[tuple[str, str, dict[str, str]]] = [
    ("FACTOR = 2", "FACTOR = 3", {"power[0]": "execute CODE FACTOR changed", "joined": "depends power"}),
    ("return value * FACTOR", "return FACTOR * value", {"literal[1]": "execute CODE scaled() changed"}),
    ("(value: int)", "(value)", {"power[1]": "execute CODE scaled() changed", "numbers": "reuse"}),
    ("count: int = 3", "count: int = 2", {"numbers": "execute CODE numbers() changed; PARAM count 3 -> 2"}),
    ("by: int = 1", "by: int = 2", {"shifted": "execute CODE shifted() changed; PARAM by 1 -> 2"}),
    ("around(10)", "around(11)", {"shifted": "execute CODE offset changed"}),
    ("shifted(5)", "shifted(6)", {"shifted": "execute PARAM x 5 -> 6"}),
    ('"base": 3', '"base": 4', {"literal[0]": "reuse", "literal[1]": "execute PARAM base 3 -> 4"}),
    ("text.upper()", "text.lower()", {"ordinary": "execute CODE ordinary() changed", "each[1]": "reuse"}),
    ("{{ 1 + 1 }}", "{{ 1 + 2 }}", {"ordinary": "depends joined"}),
]


def test_a_plan_says_what_changed(ran):
    """A constant, a helper, an annotation, a default, a closure's value, an argument, a member of a literal list."""
    for old, new, says in CHANGES:
        assert old in PIPELINE
        planned = plan(ran, PIPELINE.replace(old, new))
        assert {name: why(planned, name) for name in says} == says, (old, new)


def test_what_only_a_run_knows_is_unknown_and_says_why(run_dag):
    """A mapped TaskGroup, an empty list, a value without members; the other steps are planned."""
    dag = run_dag.parse(
        """
from airflow.sdk import task_group
from airflow_mlpipe import step

@step
def one(x: int) -> int:
    return x

@task_group
def group(x):
    one(x)

with DAG("unknown", schedule=None):
    group.expand(x=[1, 2])
    one.override(task_id="none").expand(x=[])
    one.override(task_id="made")(1)
"""
    )
    planned = {s.task_id: f"{s.outcome} {s.reasons[0].new or ''}".strip() for s in plan_dag(dag)}
    assert planned == {
        "group.one": "unknown it is in a mapped TaskGroup, whose instances are known in a run only",
        "none": "unknown it is mapped over nothing: Airflow skips it",
        "made": "execute",
    }
