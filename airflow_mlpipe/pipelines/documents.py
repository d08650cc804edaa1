"""Values of a pipeline as plain members of its file: what is the default is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import timedelta
from typing import Any

from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.resources import Gpu, Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.pipelines.schedules import (
    DEFAULT_POLL,
    DEFAULT_WINDOW,
    Asset,
    Changed,
    Condition,
    Cron,
    Every,
    Schedule,
    Updated,
)
from airflow_mlpipe.written.durations import spell_duration


def said_of(record: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The members of a record that are not the defaults."""
    default = {one.name: one.default for one in fields(record)}
    found = {name: getattr(record, name) for name in (names or default)}
    return {name: value for name, value in found.items() if value not in (None, (), default[name])}


def environment_document(environment: Environment) -> dict[str, Any]:
    """An environment."""
    said = said_of(environment, ("requirements", "packages", "python", "image", "pass_variables"))
    said = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    return said | ({"variables": dict(environment.variables)} if environment.variables else {})


def resources_document(resources: Resources) -> dict[str, Any]:
    """Resources."""
    said = said_of(resources)
    if isinstance(gpu := said.get("gpu"), Gpu):
        said["gpu"] = {"count": gpu.count, **said_of(gpu, ("kind", "memory"))} if gpu != Gpu(gpu.count) else gpu.count
    return said


def reuse_document(reuse: Reuse) -> Any:
    """A reuse policy."""
    if reuse == Reuse(policy=reuse.policy):
        return reuse.policy
    said = said_of(reuse, ("policy", "version"))
    said |= {"ignore": list(reuse.ignore)} if reuse.ignore else {}
    return said | ({"max_age": spell_duration(reuse.max_age)} if reuse.max_age is not None else {})


def asset_document(asset: Asset) -> Any:
    """An asset."""
    if asset == Asset(name=asset.name):
        return asset.name
    return {"name": asset.name, **said_of(asset, ("uri", "group"))} | (
        {"extra": dict(asset.extra)} if asset.extra else {}
    )


def schedule_document(schedule: Schedule | None) -> Any:
    """A schedule."""
    if isinstance(schedule, Cron):
        return schedule.expression
    if isinstance(schedule, Every):
        return {"every": spell_duration(schedule.interval)}
    if isinstance(schedule, Updated):
        return {"asset": asset_document(schedule.asset)}
    if isinstance(schedule, Changed):
        times = (("window", schedule.window, DEFAULT_WINDOW), ("poll", schedule.poll, DEFAULT_POLL))
        return {"changes": f"${{data.{schedule.data}}}"} | {n: _seconds(v) for n, v, d in times if v != d}
    if isinstance(schedule, Condition):
        return {schedule.op: [schedule_document(one) for one in schedule.members]}
    return None


def _seconds(value: float) -> float | str:
    time = timedelta(seconds=value)
    return spell_duration(time) if time.total_seconds() == value else value
