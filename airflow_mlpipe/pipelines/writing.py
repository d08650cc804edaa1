"""From records to the text of a file: every pipeline has one, and the same pipeline the same one.

What is the default is left out, so that a file says what somebody decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.model.environment import Secret
from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.pipelines.documents import (
    asset_document,
    environment_document,
    resources_document,
    reuse_document,
    said_of,
    schedule_document,
)
from airflow_mlpipe.pipelines.reading.pipeline import around
from airflow_mlpipe.pipelines.reading.steps import MEMBERS
from airflow_mlpipe.pipelines.reading.values import json_type
from airflow_mlpipe.pipelines.records import API, Data, Expansion, Group, Input, Output, Parameter, Pipeline, Step
from airflow_mlpipe.pipelines.references import written
from airflow_mlpipe.pipelines.settings import PIPELINE_SETTINGS, STEP_SETTINGS, plain_setting

_OWN = ("task_display_name", "doc_md", "map_index_template")
_SHARED = ("source", "environment", "compute", "resources", "reuse", *(n for n in STEP_SETTINGS if n not in _OWN))
"""What is written once where all steps agree on it."""


def to_yaml(pipeline: Pipeline) -> str:
    """The file that says this pipeline."""
    from airflow_mlpipe.pipelines.yaml_text import dump

    return dump(to_document(pipeline))


def to_document(pipeline: Pipeline) -> dict[str, Any]:
    """The content of that file, as plain values."""
    params = [p.name for p in pipeline.params]
    stores = datastore_keys(pipeline)
    steps = {step.task_id: _step(step, pipeline, params, stores) for step in pipeline.steps}
    defaults = _defaults(pipeline.steps, steps)
    document = {
        "api": API,
        "name": pipeline.name,
        "title": pipeline.title,
        "description": pipeline.description,
        "doc": pipeline.doc,
        "tags": list(pipeline.tags),
        "schedule": schedule_document(pipeline.schedule),
        **settings_document(pipeline.settings, (*PIPELINE_SETTINGS, "timezone")),
        "params": {p.name: _parameter(p) for p in pipeline.params},
        "datastores": _datastores(stores),
        "data": {one.name: _data(one, stores, params) for one in pipeline.data},
        "groups": {group.name: _group(group, pipeline.groups) for group in pipeline.groups},
        "defaults": defaults,
    }
    return {name: value for name, value in document.items() if value not in (None, [], {})} | {"steps": steps}


def _parameter(parameter: Parameter) -> Any:
    default = parameter.default
    short = {} if default is None or isinstance(default, Mapping) else {"type": json_type(default)}
    if parameter == Parameter(name=parameter.name, default=default, schema=short) and short:
        return default
    said: dict[str, Any] = {"required": True} if parameter.required else {"default": parameter.default}
    if parameter.description is not None:
        said["description"] = parameter.description
    return said | dict(parameter.schema)


def _datastores(stores: Mapping[Datastore, str]) -> dict[str, Any]:
    """Those that say more than a name; two of one name get keys of their own."""
    return {
        key: {n: v for n, v in (("name", store.name if store.name != key else None), *_place(store)) if v is not None}
        for store, key in stores.items()
        if store.url is not None
    }


def _place(store: Datastore) -> tuple[tuple[str, str | None], ...]:
    return ("url", store.url), ("connection", store.connection)


def datastore_keys(pipeline: Pipeline) -> dict[Datastore, str]:
    """The name by which the file calls each datastore."""
    used = [one.datastore for one in pipeline.data]
    used += [o.datastore for step in pipeline.steps for o in step.outputs if o.datastore is not None]
    keys: dict[Datastore, str] = {store: store.name for store in used if store.url is None}
    for store in used:
        if store not in keys:
            keys[store] = free_name(store.name, keys.values())
    return keys


def free_name(name: str, taken: Collection[str]) -> str:
    """A name that is not taken: ``raw``, ``raw_2``, ..."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def _data(data: Data, stores: Mapping[Datastore, str], params: Collection[str]) -> dict[str, Any]:
    said = said_of(data, ("path", "version", "identity"))
    return {
        "datastore": stores[data.datastore],
        **{name: value_document(value, params) for name, value in said.items()},
    }


def _group(group: Group, groups: tuple[Group, ...]) -> dict[str, Any] | None:
    said = said_of(group, ("prefix", "title", "tooltip", "description"))
    if group.parent != around(group.name, [one.name for one in groups if one.prefix]):
        said = {"parent": group.parent} | said
    return said or None


