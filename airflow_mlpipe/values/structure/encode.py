"""Write: a value as a JSON document."""

from __future__ import annotations

import json
import math
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, tzinfo
from enum import Enum
from typing import Any

from airflow_mlpipe.values.errors import UnsupportedValueError
from airflow_mlpipe.values.structure.classes import field_names
from airflow_mlpipe.values.structure.form import BITS, DEEPEST, class_name, is_members, is_text, tagged
from airflow_mlpipe.values.structure.scalars import SCALARS, is_stdlib, write_clock, write_library_scalar, write_zone

Leaf = Callable[[Any, str], Any | None]
"""(value, path) -> the JSON document that stands for it, or ``None`` if it is no leaf."""

_SHORT = 1024  # bytes that are written in the document without asking for a leaf

_DICTS = (dict, OrderedDict, defaultdict)

_BUILTINS = frozenset({type(None), bool, int, float, str, list, tuple, dict, set, frozenset})


def encode(value: Any, leaf: Leaf, *, path: str = "value") -> Any:
    """The JSON document of a value.

    :param leaf: asked first about every value that is not of exactly a builtin type, and about bytes over 1 KiB.
    :param path: what the value is called in an error.
    :raises UnsupportedValueError: for a value that has no form here and is no leaf, one that contains itself, and one
        that is nested more than 100 deep.
    """
    return _Encoder(leaf).write(value, path, 0)


def is_plain(value: Any) -> bool:
    """Whether ``json.loads(json.dumps(value))`` gives exactly this value, and :func:`encode` leaves it as it is."""
    return _is_plain(value, 0)


def _is_plain(value: Any, depth: int) -> bool:
    kind = type(value)
    if depth > DEEPEST:
        return False
    if value is None or kind is bool:
        return True
    if kind is int:
        return bool(value.bit_length() <= BITS)
    if kind is float:
        return math.isfinite(value)
    if kind is str:
        return is_text(value)
    if kind is list:
        return all(_is_plain(member, depth + 1) for member in value)
    return kind is dict and is_members(value) and all(_is_plain(member, depth + 1) for member in value.values())


def _sort_key(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


class _Encoder:
    """Walks a value; it has no state but ``leaf``."""

    def __init__(self, leaf: Leaf) -> None:
        self._leaf = leaf

    def write(self, value: Any, path: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise UnsupportedValueError(
                path, value, why="is nested more than 100 deep", fix="nest less deeply; let no value contain itself"
            )
        kind = type(value)
        if kind not in _BUILTINS and not (kind is bytes and len(value) <= _SHORT):
            document = self._leaf(value, path)
            if document is not None:
                return tagged("leaf", document)
        if kind in SCALARS:
            return SCALARS[kind](value)
        if kind in _DICTS:
            return self._dict(value, path, depth)
        if kind in (list, tuple):
            members = [self.write(member, f"{path}[{i}]", depth + 1) for i, member in enumerate(value)]
            return members if kind is list else tagged("tuple", members)
        if kind in (set, frozenset):
            return tagged(
                kind.__name__, sorted((self.write(m, f"{path}{{}}", depth + 1) for m in value), key=_sort_key)
            )
        return self._other(value, path, depth)

    def _dict(self, value: Mapping[Any, Any], path: str, depth: int) -> Any:
        if is_members(value):
            return {name: self.write(member, f"{path}[{name!r}]", depth + 1) for name, member in value.items()}
        return tagged(
            "dict",
            [
                [self.write(name, f"{path}<key>", depth + 1), self.write(member, f"{path}[{name!r}]", depth + 1)]
                for name, member in value.items()
            ],
        )

    def _other(self, value: Any, path: str, depth: int) -> Any:
        kind = type(value)
        if isinstance(value, Enum):
            raw = self.write(value.value, f"{path}.value", depth + 1)
            return tagged("enum", raw, **{"class": class_name(kind), "name": value.name})
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return self._object(kind, dict(zip(kind._fields, value, strict=True)), path, depth)
        foreign = write_library_scalar(value, path)
        if foreign is not None:
            return foreign
        if isinstance(value, (datetime, time)):
            return write_clock(value, path)
        if isinstance(value, date) and is_stdlib(kind, date):
            return tagged("date", date.isoformat(value))
        if isinstance(value, tzinfo):
            return write_zone(value, path)
        fields = None if isinstance(value, tuple(_BUILTINS)) else field_names(kind)
        if fields is None:
            raise UnsupportedValueError(path, value)
        extra = getattr(value, "__pydantic_extra__", None) or {}
        members = {name: getattr(value, name) for name in fields if hasattr(value, name)}
        return self._object(kind, {**members, **extra}, path, depth)

    def _object(self, kind: type, members: Mapping[str, Any], path: str, depth: int) -> Any:
        written = {name: self.write(member, f"{path}.{name}", depth + 1) for name, member in members.items()}
        return tagged("object", written, **{"class": class_name(kind)})
