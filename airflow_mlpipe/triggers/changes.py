"""``schedule=changes(data)``: a run when data in a datastore change."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import DataReference

if TYPE_CHECKING:
    from airflow.sdk import Asset

DEFAULT_WINDOW = 60.0
DEFAULT_POLL = 30.0


def changes(
    data: DataReference, *, window: float | timedelta = DEFAULT_WINDOW, poll: float | timedelta = DEFAULT_POLL
) -> Asset:
    """An asset that is updated when data change: what a DAG's ``schedule`` takes.

    The triggerer looks every ``poll`` seconds, at the price of a listing; what did not change is not read.  Changes
    within ``window`` seconds of the first one make one run.  What is there at the first look ever is no change, nor is
    it that data are gone.  The run finds what changed in ``triggering_asset_events``.

    :param data: a file, a folder or a glob. :param window: seconds. :param poll: seconds.
    :raises DefinitionError: for data with a declared version, which never change, and for a time below nothing.
    """
    from airflow.sdk import Asset, AssetWatcher

    from airflow_mlpipe.triggers.data import DataChangeTrigger

    where = "changes()"
    if not isinstance(data, DataReference):
        raise DefinitionError("changes are watched of a DataReference", where=where, given=data)
    if data.version is not None:
        fix = "leave version= out, or schedule by an asset that who raises the version updates"
        raise DefinitionError("data with a declared version do not change", where=where, given=data.version, fix=fix)
    if "{{" in data.path or "{%" in data.path:
        raise DefinitionError("a path with a template is known in a run only", where=where, given=data.path)
    times = {"window": _seconds(window), "poll": _seconds(poll)}
    for name, least in (("window", 0.0), ("poll", 0.1)):
        if not times[name] >= least:
            raise DefinitionError(f"{name} is a time of {least:g} seconds or more", where=where, given=times[name])
    trigger = DataChangeTrigger(data.datastore.spelling, data.path, data.identity, times["window"], times["poll"])
    name = _name(data, times)
    # An asset has one set of watchers, whoever names it: two ways of watching the same data are two assets.
    uri = "x-mlpipe://" + quote(name, safe="/:=")
    return Asset(name=name, uri=uri, watchers=[AssetWatcher(name=f"changes of {name}", trigger=trigger)])


def _seconds(value: float | timedelta) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DefinitionError("a time is a number of seconds, or a timedelta", where="changes()", given=value)
    return float(value)


def _name(data: DataReference, times: dict[str, float]) -> str:
    store = data.datastore
    name = f"{(store.url or store.name).rstrip('/')}/{data.path}"
    said = [f"{n} {v:g} s" for n, v in times.items() if v != {"window": DEFAULT_WINDOW, "poll": DEFAULT_POLL}[n]]
    said += ["content"] if data.identity == "content" else []
    return f"{name} ({', '.join(said)})" if said else name
