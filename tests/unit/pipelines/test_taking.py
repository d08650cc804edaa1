"""What of a DAG has no form in a file is named, all of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe import CommandStep, PipelineData, Reuse, ScriptStep, step
from airflow_mlpipe.pipelines.reading.pipeline import read_pipeline
from airflow_mlpipe.pipelines.taking.dag import UnformedError, spec_of, take_apart
from airflow_mlpipe.pipelines.taking.graph import graph_of


@pytest.fixture
def dag(tmp_path: Path) -> Iterator[Any]:
    """An open DAG."""
    from airflow.sdk import DAG

    (tmp_path / "dag.py").touch()
    (tmp_path / "train.py").touch()
    opened = DAG("d", schedule=None)
    opened.fileloc = str(tmp_path / "dag.py")
    with opened:
        yield opened


def command(task_id: str = "a", **arguments: Any) -> CommandStep:
    """A step of the open DAG."""
    return CommandStep(task_id=task_id, command=["true"], **arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"on_failure_callback": print}, "on_failure_callback"),
        ({"pre_execute": print}, "pre_execute"),
        ({"executor_config": {"x": 1}}, "executor_config"),
        ({"email": "a@example.org"}, "email"),
        ({"retry_policy": "own"}, "retry_policy"),
        ({"outlets": ["own"]}, "outlets"),
        ({"inlets": ["own"]}, "inlets"),
        ({"params": {"own": 1}}, "params of the task"),
        ({"doc": "x"}, "doc"),
        ({"parameters": {"x": (1, 2)}}, "parameters['x']"),
        ({"parameters": {"x": float("nan")}}, "parameters['x']"),
        ({"start_date": "own"}, "start_date"),
    ],
)
def test_an_argument_without_a_form_is_named(dag: Any, arguments: dict[str, Any], named: str) -> None:
    """Airflow's, whose values are objects or another deployment's; and values that YAML does not bring back."""
    import pendulum
    from airflow.sdk import Asset
    from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy

    own = {"retry_policy": ExceptionRetryPolicy(rules=[]), "outlets": [Asset("x")], "inlets": [Asset("x")]}
    own |= {"params": {"own": 1}, "start_date": pendulum.datetime(2026, 1, 1)}
    command(**{name: own[name] if value in ("own", ["own"]) else value for name, value in arguments.items()})
    assert take_apart(dag).left_out == (f"step 'a': {named}",)


def test_arguments_with_a_form_are_not_named(dag: Any) -> None:
    """The settings of the list, each with a value of its own, come back with it."""
    from airflow_mlpipe import RetryInfrastructure

    command(
        retries=2, retry_delay=timedelta(minutes=1), retry_exponential_backoff=2, retry_policy=RetryInfrastructure(),
        execution_timeout=timedelta(hours=1), trigger_rule="all_done", pool="p", pool_slots=2, queue="q",
        priority_weight=3, weight_rule="upstream", owner="me", depends_on_past=True, max_active_tis_per_dag=1,
        run_as_user="u", doc_md="# x", task_display_name="A",
    )  # fmt: skip
    assert take_apart(dag).left_out == ()
    (found,) = spec_of(dag).steps
    assert found.settings["retry_policy"] == "infrastructure"
    assert len(found.settings) == 17


def test_defaults_of_a_dag_are_settings_of_its_steps(dag: Any) -> None:
    """``default_args`` say nothing that the steps do not say afterwards."""
    dag.default_args["retries"] = 4
    command()
    (found,) = spec_of(dag).steps
    assert found.settings == {"retries": 4}


def test_ordinary_operators_functions_and_what_needs_them_are_named(dag: Any) -> None:
    """Without ``partial`` it is one error; with it, they are left out with the steps that read their data."""
    from airflow.providers.standard.operators.empty import EmptyOperator

    @step
    def rows() -> list[int]:
        return [1]

    out = PipelineData("out")
    kept = command("kept", outputs=[PipelineData("x")])
    CommandStep(task_id="reads", command=["cat", rows()], outputs=[out])
    CommandStep(task_id="reads_it", command=["cat", out], inputs=[out])
    EmptyOperator(task_id="empty") >> kept
    names = (
        "task 'rows': a function",
        "step 'reads': arguments[1], of task 'rows'",
        "task 'empty': EmptyOperator",
        "step 'reads_it': it needs reads",
    )
    with pytest.raises(UnformedError) as raised:
        spec_of(dag)
    assert sorted(raised.value.names) == sorted(names)
    partial = spec_of(dag, partial=True)
    assert [s.task_id for s in partial.steps] == ["kept"]
    assert read_pipeline(partial.to_yaml()).pipeline == partial


def test_where_nothing_is_left_partial_is_an_error_too(dag: Any) -> None:
    """A pipeline has steps."""
    from airflow.providers.standard.operators.empty import EmptyOperator

    EmptyOperator(task_id="empty")
    with pytest.raises(UnformedError):
        spec_of(dag, partial=True)


def test_a_class_of_an_authors_own_is_no_step_of_ours(dag: Any) -> None:
    """What it does besides cannot be known."""

    class Mine(ScriptStep):
        """An author's."""

    Mine(task_id="mine", script_name="train.py")
    assert take_apart(dag).left_out == ("task 'mine': Mine",)


