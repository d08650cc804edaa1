"""When a pipeline runs by itself: a cron expression, an interval, assets, data that change, or any and all of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Union

DEFAULT_WINDOW = 60.0
"""Seconds within which several changes make one run."""
DEFAULT_POLL = 30.0
"""Seconds between two looks at data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """An Airflow Asset.

    :param uri: by default the name. :param group: by default Airflow's.
    """

    name: str
    uri: str | None = None
    group: str | None = None
    extra: tuple[tuple[str, Any], ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression, or one of Airflow's presets (``@daily``)."""

    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """An interval."""

    interval: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """An asset was updated."""

    asset: Asset


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Data changed; see :func:`airflow_mlpipe.changes`.

    :param data: name of one of the pipeline's data. :param window: seconds. :param poll: seconds between two looks.
    """

    data: str
    window: float = DEFAULT_WINDOW
    poll: float = DEFAULT_POLL


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Any, or all, of several."""

    op: Literal["any", "all"]
    members: tuple[Event, ...]


Event = Union[Updated, Changed, Condition]  # noqa: UP007 - it names itself
Schedule = Union[Cron, Every, Updated, Changed, Condition]  # noqa: UP007
