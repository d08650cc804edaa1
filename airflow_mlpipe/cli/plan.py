"""``airflow mlpipe plan``: what a run would execute now, without running anything."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.cli.dags import load_dag
from airflow_mlpipe.cli.submit import parse_conf
from airflow_mlpipe.cli.tables import print_lines, print_table
from airflow_mlpipe.cli.workspace import open_stores
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment.params import (
    check_forced,
    check_names,
    merge_conf,
    parse_value,
    refresh_conf,
    split_assignments,
)
from airflow_mlpipe.experiment.text import duration

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.modules.lockmaking import Moved
    from airflow_mlpipe.operators.plan import PlannedStep

_WORDS = {"reuse": "reuse", "execute": "EXECUTE", "depends": "depends", "unknown": "unknown"}


@command
def plan(args: Namespace) -> None:
    """Run the command."""
    from airflow_mlpipe.operators.plan import plan_dag

    stores = open_stores()
    dag = load_dag(args.dag_id)
    conf = merge_conf(
        parse_conf(args.conf),
        parse_params(dag, args.param),
        refresh_conf(args.refresh, dag.task_ids, where=f"DAG {dag.dag_id!r}"),
    )
    check_forced(conf, dag.task_ids, where=f"DAG {dag.dag_id!r}")
    steps = plan_dag(dag, conf, stores=stores)
    moves = module_moves(dag)
    notes = module_notes(dag, stores)
    if args.output == "json":
        documents = {
            "steps": [_document(step) for step in steps],
            "modules": [{"request": m.request, "locked": m.old, "available": m.new, "why": m.why} for m in moves],
            "module_notes": notes,
        }
        write_json("plan", {"dag_id": dag.dag_id, "conf": conf, **documents})
        return
    print_table(("STEP", "OUTCOME", "WHY", "SAVES"), [cells(step) for step in steps], right=frozenset({"SAVES"}))
    print_lines("", summary(steps))
    print_lines(*(f"module {move} (airflow mlpipe module lock {dag.dag_id} moves it)" for move in moves))
    print_lines(*notes)


def _has_modules(dag: DAG) -> bool:
    """Nothing of modules is imported for a DAG that has none."""
    return any(hasattr(task, "resolved") for task in dag.tasks)


def module_moves(dag: DAG) -> list[Moved]:
    """Which of the modules that the DAG's lock file pins would be others if it were locked now."""
    if not _has_modules(dag):
        return []
    from airflow_mlpipe.modules.lockmaking import moves_of

    return moves_of(dag)


def module_notes(dag: DAG, stores: Stores) -> list[str]:
    """What the libraries say of the DAG's modules: that a version is deprecated, or yanked and runs as it is locked."""
    if not _has_modules(dag):
        return []
    from airflow_mlpipe.modules.lockmaking import modules_of
    from airflow_mlpipe.modules.standing import standing_of

    notes: list[str] = []
    for module in modules_of(dag):
        try:
            notes += standing_of(module, stores, where=f"DAG {dag.dag_id!r}")
        except DefinitionError as error:
            notes.append(str(error))
    return notes


def parse_params(dag: DAG, texts: Iterable[str]) -> dict[str, Any]:
    """``--param`` options, typed as the DAG declares its parameters.

    :raises UsageError: for an unknown parameter, or a text that is no value of its type.
    """
    values = split_assignments(texts)
    declared: Mapping[str, Any] = {name: dag.params.get_param(name) for name in dag.params}
    check_names(values, declared, what="parameter", where=f"DAG {dag.dag_id!r}")
    return {
        name: parse_value(name, text, {"value": declared[name].value, "schema": declared[name].schema})
        for name, text in values.items()
    }


def summary(steps: Iterable[PlannedStep]) -> str:
    """The plan in one line: ``2 execute, 1 depends, 5 reuse, saves 3 m 02 s``."""
    steps = list(steps)
    outcomes = [step.outcome for step in steps]
    parts = [f"{count} {o}" for o in ("execute", "depends", "reuse", "unknown") if (count := outcomes.count(o))]
    if saved := sum(step.saved for step in steps):
        parts.append(f"saves {duration(saved)}")
    return ", ".join(parts) or "the DAG has no tasks"


def cells(step: PlannedStep) -> tuple[str, ...]:
    """A row of the table: step, outcome, why, what it saves."""
    why = "; ".join(str(reason) for reason in step.reasons)
    if step.outcome == "unknown":
        # Not the reason's code: it is the outcome's word.
        why = "; ".join(reason.new or "" for reason in step.reasons)
    elif step.outcome == "depends":
        why = f"on the new output of {', '.join(step.waits_for)}"
    name = step.task_id if step.map_index < 0 else f"{step.task_id}[{step.map_index}]"
    return name, _WORDS[step.outcome], why, duration(step.saved or None)


def _document(step: PlannedStep) -> dict[str, Any]:
    return {
        "task_id": step.task_id,
        "map_index": step.map_index,
        "outcome": step.outcome,
        "reasons": [reason.to_json() for reason in step.reasons],
        "saved": step.saved,
        "waits_for": list(step.waits_for),
    }