@pytest.mark.parametrize("of", ["timetable", "alias", "macros", "label", "colour", "mapped group"])
def test_what_else_of_a_dag_has_no_form_is_named(tmp_path: Path, of: str) -> None:
    """Objects of Python, and what only a picture shows."""
    from airflow.sdk import DAG, AssetAlias, Label, TaskGroup, task_group
    from airflow.timetables.trigger import CronTriggerTimetable

    arguments: dict[str, Any] = {
        "timetable": {"schedule": CronTriggerTimetable("@daily", timezone="UTC")},
        "alias": {"schedule": AssetAlias("x")},
        "macros": {"user_defined_macros": {"x": 1}},
    }
    with DAG("d", **arguments.get(of, {"schedule": None})) as dag:
        first, second = command("a"), command("b")
        if of == "label":
            first >> Label("because") >> second
        if of == "colour":
            TaskGroup("g", ui_color="red")
        if of == "mapped group":

            @task_group
            def group(x: int) -> None:
                command("c")

            group.expand(x=[1, 2])
    expected = {
        "timetable": ["schedule: CronTriggerTimetable"],
        "alias": ["schedule: AssetAlias"],
        "macros": ["user_defined_macros"],
        "label": ["labels of edges"],
        "colour": ["group 'g': its colours"],
        "mapped group": ["group 'group': it is mapped", "task 'group.c': it is in a mapped group"],
    }
    assert list(take_apart(dag).left_out) == expected[of]


def test_a_graph_shows_what_has_no_form(dag: Any) -> None:
    """Functions with their values, ordinary operators with the XComs that they read."""
    from airflow.sdk import task

    @step
    def rows() -> list[int]:
        return [1]

    @step
    def total(values: list[int]) -> int:
        return sum(values)

    @task
    def announce(value: int) -> None: ...

    announce(value=total(values=rows())) >> command("last")
    graph = graph_of(dag)
    assert {node.id: node.kind for node in graph.nodes} == {
        "rows": "function",
        "total": "function",
        "announce": "opaque",
        "last": "command",
    }
    assert {(e.source, e.output, e.target, e.input) for e in graph.edges} == {
        ("rows", "return_value", "total", "values"),
        ("total", "return_value", "announce", "value"),
        ("announce", "", "last", ""),
    }


def test_the_usual_is_not_said(dag: Any) -> None:
    """``allow_reuse=True``, the kind's code mode, the local compute."""
    ScriptStep(
        task_id="a", script_name="train.py", code="closure", allow_reuse=True, compute_target="local", reuse=Reuse()
    )
    assert spec_of(dag).to_yaml().endswith("steps:\n  a:\n    script: train.py\n")
