"""Each kind of step as the operator that it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.pipelines.records import DataNamed, Expansion, Output, OutputOf, Step
from airflow_mlpipe.pipelines.scheduling import asset_object
from airflow_mlpipe.pipelines.settings import INFRASTRUCTURE

if TYPE_CHECKING:
    from airflow_mlpipe.pipelines.build import Objects


def construct(step: Step, task_id: str, objects: Objects, place: dict[str, Any]) -> Any:
    """Make the operator of a step.

    :param task_id: without the prefix of its group. :param place: the group, for Airflow.
    :raises DefinitionError: for what the operator refuses.
    """
    import airflow_mlpipe

    said = {"task_id": task_id, **place, **_settings(step)}
    said |= {"reuse": step.reuse} if step.reuse is not None else {}
    if step.kind == "module":
        return airflow_mlpipe.ModuleStep(**said, inputs=_inputs(step, objects), **_module(step, objects))
    if step.kind == "transfer":
        return airflow_mlpipe.DataTransferStep(**said, **_transfer(step, objects))
    said["inputs"] = _inputs(step, objects)
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
    module = step.module or ""
    said = {
        "module": with_dots(objects.rebase(module)) if module.startswith(".") else module,
        "params": dict(step.parameters),
        "outputs": {output.name: output_object(output) for output in step.outputs} or None,
        "environment": rebased(step.environment, objects),
        "resources": step.resources,
        "secrets": dict(step.secrets) or None,
        "deferrable": step.deferrable,
        "compute_target": step.compute if step.compute != "local" else None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _transfer(step: Step, objects: Objects) -> dict[str, Any]:
    destination: DataNamed | None = step.options.get("destination")
    output = OutputOf(step.task_id, step.outputs[0].name)
    place = objects.outputs[output] if destination is None else objects.source(destination)
    options = {name: value for name, value in step.options.items() if name != "destination"}
    return {"source": objects.port(step.inputs[0]), "destination": place, **options}


def with_dots(path: str) -> str:
    """A relative path as a ModuleStep wants it: a name alone would be one of a library."""
    return path if path.startswith(".") else f"./{path}"


def output_object(output: Output) -> PipelineData:
    """The PipelineData that an output is."""
    return PipelineData(
        output.name,
        kind=output.kind,
        filename=output.filename,
        optional=output.optional,
        datastore=output.datastore,
        path=output.path,
        asset=asset_object(output.asset) if output.asset is not None else None,
        volatile=output.volatile,
    )
