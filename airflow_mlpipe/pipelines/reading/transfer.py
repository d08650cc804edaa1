"""The member ``transfer`` of a step: where from, where to, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.reading.values import OUTPUT, read_output
from airflow_mlpipe.pipelines.records import DataNamed, Input, Output
from airflow_mlpipe.written.members import Members, check_name
from airflow_mlpipe.written.places import Place

OPTIONS = ("mode", "include", "exclude", "bandwidth", "concurrency", "dry_run")
"""What DataTransferStep takes besides; it checks them itself."""


def read_transfer(
    value: Any, place: Place, scope: Scope, datastores: Mapping[str, Datastore]
) -> tuple[tuple[Input, ...], tuple[Output, ...], dict[str, Any]]:
    """Its input, its output and its options."""
    members = Members(value, place, scope.mistakes, what="a transfer", known=("source", "destination", *OPTIONS))
    if isinstance(value, Mapping):
        for name in ("source", "destination"):
            if members.raw(name) is None:
                members.wrong(name, f"a transfer has a {name}", given=None, fix=f"{name}: ${{data.NAME}}")
    source = scope.source(members.raw("source"), members.at("source")) if members.raw("source") is not None else None
    options = {n: scope.value(members.raw(n), members.at(n)) for n in OPTIONS if members.raw(n) is not None}
    inputs = (Input(name="source", sources=(source,)),) if source is not None else ()
    said, at = members.raw("destination"), members.at("destination")
    if isinstance(said, Mapping):
        output = _output(said, at, scope, datastores)
        return inputs, (output,) if output is not None else (), options
    found = scope.source(said, at) if said is not None else None
    if not isinstance(found, DataNamed):
        if found is not None:
            valid = "${data.NAME}, or a mapping with name, datastore and path"
            scope.mistakes.add(at, "not a destination", given=said, valid=valid)
        return inputs, (), options
    return inputs, (Output(name=found.name),), options | {"destination": found}


def _output(said: Mapping[str, Any], place: Place, scope: Scope, datastores: Mapping[str, Datastore]) -> Output | None:
    members = Members(said, place, scope.mistakes, what="a destination", known=("name", *OUTPUT))
    name = members.text("name")
    if not name:
        members.wrong("name", "a destination has a name, which is that of the output", given=None, fix="add name: NAME")
        return None
    check_name(name, members.at("name"), scope.mistakes)
    rest = {key: value for key, value in said.items() if key in OUTPUT}
    return read_output(name, rest, place, scope.mistakes, datastores)
