"""What a program's arguments and inputs are once they are rendered: results of functions become files, or their text.

A number, a text and a bool are arguments, whatever their length.  Everything else is data: a dict, a list, a date, a
dataclass is the path of a JSON file, a table, an array or a model that of its own file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from airflow_mlpipe.model.reference import is_absent, is_inline_value, is_reference
from airflow_mlpipe.operators.composites import Members
from airflow_mlpipe.values.materializer import JSON

_TEXT = "builtins.str"


def taken_arguments(arguments: Iterable[Any], ports: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Arguments with the data among them replaced by ``{"input": port}``, and the ports that these need.

    :param ports: those that the step has; data that one of them brings already are not brought twice.
    """
    from airflow_mlpipe.hooks.values import expanded

    found, added = [], list[Any]()
    for argument in arguments:
        value = expanded(argument.held if isinstance(argument, Members) else argument)
        if _is_text(value):
            from airflow_mlpipe.hooks.values import load

            found.append(load(value))
        elif is_reference(value) or _is_plain_data(value):
            name = _port(as_data(value), [*ports, *added], added)
            found.append({"input": name})
        else:
            found.append(value)
    return found, added


def as_data(value: Any) -> Any:
    """A value as a port brings it: references as they are, dicts and lists as a JSON file; text and numbers not."""
    from airflow_mlpipe.hooks.values import expanded, save_json

    value = expanded(value.held if isinstance(value, Members) else value)
    if value is None or isinstance(value, (str, bytes, int, float)) or is_absent(value) or is_reference(value):
        return value
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        members = list(value)
        if any(is_reference(expanded(one)) or is_absent(one) or _holds_references(one) for one in members):
            return members
        return save_json(members) if members else members
    return save_json(value["value"] if is_inline_value(value) else value)


def _holds_references(value: Any) -> bool:
    """The outputs of a mapped step among those of others."""
    if not isinstance(value, Iterable) or isinstance(value, (str, bytes, Mapping)):
        return False
    return any(is_reference(one) or _holds_references(one) for one in value)


def _is_text(value: Any) -> bool:
    return is_reference(value) and value.get("format") == JSON and value.get("type") == _TEXT


def _is_plain_data(value: Any) -> bool:
    """A dict or a list, which no command line holds; what stands for a port is none."""
    if isinstance(value, Mapping):
        return not is_absent(value) and not (len(value) == 1 and set(value) <= {"input", "output"})
    return isinstance(value, list)


def _port(reference: Any, ports: Sequence[Mapping[str, Any]], added: list[Any]) -> str:
    """The name of the port that brings the data; a new one, if there is none."""
    base = str(reference["name"])
    name, number = base, 1
    for port in ports:
        source = port.get("from")
        if port["name"] == name and isinstance(source, Mapping) and source.get("digest") == reference["digest"]:
            return name
    taken = {port["name"] for port in ports}
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    added.append({"name": name, "from": reference})
    return name
