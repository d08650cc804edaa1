"""An output of v2: a file or a folder, and perhaps a path that it is copied to."""

from __future__ import annotations

import re

from airflow_mlpipe.azureml.v2.bindings import only_binding
from airflow_mlpipe.azureml.v2.importing import Importing
from airflow_mlpipe.azureml.v2.nodes import Node
from airflow_mlpipe.azureml.workspace import DEFAULT_DATASTORE
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.data import Datastore, PipelineData
from airflow_mlpipe.pipelines.records import Output

FILES = frozenset({"uri_file"})
FOLDERS = frozenset({"uri_folder", "path", "mltable", "mlflow_model", "custom_model", "triton_model"})
_KNOWN = frozenset({"type", "mode", "description", "path", "early_available"})
_DESTINATION = re.compile(r"azureml://(?:subscriptions/.*/)?datastores/([^/]+)/paths/(.*)\Z")


def output_of(name: str, declared: Node, given: Node, destination: Node | None, importing: Importing) -> Output | None:
    """An output.

    :param declared: in the component. :param given: in the job. :param destination: of the pipeline, if it is one.
    """
    kind = given.string("type") or declared.string("type") or (destination.string("type") if destination else None)
    if kind is not None and kind not in FILES | FOLDERS:
        at = given if given.string("type") else declared
        importing.findings.stops(at, f"an output of type {kind}", "write it into a file, an output of type uri_file")
        return None
    place = _place(name, [given, *([destination] if destination else []), declared], importing)
    for node in (declared, given, *([destination] if destination else [])):
        importing.rest(node, _KNOWN, "of an output")
    path, store = place if place is not None else (None, None)
    try:
        PipelineData(name, path=path)
    except MLPipeError as error:
        importing.findings.stops(given, str(error))
        return None
    return Output(name=name, kind="file" if kind in FILES else "folder", path=path, datastore=store)


def _place(name: str, nodes: list[Node], importing: Importing) -> tuple[str, Datastore | None] | None:
    """Path and datastore of a copy."""
    for node in nodes:
        said = node.get("path")
        if not isinstance(said.value, str) or only_binding(said.value) is not None:
            continue
        match = _DESTINATION.match(said.value)
        if match is None:
            importing.findings.differs(said, "an output has a copy only in a datastore; this one has none")
            return None
        path = match[2].strip("/").replace("${{name}}", "{run}").replace("${{output_name}}", name)
        if "${{" in path or "${{" in match[1].replace("${{default_datastore}}", ""):
            importing.findings.stops(said, "a placeholder that has no equivalent", "${{name}}, ${{default_datastore}}")
            return None
        default = match[1] in ("${{default_datastore}}", DEFAULT_DATASTORE)
        return path, None if default else Datastore(match[1])
    return None
