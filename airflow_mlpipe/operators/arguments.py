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
    """Arguments with the data among them replaced by ``{"input": port}``, and all ports of the step.

    :param ports: those that the step has so far.  One that brings a text or a number to the command line is none.
    """
    from airflow_mlpipe.hooks.values import expanded

    texts = {port["name"]: text for port in ports if (text := _as_text(expanded(port.get("from")))) is not None}
    said = {a["input"] for a in arguments if isinstance(a, Mapping) and set(a) == {"input"}} & texts.keys()
    kept = [port for port in ports if port["name"] not in said]
    return [_taken(argument, texts, kept) for argument in arguments], kept


def _taken(argument: Any, texts: Mapping[str, Any], ports: list[Any]) -> Any:
    """An argument as the command line has it; data that no port brings get one."""
    from airflow_mlpipe.hooks.values import expanded

    if isinstance(argument, Mapping) and set(argument) == {"input"}:
        return texts.get(argument["input"], argument)
    value = expanded(argument.held if isinstance(argument, Members) else argument)
    if (text := _as_text(value)) is not None:
        return text
    return {"input": _port(as_data(value), ports)} if is_reference(value) or _is_plain_data(value) else value


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


def _as_text(value: Any) -> str | int | float | None:
    """What a command line holds itself: a text, also one that is too long for XCom, a number, a bool."""
    if isinstance(value, (str, int, float)):
        return value
    if is_reference(value) and value.get("format") == JSON and value.get("type") == _TEXT:
        from airflow_mlpipe.hooks.values import load

        return str(load(value))
    return None


def _is_plain_data(value: Any) -> bool:
    """A dict or a list, which no command line holds; what stands for a port is none."""
    if isinstance(value, Mapping):
        return not is_absent(value) and not (len(value) == 1 and set(value) <= {"input", "output"})
    return isinstance(value, list)


def _port(reference: Any, ports: list[Any]) -> str:
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
    ports.append({"name": name, "from": reference})
    return name
