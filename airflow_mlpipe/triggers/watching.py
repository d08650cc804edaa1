"""The looking itself: when data are others than at the last time that somebody was told, tell, and then note it.

The order is what counts.  A change is told, Airflow stores the event, and then it is noted; whoever begins anew
compares with what was noted.  So no change is lost.  One is told twice only if the triggerer dies within the moment
between Airflow's storing and our noting; its second run finds every step unchanged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from airflow_mlpipe.errors import InputError, MLPipeError
from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.store.watches import Seen

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.model.data import DataReference
    from airflow_mlpipe.triggers.data import DataChangeTrigger

log = logging.getLogger(__name__)

_NOTES = 20
"""How often noting is tried before the watch begins anew, which tells the change again."""
_SHOWN = 20
"""Members of a folder that an event names."""

ABSENT = ContentIdentity(kind="folder", digest="absent:", files=0)
"""Nothing is there.  That data are gone is not told: a run would find nothing; that they are there again is."""


class DataWatch(SharedStreamProducer):
    """Looks at the data of a trigger for as long as the triggerer lives.

    A look that fails is logged and tried again at the next one, for example because the store does not answer.
    """

    def __init__(self, trigger: DataChangeTrigger) -> None:
        self._trigger = trigger
        self._watch = trigger.members
        self._stores: Stores | None = None
        self._told: ContentIdentity | None = None

    async def open_stream(self) -> AsyncIterator[tuple[dict[str, Any], Seen]]:
        """Every change, with what is to be noted once Airflow has it."""
        changing: float | None = None
        while True:
            try:
                now, told = await asyncio.to_thread(self._look)
            except MLPipeError as error:
                log.warning("cannot look at the data, trying again in %g seconds: %s", self._trigger.poll, error)
                await asyncio.sleep(self._trigger.poll)
                continue
            if now == ABSENT or now.deciding == told.deciding:
                changing = None
            elif time.monotonic() - (changing := changing or time.monotonic()) >= self._trigger.window:
                changing, self._told = None, now
                yield change_of(told, now, self._trigger), Seen(identity=now, at=time.time())
                continue
            await asyncio.sleep(self._pause(changing))

    def _pause(self, changing: float | None) -> float:
        """Until the next look: at the end of a window that ends before it is due."""
        if changing is None:
            return self._trigger.poll
        left = changing + self._trigger.window - time.monotonic()
        return max(0.01, min(self._trigger.poll, left))

    def _look(self) -> tuple[ContentIdentity, ContentIdentity]:
        """What is there, and what was there when it was last told."""
        from airflow_mlpipe.hooks.workspace import Stores

        try:
            self._stores = self._stores or Stores()
            now = _identity(self._trigger.data, self._stores)
            if self._told is None:
                watches = self._stores.workspace.watches
                seen = watches.get(self._watch)
                if seen is None:  # the first look ever
                    watches.put(self._watch, Seen(identity=now, at=time.time()))
                self._told = seen.identity if seen is not None else now
        except MLPipeError:
            self._stores = None  # perhaps a connection has changed
            raise
        return now, self._told

    async def note(self, seen: Seen) -> None:
        """Remember what was told; a store that does not answer is asked for a while."""
        from airflow_mlpipe.hooks.workspace import Stores

        for tries in range(_NOTES, 0, -1):
            try:
                self._stores = self._stores or Stores()
                await asyncio.to_thread(self._stores.workspace.watches.put, self._watch, seen)
                return
            except MLPipeError as error:
                self._stores = None
                if tries == 1:
                    raise
                log.warning("cannot note what was told, trying again in %g seconds: %s", self._trigger.poll, error)
                await asyncio.sleep(self._trigger.poll)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Airflow has stored these events, or could not: then they are told again."""
        item = batch[-1]
        if item.outcome.is_clean:
            await self.note(item.broker_payload)
        else:
            log.warning("Airflow did not store the event of a change; it is told again")
            self._told = None


def _identity(data: DataReference, stores: Stores) -> ContentIdentity:
    from airflow_mlpipe.runtime.identify import identify_data
    from airflow_mlpipe.store.located import locate

    try:
        return identify_data(data, stores)
    except InputError:
        try:
            locate(data, stores)
        except InputError:
            return ABSENT
        raise  # something is there, and cannot be read


def change_of(old: ContentIdentity, new: ContentIdentity, trigger: DataChangeTrigger) -> dict[str, Any]:
    """What an event says: JSON, small."""
    said = {
        "datastore": trigger.datastore,
        "path": trigger.path,
        "digest": new.digest,
        "previous": old.digest,
        "files": new.files,
        "size": new.size,
    }
    if old.members is None or new.members is None:
        return said
    before, after = old.members, new.members
    names = {
        "added": sorted(after.keys() - before.keys()),
        "removed": sorted(before.keys() - after.keys()),
        "changed": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
    }
    counts = {name: len(found) for name, found in names.items()}
    return said | {"counts": counts} | {name: found[:_SHOWN] for name, found in names.items()}
