"""The member ``expand``: what each instance of a mapped step has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.pipelines.reading.ports import Ports
from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.records import Expansion, Input
from airflow_mlpipe.written.members import Members

_MEMBERS = ("arguments", "parameters", "inputs")


def read_expansion(step: Members, scope: Scope, ports: Ports) -> Expansion | None:
    """Read it.  :param ports: the step's own inputs; data among the arguments of an instance are theirs, too."""
    members = Members(step.raw("expand"), step.at("expand"), scope.mistakes, what="expand", known=_MEMBERS)
    given = {name: members.sequence(name) for name in _MEMBERS if members.raw(name) is not None}
    if not given:
        scope.mistakes.add(members.place, "there is nothing to expand", valid=_MEMBERS)
        return None
    for name in given:
        own = "command" if name == "arguments" and "command" in step else name
        if step.raw(own):
            step.wrong(own, f"{name} are given twice, for all instances and for each", fix="give one", given=None)
    return Expansion(
        arguments=_instances(members, "arguments", lambda v, at: ports.arguments(_list(v, at, scope), at)),
        parameters=_instances(members, "parameters", lambda v, at: _parameters(v, at, scope)),
        inputs=_instances(members, "inputs", lambda v, at: _inputs(v, at, scope)),
    )


def _instances(members: Members, name: str, read: Any) -> Any:
    if members.raw(name) is None:
        return None
    found = members.sequence(name)
    return tuple(read(one, (*members.at(name), index)) for index, one in enumerate(found))


def _list(value: Any, place: Any, scope: Scope) -> list[Any]:
    if isinstance(value, list):
        return value
    scope.mistakes.add(place, "the arguments of an instance are a list", given=value)
    return []


def _parameters(value: Any, place: Any, scope: Scope) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        found: Mapping[str, Any] = scope.value(value, place)
        return found
    scope.mistakes.add(place, "the parameters of an instance are a mapping", given=value)
    return {}


def _inputs(value: Any, place: Any, scope: Scope) -> tuple[Input, ...]:
    ports = Ports(scope)
    ports.add_all(value, place)
    return tuple(ports.found)
