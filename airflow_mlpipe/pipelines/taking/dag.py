"""A DAG taken apart: what has a form in a file, as records, and the names of all that has none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.pipelines.origin import origin_of
from airflow_mlpipe.pipelines.reading.order import all_sources
from airflow_mlpipe.pipelines.reading.pipeline import around
from airflow_mlpipe.pipelines.records import Group, Pipeline, Step
from airflow_mlpipe.pipelines.taking.airflow import pipeline_settings
from airflow_mlpipe.pipelines.taking.task import TakenStep, kind_of
from airflow_mlpipe.pipelines.taking.values import DataNames, is_plain, parameters_of, schedule_record

if TYPE_CHECKING:
    from airflow.sdk import DAG


class UnformedError(DefinitionError):
    """A DAG has what has no form in a file.

    :ivar names: of all of it: ``task 'notify': an EmailOperator``, ``step 'train': on_failure_callback``.
    """

    def __init__(self, dag_id: str, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(
            "\n  ".join(["this has no form in a file:", *names]),
            where=f"DAG {dag_id!r}",
            fix="take it out of the DAG, or leave it out with --partial (partial=True)",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """:param left_out: the names of what has no form; a step that needs such a task is left out with it."""

    pipeline: Pipeline
    left_out: tuple[str, ...]


def spec_of(dag: DAG, *, partial: bool = False) -> Pipeline:
    """The pipeline that a DAG is.  Its paths are relative to the DAG file, or to the file that it was made of.

    :param partial: whether to leave out what has no form in a file.
    :raises UnformedError: without ``partial``, or when no step is left, naming all of that.
    """
    taken = take_apart(dag)
    if taken.left_out and (not partial or not taken.pipeline.steps):
        raise UnformedError(dag.dag_id, taken.left_out)
    return taken.pipeline


def take_apart(dag: DAG) -> Taken:
    """A DAG as records, and what is left out."""
    left_out: list[str] = []
    origin = origin_of(dag)
    data = DataNames(origin.pipeline.data if origin else ())
    groups = _groups(dag, left_out)
    steps = _steps(dag, data, _rebase(dag), groups, left_out)
    schedule = None
    try:
        schedule = schedule_record(dag.schedule, data)
    except LookupError as error:
        left_out.append(str(error.args[0]))
    settings = pipeline_settings(dag, left_out.append)
    if dag.edge_info:
        left_out.append("labels of edges")
    params = parameters_of(dag)
    left_out += [f"parameter {p.name!r}" for p in params if not (is_plain(p.default) and is_plain(dict(p.schema)))]
    pipeline = Pipeline(
        name=dag.dag_id,
        title=dag.dag_display_name if dag.dag_display_name != dag.dag_id else None,
        description=dag.description,
        doc=dag.doc_md,
        tags=tuple(sorted(dag.tags)),
        params=tuple(p for p in params if is_plain(p.default) and is_plain(dict(p.schema))),
        data=tuple(data.found),
        groups=groups,
        steps=steps,
        schedule=schedule,
        settings=settings,
    )
    return Taken(pipeline=pipeline, left_out=tuple(left_out))


def _rebase(dag: DAG) -> Callable[[str], str]:
    """From paths that start at the DAG file's folder to those that start at the pipeline's."""
    origin, home = origin_of(dag), os.path.dirname(os.path.abspath(dag.fileloc))

    def rebased(path: str) -> str:
        if os.path.isabs(path) or origin is None:
            return path
        return os.path.relpath(os.path.join(home, path), origin.folder).replace(os.sep, "/")

    return rebased


def _groups(dag: DAG, left_out: list[str]) -> tuple[Group, ...]:
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    found = []
    groups: Mapping[Any, Any] = dag.task_group.get_task_group_dict()  # the root has no name
    for name, group in groups.items():
        if name is None:
            continue
        if isinstance(group, MappedTaskGroup):
            left_out.append(f"group {name!r}: it is mapped")
        if (group.ui_color, group.ui_fgcolor) != ("CornflowerBlue", "#000"):
            left_out.append(f"group {name!r}: its colours")
        found.append(
            Group(
                name=name,
                parent=group.parent_group.group_id if group.parent_group else None,
                prefix=group.prefix_group_id,
                title=group.group_display_name,
                tooltip=group.tooltip,
                description=group.doc_md,
            )
        )
    return tuple(found)


def _steps(
    dag: DAG, data: DataNames, rebase: Callable[[str], str], groups: tuple[Group, ...], left_out: list[str]
) -> tuple[Step, ...]:
    found: dict[str, Step] = {}
    broken: set[str] = set()
    for task in dag.tasks:
        kind = kind_of(task)
        if kind is None or _in_mapped_group(task):
            left_out.append(f"task {task.task_id!r}: {_said_of(task)}")
            broken.add(task.task_id)
            continue
        unformed: list[str] = []
        taken = TakenStep(task, kind, data, rebase, unformed.append)
        step = taken.step()
        if step.group is None and around(step.task_id, [g.name for g in groups if g.prefix]) is not None:
            unformed.append("its name, which begins like that of a group that it is not in")
        left_out += [f"step {task.task_id!r}: {name}" for name in unformed]
        if taken.broken:
            broken.add(task.task_id)
        else:
            found[task.task_id] = step
    return _without(found, broken, left_out)


def _without(found: dict[str, Step], broken: set[str], left_out: list[str]) -> tuple[Step, ...]:
    """Steps without those that need what is left out; nobody waits for what is not there."""
    more = True
    while more:
        more = False
        for name, step in list(found.items()):
            if needed := sorted({source.step for source in all_sources(step)} & broken):
                left_out.append(f"step {name!r}: it needs {', '.join(needed)}")
                broken.add(name)
                del found[name]
                more = True
    return tuple(replace(s, after=tuple(name for name in s.after if name in found)) for s in found.values())


def _in_mapped_group(task: Any) -> bool:
    return next(iter(task.iter_mapped_task_groups()), None) is not None


def _said_of(task: Any) -> str:
    if _in_mapped_group(task):
        return "it is in a mapped group"
    name = task.operator_name if hasattr(task, "operator_name") else type(task).__name__
    if kind_of(task) is None and getattr(task, "kind", None) == "function":
        return "a function"
    return f"{'mapped ' if task.is_mapped else ''}{name}"
