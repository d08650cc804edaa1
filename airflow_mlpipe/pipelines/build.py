"""From records to a DAG: each step becomes the operator that an author would write in Python.

Needs Airflow.  What an operator's constructor finds wrong is a mistake at the step's place in the file, so that one
parse tells all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, MLPipeError
from airflow_mlpipe.model.data import DataReference, PipelineData
from airflow_mlpipe.pipelines.kinds import construct, output_object
from airflow_mlpipe.pipelines.reading.order import all_sources
from airflow_mlpipe.pipelines.records import Data, DataNamed, Group, Input, OutputOf, Pipeline, Source, Step
from airflow_mlpipe.pipelines.scheduling import schedule_of, start_of

if TYPE_CHECKING:
    from airflow.sdk import DAG, TaskGroup

Wrong = Callable[[str, Exception], None]
"""Told what is wrong with a part of a pipeline: ``steps.train``, and the error."""


@dataclass(slots=True, kw_only=True)
class Objects:
    """The data objects of steps while these are built.

    :param data: by name. :param given: by name of an input of what the steps are in: a data object, or a list of them.
    :param rebase: turns a path that is relative to the file into one that is relative to the DAG file.
    :ivar outputs: declared here. :ivar made: the operators, by the names of their steps.
    """

    data: Mapping[str, DataReference] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    rebase: Callable[[str], str] = lambda path: path
    outputs: dict[OutputOf, PipelineData] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    def source(self, source: Source) -> Any:
        """The object that a source names."""
        if isinstance(source, OutputOf):
            return self.outputs[source] if source in self.outputs else self._made(source)
        return self.data[source.name] if isinstance(source, DataNamed) else self.given[source.name]

    def _made(self, source: OutputOf) -> Any:
        """An output that its step declares itself: of a module, of a transfer to a DataReference."""
        outputs = self.made[source.step].outputs
        if source.output not in outputs:
            valid = sorted(outputs) or "it declares no outputs"
            raise DefinitionError(f"step {source.step!r} has no such output", given=source.output, valid=valid)
        return outputs[source.output]

    def port(self, port: Input) -> Any:
        """What an input is given."""
        found = [self.source(source) for source in port.sources]
        return found if port.many else found[0]


def build_dag(pipeline: Pipeline, *, dag_file: str, rebase: Callable[[str], str], wrong: Wrong) -> DAG:
    """Make the DAG.

    :param dag_file: path of the Python file that Airflow parses for it. :param wrong: told everything that is wrong.
    """
    from airflow.sdk import DAG, Param
    from airflow.sdk.exceptions import AirflowException

    data = {one.name: reference_of(one) for one in pipeline.data}
    settings: dict[str, Any] = {n: v for n, v in pipeline.settings.items() if n != "timezone"}
    settings |= {"dag_display_name": pipeline.title} if pipeline.title else {}
    settings |= {
        n: start_of(settings[n], pipeline.settings.get("timezone")) for n in ("start_date", "end_date") if n in settings
    }
    params = {
        p.name: Param(
            description=p.description, schema=dict(p.schema), **({} if p.required else {"default": p.default})
        )
        for p in pipeline.params
    }
    try:
        dag = DAG(
            dag_id=pipeline.name,
            description=pipeline.description,
            doc_md=pipeline.doc,
            tags=list(pipeline.tags),
            params=params,
            schedule=schedule_of(pipeline.schedule, data),
            **settings,
        )
    except (MLPipeError, AirflowException, ValueError, TypeError) as error:
        wrong("name", error)
        dag = DAG(dag_id="broken")
    # Airflow itself looks at it after the parse of the DAG file, where no place in ours is known any more.
    _told(dag.timetable.validate, "schedule", wrong)
    # Airflow takes the file of the frame that called DAG(), which is ours; source folders are relative to the DAG file.
    dag.fileloc = dag_file
    for parameter in pipeline.params:
        if not parameter.required:
            _told(lambda p=parameter: params[p.name].resolve(), f"params.{parameter.name}", wrong)  # type: ignore[misc]
    with dag:
        groups: dict[str, TaskGroup] = {}
        for group in pipeline.groups:
            groups[group.name] = _group(group, groups)
        build_steps(pipeline.steps, Objects(data=data, rebase=rebase), groups=groups, wrong=wrong)
        edges = getattr(dag, "_mlpipe_edges", None)
        if edges is not None:
            _told(edges.check, "steps", wrong)
    return dag


def build_steps(
    steps: tuple[Step, ...], objects: Objects, *, groups: Mapping[str, TaskGroup] | None = None, wrong: Wrong
) -> dict[str, Any]:
    """Make the operators of steps in the DAG, and the TaskGroup, that are open; return them by their names here."""
    for step in steps:
        for output in step.outputs:
            if step.kind != "module" and "destination" not in step.options:
                objects.outputs[OutputOf(step.task_id, output.name)] = output_object(output)
    waiting, broken = list(steps), set[str]()
    while waiting:
        # In the order of the file, except that who takes an output that its step declares itself comes after that step.
        step = next((s for s in waiting if not _declared_elsewhere(s, objects) - broken), waiting[0])
        waiting.remove(step)
        if _declared_elsewhere(step, objects) & broken:
            broken.add(step.task_id)  # what is wrong has been told
            continue
        operator = _told(partial(_step, step, objects, groups or {}), f"steps.{step.task_id}", wrong)
        if operator is None:
            broken.add(step.task_id)
        else:
            objects.made[step.task_id] = operator
    for step in steps:
        for name in step.after:
            if step.task_id in objects.made and name in objects.made:
                objects.made[step.task_id].set_upstream(objects.made[name])
    return objects.made


def _declared_elsewhere(step: Step, objects: Objects) -> set[str]:
    """Steps that are not made yet, and that declare themselves what a step reads of them."""
    return {s.step for s in all_sources(step) if s not in objects.outputs and s.step not in objects.made}


def _step(step: Step, objects: Objects, groups: Mapping[str, TaskGroup]) -> Any:
    group = groups.get(step.group or "")
    label = step.task_id
    if group is not None and group.prefix_group_id:
        label = label.removeprefix(f"{group.group_id}.")
    return construct(step, label, objects, {"task_group": group} if group is not None else {})


def _told(make: Callable[[], Any], place: str, wrong: Wrong) -> Any:
    from airflow.sdk.exceptions import AirflowException

    try:
        return make()
    except (MLPipeError, AirflowException, ValueError, TypeError) as error:
        wrong(place, error)
        return None


def _group(group: Group, groups: Mapping[str, TaskGroup]) -> TaskGroup:
    from airflow.sdk import TaskGroup

    parent = groups.get(group.parent or "")
    place: dict[str, Any] = {"parent_group": parent} if parent is not None else {}
    label = group.name
    if parent is not None and parent.prefix_group_id:
        label = label.removeprefix(f"{parent.group_id}.")
    return TaskGroup(
        group_id=label,
        prefix_group_id=group.prefix,
        tooltip=group.tooltip,
        doc_md=group.description,
        group_display_name=group.title,
        **place,
    )


def reference_of(data: Data) -> DataReference:
    """The DataReference that data are."""
    return DataReference(data.datastore, data.path, name=data.name, version=data.version, identity=data.identity)
