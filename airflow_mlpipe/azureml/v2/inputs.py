"""Inputs of the outermost pipeline, which a run can say: parameters of the DAG, and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.v2.importing import Importing
from airflow_mlpipe.azureml.v2.nodes import Node
from airflow_mlpipe.azureml.v2.sources import Source
from airflow_mlpipe.azureml.v2.values import Absent, Param, Value
from airflow_mlpipe.azureml.workspace import DEFAULT_DATASTORE
from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.pipelines.records import DataNamed, Parameter

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.v2.pipelines import PipelineReader

SCALARS = {"integer": "integer", "number": "number", "boolean": "boolean", "string": "string"}
INPUT = frozenset({"type", "mode", "description", "default", "optional", "min", "max", "enum", "path", "value"})
"""What an input may say."""


def root_input(reader: PipelineReader, name: str, node: Node) -> Value | None:
    """An input of the outermost pipeline: a parameter of the DAG, or data."""
    importing = reader.importing
    kind = node.string("type") if node.is_mapping else None
    if not node.is_mapping or kind in SCALARS:
        return _parameter(importing, name, node, kind)
    importing.rest(node, INPUT, "of an input")
    for member in ("path", "default"):
        if node.get(member).value is not None:
            return reader.value(name, node.get(member), node)
    if node.get("optional").value is True:
        importing.findings.differs(node, "an optional input without data is left out", "give it a path")
        return Absent()
    importing.findings.todo(
        node,
        "data without a path",
        f"every run says it, as parameter {name!r}: a path in datastore {DEFAULT_DATASTORE!r}",
    )
    importing.params[name] = Parameter(name=name, required=True, schema={"type": "string"})
    place = Source(Datastore(DEFAULT_DATASTORE), Param(name).template)
    return DataNamed(importing.datum(name, place))


def _parameter(importing: Importing, name: str, node: Node, kind: str | None) -> Value | None:
    default = node if not node.is_mapping else node.get("default")
    if node.is_mapping and default.value is None:
        default = node.get("value")
    if default.value is None and node.get("optional").value is True:
        importing.findings.differs(
            node, "an optional input without a value is left out", "give it a default to have a parameter"
        )
        return Absent()
    schema: dict[str, Any] = {"type": SCALARS[kind] if kind else _json_type(default.value)}
    bounds = {"minimum": node.get("min").value, "maximum": node.get("max").value, "enum": node.get("enum").value}
    schema |= {member: value for member, value in bounds.items() if value is not None}
    value = default.value
    if schema["type"] == "string" and value is not None:
        value = default.text
    importing.params[name] = Parameter(
        name=name,
        default=value,
        required=value is None,
        description=node.string("description"),
        schema=schema,
    )
    return Param(name, default.text)


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "string"
