"""Values of a DAG as records: data under names of the pipeline's own, assets, parameters, schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.model.data import DataReference, Datastore
from airflow_mlpipe.operators.ports import data_from_plain
from airflow_mlpipe.pipelines.records import Data, DataNamed, Parameter
from airflow_mlpipe.pipelines.schedules import Asset, Changed, Condition, Cron, Event, Every, Schedule, Updated
from airflow_mlpipe.pipelines.writing import free_name

if TYPE_CHECKING:
    from airflow.sdk import DAG


class DataNames:
    """The data of a pipeline, each under one name.

    :param known: those that the pipeline's own file names.
    """

    def __init__(self, known: Iterable[Data] = ()) -> None:
        self.found: list[Data] = list(known)

    def of_plain(self, port: str, plain: Mapping[str, Any]) -> DataNamed:
        """Data of an input, as an operator keeps it."""
        return self.of(data_from_plain(port, plain))

    def of(self, reference: DataReference) -> DataNamed:
        """Data; equal ones have one name."""
        data = Data(
            name=reference.name,
            datastore=reference.datastore,
            path=reference.path,
            version=reference.version,
            identity=reference.identity,
        )
        for one in self.found:
            if one == replace(data, name=one.name):
                return DataNamed(one.name)
        name = free_name(reference.name, {one.name for one in self.found})
        self.found.append(replace(data, name=name))
        return DataNamed(name)


def is_plain(value: Any) -> bool:
    """Whether a value comes back from YAML as it is."""
    if value is None or type(value) in (bool, int):
        return True
    if type(value) is str:
        return not any("\ud800" <= character <= "\udfff" for character in value)
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(map(is_plain, value))
    return type(value) is dict and all(type(name) is str and is_plain(one) for name, one in value.items())


def parameters_of(dag: DAG) -> tuple[Parameter, ...]:
    """The parameters of a DAG."""
    from airflow.sdk.definitions._internal.types import NOTSET

    found = []
    for name in dag.params:
        param = dag.params.get_param(name)
        required = param.value is NOTSET
        default = None if required else param.value
        found.append(
            Parameter(
                name=name, default=default, required=required, description=param.description, schema=dict(param.schema)
            )
        )
    return tuple(found)


def asset_record(asset: Any) -> Asset | None:
    """An asset; ``None`` for an alias, a reference, and one with watchers of its own."""
    from airflow.sdk import Asset as AirflowAsset

    if isinstance(asset, str):
        return Asset(name=asset)
    if type(asset) is not AirflowAsset or asset.watchers:
        return None
    alone = AirflowAsset(asset.name)
    return Asset(
        name=asset.name,
        uri=asset.uri if asset.uri != alone.uri else None,
        group=asset.group if asset.group != alone.group else None,
        extra=tuple(sorted(asset.extra.items())),
    )


def schedule_record(schedule: Any, data: DataNames) -> Schedule | None:
    """A DAG's schedule.  :raises LookupError: for one that has no form, as its message says."""
    if schedule is None:
        return None
    if isinstance(schedule, str):
        return Cron(expression=schedule)
    if isinstance(schedule, timedelta):
        return Every(interval=schedule)
    if isinstance(schedule, (list, tuple, set, frozenset)):
        members = [_event(one, data) for one in schedule]
        return members[0] if len(members) == 1 else Condition(op="all", members=tuple(members))
    return _event(schedule, data)


def _event(one: Any, data: DataNames) -> Event:
    from airflow.sdk import Asset as AirflowAsset
    from airflow.sdk import AssetAll, AssetAny

    from airflow_mlpipe.triggers.changes import changes
    from airflow_mlpipe.triggers.data import DataChangeTrigger

    if isinstance(one, (AssetAny, AssetAll)):
        members = tuple(_event(member, data) for member in one.objects)
        return Condition(op="any" if isinstance(one, AssetAny) else "all", members=members)
    if isinstance(one, AirflowAsset) and len(one.watchers) == 1:
        trigger = one.watchers[0].trigger
        if (
            isinstance(trigger, DataChangeTrigger)
            and changes(trigger.data, window=trigger.window, poll=trigger.poll) == one
        ):
            store = Datastore.spelled(trigger.datastore)
            reference = DataReference(store, trigger.path, identity=trigger.identity)  # type: ignore[arg-type]
            return Changed(data=data.of(reference).name, window=trigger.window, poll=trigger.poll)
    asset = asset_record(one)
    if asset is None:
        raise LookupError(f"schedule: {type(one).__name__}")
    return Updated(asset=asset)
