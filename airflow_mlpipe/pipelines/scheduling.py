"""A pipeline's schedule as what Airflow's DAG takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.pipelines.schedules import Asset, Changed, Condition, Cron, Every, Schedule, Updated


def schedule_of(schedule: Schedule | None, data: Mapping[str, DataReference]) -> Any:
    """The argument ``schedule`` of a DAG.  :param data: the pipeline's, by name."""
    if isinstance(schedule, Cron):
        return schedule.expression
    if isinstance(schedule, Every):
        return schedule.interval
    if isinstance(schedule, Updated):
        return asset_object(schedule.asset)
    if isinstance(schedule, Changed):
        from airflow_mlpipe.triggers.changes import changes

        return changes(data[schedule.data], window=schedule.window, poll=schedule.poll)
    if isinstance(schedule, Condition):
        from airflow.sdk import AssetAll, AssetAny

        members = [schedule_of(one, data) for one in schedule.members]
        return (AssetAny if schedule.op == "any" else AssetAll)(*members)
    return None


def asset_object(asset: Asset) -> Any:
    """The Asset that a record names."""
    from airflow.sdk import Asset as AirflowAsset

    said: dict[str, Any] = {"uri": asset.uri, "group": asset.group, "extra": dict(asset.extra) or None}
    return AirflowAsset(asset.name, **{n: v for n, v in said.items() if v is not None})


def start_of(text: str, timezone: str | None) -> datetime:
    """A date of a file in its time zone.  :raises DefinitionError: when there is no such zone."""
    import pendulum

    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", timezone or "")
    try:
        if offset is not None:
            seconds = int(offset[2]) * 3600 + int(offset[3]) * 60
            zone: Any = pendulum.FixedTimezone(-seconds if offset[1] == "-" else seconds)
        else:
            zone = pendulum.timezone(timezone or "UTC")
    except ValueError as error:
        raise DefinitionError("there is no such time zone", where="timezone", given=timezone) from error
    return datetime.fromisoformat(text).replace(tzinfo=zone)
