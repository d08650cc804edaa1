"""Settings of Airflow, each by its type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_mlpipe.pipelines.settings import INFRASTRUCTURE, SettingKind
from airflow_mlpipe.written.members import Members


def read_settings(members: Members, known: Mapping[str, SettingKind]) -> dict[str, Any]:
    """Those of the known settings that are there, in the list's order; ``null`` is the same as not there."""
    found = {name: _read(members, name, kind) for name, kind in known.items() if members.raw(name) is not None}
    return {name: value for name, value in found.items() if value is not None}


def _read(members: Members, name: str, kind: SettingKind) -> Any:
    if kind == "text":
        return members.text(name)
    if kind == "integer":
        return members.integer(name)
    if kind == "number":
        value = members.raw(name)
        return float(value) if isinstance(value, bool) else members.number(name)
    if kind == "boolean":
        return members.boolean(name)
    if kind == "duration":
        return members.duration(name)
    if kind == "moment":
        return _moment(members, name)
    if kind == "retry_policy":
        return members.choice(name, (INFRASTRUCTURE,))
    found = members.mapping(name)
    for key, value in found.items():
        if not isinstance(value, str):
            members.mistakes.add((*members.at(name), key), "this is text", given=value)
    return dict(found)


def _moment(members: Members, name: str) -> str | None:
    text = members.text(name)
    try:
        value = datetime.fromisoformat(text or "")
    except ValueError:
        members.wrong(name, "not a date", valid="like 2026-01-31 or 2026-01-31T06:30")
        return None
    if value.tzinfo is not None:
        members.wrong(name, "a date without an offset", fix="say timezone: Europe/Vienna beside it; UTC is the default")
        return None
    return spell_moment(value)


def spell_moment(value: datetime) -> str:
    """A date, with its time if that is not midnight."""
    text = value.replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00")
