"""One spelling for every value that a fingerprint may contain.

:func:`canonical` is injective: two values have the same bytes only when a program could not tell them apart (lists and
tuples count as one kind, because JSON and Airflow's serialisation turn one into the other).  Nothing is guessed: a type
that is not listed here is refused with its name and its place, never turned into text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from airflow_mlpipe.errors import UncacheableError

KIND = "$type"
"""The member that marks the tagged form of a value that JSON does not have."""

_DEEPEST = 100


def canonical(value: object, *, path: str = "value") -> bytes:
    """The canonical bytes of a value: JSON with sorted keys, no spaces, UTF-8.

    :param path: what the value is called in an error message (``params.model``).
    :raises UncacheableError: for a value without a canonical form; its ``path`` leads to the member at fault.
    """
    return dump(plain(value, path=path))


def dump(document: Any) -> bytes:
    """The canonical bytes of what is JSON already (the result of :func:`plain`)."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def plain(value: object, *, path: str = "value") -> Any:
    """The JSON value that key documents show: JSON types as they are, others as ``{"$type": ..., "value": ...}``.

    A dict that itself has the member ``$type`` is written as a tagged list of its items, so nothing that a user writes
    can look like a tagged form.

    :raises UncacheableError: for a value without a canonical form.
    """
    return _plain(value, path, 0)


def _plain(value: Any, path: str, depth: int) -> Any:
    if depth > _DEEPEST:
        raise UncacheableError(path, value, fix="nest values less deeply, and let none contain itself")
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return _text(value, path)
    if kind is int:
        return _whole(value, path)
    if kind is float:
        return value if math.isfinite(value) else _tagged("float", repr(value))
    if kind is dict or kind is MappingProxyType:
        return _mapping(value, path, depth)
    if kind is list or kind is tuple:
        return [_plain(member, f"{path}[{i}]", depth + 1) for i, member in enumerate(value)]
    if kind is set or kind is frozenset:
        return _tagged("set", sorted((_plain(m, f"{path}{{}}", depth + 1) for m in value), key=dump))
    return _other(value, path)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        fix = "this text holds half of a surrogate pair, which no encoding can write; remove it"
        raise UncacheableError(path, value, fix=fix) from None
    return value


def _whole(value: int, path: str) -> int:
    # Python refuses to write, and to read back, integers of more than 4300 digits.
    if value.bit_length() > 14_000:
        raise UncacheableError(path, value, fix="pass an integer of fewer than 4000 digits")
    return value


def _mapping(value: Any, path: str, depth: int) -> Any:
    members: dict[str, Any] = {}
    for name, member in value.items():
        if type(name) is not str:
            raise UncacheableError(f"{path}[{name!r}]", name, fix="use text for the keys of dicts")
        members[_text(name, path)] = _plain(member, f"{path}.{name}", depth + 1)
    return _tagged("dict", [list(item) for item in sorted(members.items())]) if KIND in members else members


def _tagged(kind: str, value: object) -> dict[str, object]:
    return {KIND: kind, "value": value}


_WRITERS: dict[type, tuple[str, Callable[[Any], str]]] = {
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    timedelta: ("timedelta", lambda v: f"{v.days} d {v.seconds} s {v.microseconds} us"),
    Decimal: ("decimal", str),
    bytes: ("bytes", bytes.hex),
    UUID: ("uuid", str),
}


def _other(value: object, path: str) -> dict[str, object]:
    kind = type(value)
    # Airflow hands out pendulum's dates, which are datetimes and nothing more.  Other subclasses are not trusted to be:
    # a pandas.Timestamp has nanoseconds that isoformat() of its base would drop.
    if kind.__module__.partition(".")[0] == "pendulum":
        kind = datetime if isinstance(value, datetime) else date if isinstance(value, date) else kind
    if kind not in _WRITERS:
        raise UncacheableError(path, value)
    name, write = _WRITERS[kind]
    return _tagged(name, write(value))
