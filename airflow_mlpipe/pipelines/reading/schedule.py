"""The member ``schedule``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from airflow_mlpipe.pipelines.reading.values import read_asset
from airflow_mlpipe.pipelines.references import Reference, parts_of
from airflow_mlpipe.pipelines.schedules import (
    DEFAULT_POLL,
    DEFAULT_WINDOW,
    Changed,
    Condition,
    Cron,
    Event,
    Every,
    Schedule,
    Updated,
)
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.mistakes import Mistakes, nearest
from airflow_mlpipe.written.places import Place

_FORMS = ("every", "asset", "changes", "any", "all")
_CHANGES = ("changes", "window", "poll")


def read_schedule(value: Any, place: Place, mistakes: Mistakes, data: Collection[str]) -> Schedule | None:
    """A cron expression, or a mapping that says what starts a run.

    :param data: names of the pipeline's data.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return Cron(expression=value)
    if isinstance(value, Mapping) and "every" in value:
        members = Members(value, place, mistakes, what="a schedule", known=("every",))
        interval = members.duration("every")
        if interval is not None and interval <= timedelta(0):
            members.wrong("every", "an interval is longer than nothing")
        return Every(interval=interval) if interval is not None else None
    return _event(value, place, mistakes, data)


def _event(value: Any, place: Place, mistakes: Mistakes, data: Collection[str]) -> Event | None:
    if not isinstance(value, Mapping) or len(found := [name for name in _FORMS if name in value]) != 1:
        valid = "a cron expression, every: TIME, asset: NAME, changes: ${data.NAME}, any: [...] or all: [...]"
        mistakes.add(place, "not a schedule", given=value, valid=valid)
        return None
    (form,) = found
    members = Members(value, place, mistakes, what="a schedule", known=_CHANGES if form == "changes" else (form,))
    if form == "asset":
        asset = read_asset(members.raw("asset"), members.at("asset"), mistakes)
        return Updated(asset=asset) if asset is not None else None
    if form == "changes":
        return _changes(members, mistakes, data)
    if form == "every":
        members.wrong("every", "an interval stands alone", fix="write schedule: {every: 6h}")
        return None
    at = members.at(form)
    parts = [_event(one, (*at, index), mistakes, data) for index, one in enumerate(members.sequence(form))]
    if not parts:
        members.wrong(form, "there is nothing in it")
    return Condition(op=form, members=tuple(part for part in parts if part is not None))  # type: ignore[arg-type]


def _changes(members: Members, mistakes: Mistakes, data: Collection[str]) -> Changed | None:
    said = members.raw("changes")
    parts = parts_of(said) if isinstance(said, str) else ()
    times = {name: members.duration(name) for name in ("window", "poll")}
    if len(parts) != 1 or not isinstance(parts[0], Reference) or parts[0].kind != "data":
        members.wrong("changes", "changes of data are watched", valid="${data.NAME}")
        return None
    name = parts[0].name
    if name not in data:
        members.wrong(
            "changes", "there are no data of this name", given=name, valid=sorted(data), fix=nearest(name, data)
        )
        return None
    window, poll = (time.total_seconds() if time is not None else None for time in times.values())
    if poll is not None and poll <= 0:
        members.wrong("poll", "the time between two looks is longer than nothing")
    return Changed(
        data=name,
        window=DEFAULT_WINDOW if window is None else window,
        poll=DEFAULT_POLL if poll is None else poll,
    )
