"""A module that is a pipeline, in a DAG: a TaskGroup of its steps, with the module's ports around it.

:class:`~airflow_mlpipe.ModuleStep` makes one when its module has steps, so that who uses a module need not know
whether it is one step or several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from airflow.sdk import TaskGroup

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.modules.params import complete_params
from airflow_mlpipe.modules.resolved import ResolvedModule
from airflow_mlpipe.operators.edges import edges_of
from airflow_mlpipe.operators.module_ports import bind_inputs, named_outputs
from airflow_mlpipe.operators.output_arg import OutputArg, OutputArgs
from airflow_mlpipe.operators.port_types import output_types
from airflow_mlpipe.operators.ports import is_deferred
from airflow_mlpipe.pipelines.build import Objects, build_steps
from airflow_mlpipe.pipelines.reading.module_steps import output_of, read_module_steps
from airflow_mlpipe.pipelines.records import OuterInput, Step
from airflow_mlpipe.written.mistakes import Mistakes, WrittenError
from airflow_mlpipe.written.places import Places

_OF_STEPS = ("environment", "resources", "resource_inputs", "secrets", "outlets", "inlets", "execution_timeout")


class ModuleGroup(TaskGroup):
    """The steps of a module.

    :ivar outputs: those of the module, by name, to be passed on as another step's input.
    """

    outputs: Mapping[str, OutputArg]


def build_group(
    found: ResolvedModule,
    *,
    task_id: str,
    dag: Any,
    inputs: Any = None,
    outputs: Any = None,
    module_params: Mapping[str, Any] | None = None,
    task_group: TaskGroup | None = None,
    **settings: Any,
) -> ModuleGroup:
    """Make the group.

    :param settings: of all its steps: retries, pool, compute_target, reuse.
    :raises DefinitionError: for ports that are not connected, and for what a step refuses.
    """
    definition, where = found.definition, f"step {task_id!r}"
    for name in _OF_STEPS:
        if settings.get(name) is not None:
            raise DefinitionError(f"{name} is of each step of the module {definition.label}", where=where)
    settings = {name: value for name, value in settings.items() if name != "module" and value is not None}
    given = bind_inputs(definition, inputs, where=where)
    _check_types(found, given, where)
    params = complete_params(definition.params, module_params or {}, where=where, deferred=is_deferred)
    steps = _steps(found, given, params)
    around: dict[str, Any] = {"parent_group": task_group} if task_group is not None else {}
    group = ModuleGroup(
        group_id=task_id, dag=dag, default_args=cast("Any", settings), tooltip=definition.description, **around
    )
    with group:
        made = build_steps(steps, Objects(given=given), wrong=_raising(found, where))
    for operator in made.values():
        object.__setattr__(operator, "resolved_around", (found, *getattr(operator, "resolved_around", ())))
    group.outputs = OutputArgs(
        {port.name: _output(found, str(port.source), made, where) for port in definition.outputs}, where=where
    )
    edges = edges_of(dag, where=where)
    for name, data in named_outputs(definition, outputs, where=where).items():
        _check_plain(data, f"{where}: output {name!r}")
        edges.known_as(group.outputs[name].operator, group.outputs[name].key, data)
    return group


def _steps(found: ResolvedModule, given: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps with the module's parameters in them, without the inputs that nobody gave."""
    mistakes = Mistakes(f"module {found.definition.label}", Places())
    names = tuple(port.name for port in found.definition.inputs)
    steps = read_module_steps(found.definition.steps, mistakes, params=params, inputs=names)
    mistakes.check()

    def is_given(source: object) -> bool:
        return not isinstance(source, OuterInput) or source.name in given

    return tuple(replace(step, inputs=tuple(p for p in step.inputs if all(map(is_given, p.sources)))) for step in steps)


def _output(found: ResolvedModule, source: str, made: Mapping[str, Any], where: str) -> OutputArg:
    """The output of an inner step that an output of the module is."""
    output = output_of(source)
    inner = made[output.step].outputs.get(output.output) if output is not None else None
    if output is None or inner is None:
        valid = sorted(made[output.step].outputs) if output is not None else None
        raise DefinitionError(
            f"a step of the module {found.definition.label} has no such output", where=where, given=source, valid=valid
        )
    declared = next(port for port in found.definition.outputs if port.source == source)
    kind = _type_of(inner)
    if kind is not None and not declared.type.accepts(kind):
        what = f"says that its output {declared.name!r} is {declared.type}, and it is {kind}"
        raise DefinitionError(f"the module {found.definition.label} {what}", where=where)
    assert isinstance(inner, OutputArg)
    return inner


def _check_types(found: ResolvedModule, given: Mapping[str, Any], where: str) -> None:
    """What is known of the types of the module's inputs; their producers may not be written yet."""
    for name, value in given.items():
        port = found.definition.input(name)
        for one in value if isinstance(value, (list, tuple)) else (value,):
            kind = _type_of(one)
            if port is not None and kind is not None and not port.type.accepts(kind):
                raise DefinitionError(f"the input {name!r} wants {port.type}, and this is {kind}", where=where)


def _type_of(source: Any) -> Any:
    """The type of what an edge brings, if that has one."""
    return output_types(getattr(source, "operator", None)).get(str(getattr(source, "key", "")))


def _check_plain(data: PipelineData, where: str) -> None:
    if data.needs_file or data.kind != "folder" or data.filename or data.optional:
        raise DefinitionError("an output of a module of steps has no options", where=where, given=data.name)


def _raising(found: ResolvedModule, where: str) -> Any:
    def wrong(place: str, error: Exception) -> None:
        if isinstance(error, WrittenError):
            raise error
        what = getattr(error, "what", str(error))
        raise DefinitionError(
            what,
            where=f"{where}: {place} of the module {found.definition.label}",
            given=getattr(error, "given", None),
            valid=getattr(error, "valid", None),
            fix=getattr(error, "fix", None),
        ) from error

    return wrong
