"""A step in a ``job/1``: everything that its execution needs.

Left out is what only the worker looks at: assets, and the values that secrets refer to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow_mlpipe.model.data import DataReference, Datastore, PipelineData, Volatile
from airflow_mlpipe.model.environment import Environment, Secret
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.resources import Gpu, Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import (
    Argument,
    CodeSpec,
    FunctionCall,
    InputPath,
    InputPort,
    OutputPath,
    OutputPort,
    StepSpec,
    Text,
)

_CODE = ("root", "entry", "mode", "include")
_FUNCTION = ("file", "name", "bindings", "names")
_DATA = ("path", "name", "version", "identity")
_PLACE = ("name", "url", "connection")
_OUTPUT = ("name", "kind", "filename", "optional", "path")
_ENVIRONMENT = ("requirements", "python", "image", "variables", "pass_variables")
_SECRET = ("connection", "variable", "field")
_RESOURCES = ("cpu", "memory", "shm", "disk")
_GPU = ("count", "kind", "memory")
_REUSE = ("policy", "version", "ignore")
_PLAIN = ("label", "kind", "parameters", "compute_target", "sorted_listings")


def step_to_json(step: StepSpec) -> dict[str, Any]:
    """Plain members."""
    return _members(step, _PLAIN) | {
        "code": _members(step.code, _CODE) if step.code else None,
        "function": _members(step.function, _FUNCTION) if step.function else None,
        "command": [_argument_to_json(argument) for argument in step.command],
        "inputs": [_input_to_json(port) for port in step.inputs],
        "resource_inputs": [_input_to_json(port) for port in step.resource_inputs],
        "outputs": [_output_to_json(port) for port in step.outputs],
        "environment": _environment_to_json(step.environment),
        "secrets": {name: _members(secret, _SECRET) for name, secret in step.secrets.items()},
        "resources": _resources_to_json(step.resources) if step.resources else None,
        "reuse": _members(step.reuse, _REUSE)
        | {"max_age": step.reuse.max_age.total_seconds() if step.reuse.max_age is not None else None},
    }


def step_from_json(members: Mapping[str, Any]) -> StepSpec:
    """Read :func:`step_to_json` back.

    :raises KeyError, TypeError, ValueError, AttributeError, MLPipeError: when it is none.
    """
    age = members["reuse"]["max_age"]
    return StepSpec(
        **{name: members[name] for name in _PLAIN},
        code=CodeSpec(**_tupled(members["code"], "include")) if members["code"] else None,
        function=FunctionCall(**_tupled(members["function"], "names")) if members["function"] else None,
        command=tuple(map(_argument, members["command"])),
        inputs=tuple(map(_input, members["inputs"])),
        resource_inputs=tuple(map(_input, members["resource_inputs"])),
        outputs=tuple(map(_output, members["outputs"])),
        environment=_environment(members["environment"]),
        secrets={name: Secret(**secret) for name, secret in members["secrets"].items()},
        resources=_resources(members["resources"]) if members["resources"] else None,
        reuse=Reuse(
            **_tupled({name: members["reuse"][name] for name in _REUSE}, "ignore"),
            max_age=None if age is None else timedelta(seconds=age),
        ),
    )


def _members(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: getattr(value, name) for name in names}
    return {n: list(v) if isinstance(v, tuple) else dict(v) if isinstance(v, Mapping) else v for n, v in found.items()}


def _environment_to_json(environment: Environment) -> dict[str, Any]:
    """Packages only where there are some: documents without them are as they always were."""
    return _members(environment, _ENVIRONMENT) | ({"packages": environment.packages} if environment.packages else {})


def _environment(members: Mapping[str, Any]) -> Environment:
    given = members if "packages" in members else {**members, "packages": ()}
    return Environment(**_tupled(given, "pass_variables", "packages"))


def _tupled(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**members, **{name: tuple(members[name]) for name in names}}


def _argument_to_json(argument: Argument) -> dict[str, Any]:
    if isinstance(argument, InputPath):
        return {"input": argument.name}
    if isinstance(argument, OutputPath):
        return {"output": argument.name}
    return {"text": argument.value, "template": argument.template}


def _argument(members: Mapping[str, Any]) -> Argument:
    if "input" in members:
        return InputPath(members["input"])
    if "output" in members:
        return OutputPath(members["output"])
    return Text(members["template"], members["text"])


def _input_to_json(port: InputPort) -> dict[str, Any]:
    data = port.data
    return {
        "name": port.name,
        "many": port.many,
        "references": [reference.to_json() for reference in port.references],
        "data": _members(data, _DATA) | {"datastore": _members(data.datastore, _PLACE)} if data else None,
    }


def _input(members: Mapping[str, Any]) -> InputPort:
    data = members["data"]
    return InputPort(
        name=members["name"],
        many=members["many"],
        references=tuple(map(OutputReference.from_json, members["references"])),
        data=DataReference(**{**data, "datastore": Datastore(**data["datastore"])}) if data else None,
    )


def _output_to_json(port: OutputPort) -> dict[str, Any]:
    data = port.data
    return _members(data, _OUTPUT) | {
        "datastore": _members(data.datastore, _PLACE) if data.datastore else None,
        "volatile": [_members(one, ("files", "pattern")) for one in data.volatile],
        "destination": port.destination,
    }


def _output(members: Mapping[str, Any]) -> OutputPort:
    data = PipelineData(
        **{name: members[name] for name in _OUTPUT},
        datastore=Datastore(**members["datastore"]) if members["datastore"] else None,
        volatile=tuple(Volatile(**one) for one in members["volatile"]),
    )
    return OutputPort(data=data, destination=members["destination"])


def _resources_to_json(resources: Resources) -> dict[str, Any]:
    gpu = _members(resources.gpu, _GPU) if isinstance(resources.gpu, Gpu) else None
    return _members(resources, _RESOURCES) | {"gpu": gpu}


def _resources(members: Mapping[str, Any]) -> Resources:
    return Resources(**{**members, "gpu": Gpu(**members["gpu"]) if members["gpu"] else None})
