"""Watching data in a datastore from the triggerer: DataChangeTrigger, the trigger of an AssetWatcher.

Airflow keeps one trigger for all assets with the same arguments.  It runs in Airflow's "ack mode": what was seen is
noted only when Airflow has stored the event, so that a triggerer that dies in between loses nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from airflow.triggers.shared_stream import SharedStreamProducer

    from airflow_mlpipe.model.data import DataReference


class DataChangeTrigger(BaseEventTrigger):
    """Fires when the identity of data changes; see :func:`airflow_mlpipe.changes`.

    :param datastore: its :attr:`~airflow_mlpipe.model.data.Datastore.spelling`. :param path: below its root.
    :param identity: see :class:`~airflow_mlpipe.DataReference`. :param window: seconds. :param poll: seconds.
    """

    def __init__(self, datastore: str, path: str, identity: str, window: float, poll: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.datastore, self.path, self.identity = datastore, path, identity
        self.window, self.poll = window, poll

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For the triggerer's database, and for Airflow to know two triggers as one."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.members

    @property
    def members(self) -> dict[str, Any]:
        """What is watched, and how."""
        return {name: getattr(self, name) for name in ("datastore", "path", "identity", "window", "poll")}

    @property
    def data(self) -> DataReference:
        """What is watched."""
        from airflow_mlpipe.model.data import DataReference, Datastore

        return DataReference(Datastore.spelled(self.datastore), self.path, identity=self.identity)  # type: ignore[arg-type]

    def shared_stream_key(self) -> Hashable:
        """Two of equal members are one stream."""
        return (type(self).__qualname__, *self.members.values())

    @classmethod
    def create_shared_stream_producer(cls, kwargs: dict[str, Any]) -> SharedStreamProducer:
        """What looks at the data."""
        from airflow_mlpipe.triggers.watching import DataWatch

        return DataWatch(cls(**kwargs))

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
        """Every change is an event."""
        async for change in shared_stream:
            yield TriggerEvent(change)  # type: ignore[no-untyped-call]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same by itself, where nobody confirms events: what was told is noted when the next look begins."""
        from airflow_mlpipe.triggers.watching import DataWatch

        watch = DataWatch(self)
        async for change, seen in watch.open_stream():
            yield TriggerEvent(change)  # type: ignore[no-untyped-call]
            await watch.note(seen)