def _step(step: Step, pipeline: Pipeline, params: Collection[str], stores: Mapping[Datastore, str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if step.kind == "script":
        said = {"script": step.script, "source": step.source if step.source != "." else None}
    elif step.kind == "module":
        said = {"module": step.module}
    elif step.kind == "transfer":
        return _transfer(step, pipeline, params, stores)
    arguments = [argument_document(one, params) for one in step.arguments]
    said |= {"command": arguments, "source": step.source} if step.kind == "command" else {}
    said |= {
        "group": _own_group(step, pipeline),
        "inputs": {port.name: input_document(port) for port in step.inputs},
        "arguments": arguments if step.kind != "command" else None,
        "outputs": {one.name: output_document(one, stores) for one in step.outputs},
        "params" if step.kind == "module" else "parameters": value_document(step.parameters, params),
        "resource_inputs": {port.name: input_document(port) for port in step.resource_inputs},
        "expand": _expansion(step.expand, params) if step.expand is not None else None,
        "code": step.code,
        "include": list(step.include),
        "environment": environment_document(step.environment) if step.environment is not None else None,
        "compute": step.compute if step.compute != "local" else None,
        "resources": resources_document(step.resources) if step.resources is not None else None,
        "reuse": reuse_document(step.reuse) if step.reuse is not None else None,
        "secrets": {name: _secret(secret) for name, secret in step.secrets.items()},
        "deferrable": step.deferrable,
        "sorted_listings": False if not step.sorted_listings else None,
        "after": list(step.after),
        **settings_document(step.settings, STEP_SETTINGS),
    }
    kept = ("environment", "resources", step.kind)  # an empty one says something, too
    return {n: v for n, v in said.items() if v is not None and (v not in ([], {}) or n in kept)}


def settings_document(settings: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Settings, in the order of the list of all."""
    return {name: plain_setting(settings[name]) for name in known if name in settings}


def _own_group(step: Step, pipeline: Pipeline) -> str | None:
    prefixes = [group.name for group in pipeline.groups if group.prefix]
    return step.group if step.group != around(step.task_id, prefixes) else None


def _transfer(
    step: Step, pipeline: Pipeline, params: Collection[str], stores: Mapping[Datastore, str]
) -> dict[str, Any]:
    destination = step.options.get("destination")
    (output,) = step.outputs
    whole = output_document(output, stores)
    place = (
        str(destination)
        if destination is not None
        else {"name": output.name, **(whole if isinstance(whole, dict) else {"kind": whole})}
    )
    options = {name: value_document(value, params) for name, value in step.options.items() if name != "destination"}
    said = {
        "transfer": {"source": input_document(step.inputs[0]), "destination": place, **options},
        "group": _own_group(step, pipeline),
        "reuse": reuse_document(step.reuse) if step.reuse is not None else None,
        "after": list(step.after) or None,
        **settings_document(step.settings, STEP_SETTINGS),
    }
    return {name: value for name, value in said.items() if value is not None}


def argument_document(argument: Any, params: Collection[str]) -> Any:
    """An argument."""
    if isinstance(argument, InputPath):
        return f"${{inputs.{argument.name}}}"
    if isinstance(argument, OutputPath):
        return f"${{outputs.{argument.name}}}"
    return value_document(argument, params)


def value_document(value: Any, params: Collection[str]) -> Any:
    """A value with the texts in it as the file says them."""
    if isinstance(value, str):
        return written(value, params)
    if isinstance(value, Mapping):
        return {name: value_document(one, params) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [value_document(one, params) for one in value]
    return value


def input_document(port: Input) -> Any:
    """Where an input is from."""
    found = [str(source) for source in port.sources]
    return found if port.many else found[0]


def output_document(output: Output, stores: Mapping[Datastore, str]) -> Any:
    """An output."""
    said = said_of(output, ("filename", "optional", "path"))
    said |= {"datastore": stores[output.datastore]} if output.datastore is not None else {}
    said |= {"asset": asset_document(output.asset)} if output.asset is not None else {}
    said |= (
        {"volatile": [said_of(one) if one.pattern is not None else one.files for one in output.volatile]}
        if output.volatile
        else {}
    )
    return {"kind": output.kind, **said} if said else output.kind


def _secret(secret: Secret) -> dict[str, Any]:
    return said_of(secret)


def _expansion(expand: Expansion, params: Collection[str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if expand.arguments is not None:
        said["arguments"] = [[argument_document(a, params) for a in one] for one in expand.arguments]
    if expand.parameters is not None:
        said["parameters"] = [value_document(one, params) for one in expand.parameters]
    if expand.inputs is not None:
        said["inputs"] = [{port.name: input_document(port) for port in one} for one in expand.inputs]
    return said


def _defaults(steps: tuple[Step, ...], documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Take out of the steps what all of them say alike."""
    found = {}
    for name in _SHARED:
        able = [documents[step.task_id] for step in steps if name in MEMBERS[step.kind]]
        if len(able) > 1 and all(name in one and one[name] == able[0].get(name) for one in able):
            found[name] = able[0][name]
            for one in able:
                del one[name]
    return found
