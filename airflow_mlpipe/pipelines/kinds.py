"""Each kind of step as the operator that it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.pipelines.records import Expansion, OutputOf, Step
from airflow_mlpipe.pipelines.settings import INFRASTRUCTURE

if TYPE_CHECKING:
    from airflow_mlpipe.pipelines.build import Objects


def construct(step: Step, task_id: str, objects: Objects, place: dict[str, Any]) -> Any:
    """Make the operator of a step.

    :param task_id: without the prefix of its group. :param place: the group, for Airflow.
    :raises DefinitionError: for what the operator refuses.
    """
    import airflow_mlpipe

    said = {"task_id": task_id, **place, **_settings(step), "inputs": _inputs(step, objects), "reuse": step.reuse}
    if step.kind == "module":
        return airflow_mlpipe.ModuleStep(**said, **_module(step, objects))
    if step.kind == "transfer":
        return airflow_mlpipe.DataTransferStep(**said, **step.options)
    kind = airflow_mlpipe.ScriptStep if step.kind == "script" else airflow_mlpipe.CommandStep
    said |= _program(step, objects)
    if step.expand is None:
        return kind(**said)
    mapped = _expansion(step, step.expand, objects)
    return kind.partial(**{n: v for n, v in said.items() if n not in mapped}).expand(**mapped)


def _settings(step: Step) -> dict[str, Any]:
    settings = dict(step.settings)
    if settings.get("retry_policy") == INFRASTRUCTURE:
        from airflow_mlpipe.retries import RetryInfrastructure

        settings["retry_policy"] = RetryInfrastructure()
    return settings


def _inputs(step: Step, objects: Objects) -> dict[str, Any]:
    return {port.name: objects.port(port) for port in step.inputs}


def _program(step: Step, objects: Objects) -> dict[str, Any]:
    said: dict[str, Any] = {
        "arguments" if step.kind == "script" else "command": list(step.arguments),
        "outputs": [objects.outputs[OutputOf(step.task_id, output.name)] for output in step.outputs],
        "compute_target": step.compute,
        "include": step.include,
        "sorted_listings": step.sorted_listings,
    }
    optional = {
        "script_name": step.script,
        "source_directory": objects.rebase(step.source) if step.source is not None else None,
        "code": step.code,
        "parameters": dict(step.parameters) or None,
        "environment": rebased(step.environment, objects),
        "resources": step.resources,
        "resource_inputs": {port.name: objects.port(port) for port in step.resource_inputs} or None,
        "secrets": dict(step.secrets) or None,
        "deferrable": step.deferrable,
    }
    return said | {name: value for name, value in optional.items() if value is not None}


def rebased(environment: Environment | None, objects: Objects) -> Environment | None:
    """An environment with the path of its requirements as the DAG file sees it."""
    if environment is None or environment.requirements is None:
        return environment
    return replace(environment, requirements=objects.rebase(environment.requirements))


def _expansion(step: Step, expand: Expansion, objects: Objects) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if expand.arguments is not None:
        found["arguments" if step.kind == "script" else "command"] = [list(one) for one in expand.arguments]
    if expand.parameters is not None:
        found["parameters"] = [dict(one) for one in expand.parameters]
    if expand.inputs is not None:
        found["inputs"] = [{port.name: objects.port(port) for port in one} for one in expand.inputs]
    return found


def _module(step: Step, objects: Objects) -> dict[str, Any]:
    said: dict[str, Any] = {"module": step.module, "params": dict(step.parameters)}
    if step.outputs:
        said["outputs"] = {o.name: objects.outputs[OutputOf(step.task_id, o.name)] for o in step.outputs}
    return said
