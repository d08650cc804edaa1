"""A preview as people may see it: Airflow hides what it knows as a secret, by value and by name, in names too.

Texts are cut here and not where the preview is made, because the start of a secret is no secret that Airflow knows.
What reads as a line becomes one: the UI shows sixteen lines of an XCom before one has to scroll.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MASK = "***"
LONGEST = 200
"""Characters of a text."""

CELL = 40
"""Characters of a cell, and of a name."""

_BITS = 128

Redact = Callable[..., Any]


def shown(preview: Mapping[str, Any]) -> dict[str, Any]:
    """The preview without secrets, its texts cut."""
    if not preview:
        return {}
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return _members(preview, redact)


def _members(value: Mapping[str, Any], redact: Redact) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in value.items():
        hidden = MASK if _is_secret_name(name, redact) else _value(member, redact, LONGEST)
        found[_free(_value(str(name), redact, CELL), found)] = hidden
    if isinstance(shape := value.get("shape"), (list, tuple)):
        found["shape"] = " x ".join(map(str, shape))
    columns, head = value.get("columns"), value.get("head")
    if isinstance(columns, Mapping) and isinstance(head, Sequence):
        types = found.pop("columns")
        found["head"] = _table(columns, list(types), head, redact)
        found["columns"] = types
    return found


def _table(columns: Mapping[str, Any], names: list[str], head: Sequence[Any], redact: Redact) -> list[str]:
    """The names of the columns and the first rows, a line each."""
    secret = [_is_secret_name(name, redact) for name in columns]
    rows = [
        [MASK if hide else str(_value(cell, redact, CELL)) for cell, hide in zip(row, secret, strict=False)]
        for row in head
    ]
    width = max(map(len, rows), default=0)
    return [" | ".join(row) for row in (names[:width], *rows)]


def _value(value: Any, redact: Redact, longest: int) -> Any:
    if isinstance(value, Mapping):
        return _members(value, redact)
    if isinstance(value, (list, tuple)):
        members = [_value(member, redact, CELL) for member in value]
        return members if any(isinstance(m, (dict, list)) for m in members) else ", ".join(map(str, members))
    if isinstance(value, str):
        text = str(redact(value))
        return text if len(text) <= longest else f"{text[:longest]}..."
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and value.bit_length() > _BITS:
        return "int"
    return value if redact(str(value)) == str(value) else MASK  # a number may be a secret as well


def _is_secret_name(name: object, redact: Redact) -> bool:
    return bool(redact("any text", str(name)) != "any text")


def _free(name: str, taken: Mapping[str, Any]) -> str:
    """Names that were told apart by what is hidden, or cut off, are told apart by a number."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free
