"""The tagged form of a value that JSON does not have, and what JSON has as it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

KIND = "$type"
"""The member that marks the tagged form of a value that JSON does not have."""

DEEPEST = 100
"""How many values may be within each other."""

BITS = 14_000
"""Of an int; Python refuses to write, and to read back, decimals of more than 4300 digits."""


def tagged(kind: str, value: Any, **more: Any) -> dict[str, Any]:
    """The tagged form."""
    return {KIND: kind, **more, "value": value}


def class_name(kind: type) -> str:
    """What a document calls a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def base64_of(value: bytes) -> str:
    """Bytes as text."""
    return base64.b64encode(value).decode()


def is_text(value: Any) -> bool:
    """Whether it is text without halves of surrogate pairs: JSON joins two that follow each other."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_members(value: Mapping[Any, Any]) -> bool:
    """Whether a dict can be a JSON object, and is not taken for a tagged form."""
    return KIND not in value and all(is_text(name) for name in value)
