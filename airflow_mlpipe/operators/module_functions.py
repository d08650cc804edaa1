"""Modules that are functions: their inputs are values, and their one result has no name of its own in XCom."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.model.reference import absent
from airflow_mlpipe.modules.functions import port_document
from airflow_mlpipe.operators.function import leaf_of
from airflow_mlpipe.operators.port_types import declare_types
from airflow_mlpipe.operators.xcoms import VALUE

if TYPE_CHECKING:
    from airflow_mlpipe.modules.definition import ModuleDefinition
    from airflow_mlpipe.operators.ports import Port


def key_of(definition: ModuleDefinition, output: str) -> str:
    """The key of an output in XCom."""
    alone = definition.kind == "function" and [port.name for port in definition.outputs] == [VALUE]
    return "return_value" if alone and output == VALUE else output


def declare_ports(step: object, definition: ModuleDefinition) -> None:
    """Write the types of a module's ports on its step."""
    declare_types(
        step,
        {port.name: port.type for port in definition.inputs},
        {key_of(definition, port.name): port.type for port in definition.outputs},
        frozenset(port.name for port in definition.inputs if port.many),
    )


def function_inputs(ports: Iterable[Port], *, where: str) -> tuple[list[Port], dict[str, Any]]:
    """The ports of a function's step that bring data, and by name what its parameters say of every input."""
    kept: list[Port] = []
    documents: dict[str, Any] = {}
    for port in ports:
        name, source = str(port["name"]), port.get("from")
        if "data" in port:
            kept.append(port)
            documents[name] = port_document(name)
        else:
            documents[name] = leaf_of(name, absent(name) if source is None else source, kept, where)
    return kept, documents
