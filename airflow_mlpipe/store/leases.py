"""Leases: two runs with one fingerprint execute it once.

Leases are for economy, never for correctness: if each of them failed, two executions would happen and one record would
win (:meth:`Records.publish`).

The leases of a fingerprint are numbered; the highest that is there counts.  Its holder renews a heartbeat beside it.
Whoever finds the heartbeat too old - by the store's clock alone, so that a worker whose own clock is wrong decides
right - creates the next number, which one of any number of callers can, and then removes the old one.  After a kill -9
at any point the lease is held, or runs out by itself, or is gone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airflow_mlpipe.errors import CorruptedError, ObjectNotFoundError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore
from airflow_mlpipe.store.heartbeat import Lease
from airflow_mlpipe.store.layout import lease_folder

__all__ = ["Busy", "Held", "Lease", "Leases", "find"]

log = logging.getLogger(__name__)

_VERSION = 1
_NUMBER = re.compile(r"([1-9][0-9]*)(\.beat)?\Z")
# Each turn means that somebody else changed the leases between two requests.
_TURNS = 20
_warned: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """Somebody else executes this fingerprint.

    :param owner: the task instance that does. :param since: when it started, seconds since the epoch by the store's
        clock. :param expires_in: seconds until its lease runs out, unless it is renewed before.
    """

    owner: Producer
    since: float
    expires_in: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The lease that counts: what one LIST tells of it and of the others that were there, and its owner.

    :param since: when it was taken. :param beat: when it was last renewed; both by the store's clock.
    :param owner: ``None`` when the document cannot be read; it has run out then.
    """

    number: int
    since: float
    beat: float
    lease_seconds: float = 0.0
    owner: Producer | None = None
    seen: frozenset[tuple[int, float, float]] = frozenset()

    @property
    def stamp(self) -> tuple[int, float, float]:
        """Changes whenever the lease does."""
        return self.number, self.since, self.beat

    def expires_in(self, now: float) -> float:
        """Seconds until it runs out; 0 or less when it has."""
        return 0.0 if self.owner is None else self.beat + self.lease_seconds - now


class Leases:
    """The leases of a workspace.

    :param lease_seconds: how long after its last heartbeat a lease of *this* process runs out.  It is written into the
        lease, so that processes with different settings agree about each lease.
    """

    def __init__(self, store: ObjectStore, *, lease_seconds: float = 60.0) -> None:
        self._store = store
        self.lease_seconds = lease_seconds

    def acquire(self, fingerprint: str, owner: Producer) -> Lease | Busy:
        """Become the one that executes a fingerprint, or learn who is.

        After acquiring, **look the record up again**: the last holder may have published it just before it released.

        A task instance takes its own lease over at once, whatever the try: Airflow never runs two tries of one task
        instance at a time, so the earlier one is dead.  In a store that cannot create exclusively there are no leases;
        one without effect is returned, and a warning logged once per process.

        :raises WorkspaceVersionError: when a newer version of this package holds it.
        """
        folder = lease_folder(fingerprint)
        if not self._store.creates_exclusively:
            self._warn_once()
            return Lease.without_effect(self._store, owner)
        for _ in range(_TURNS):
            held = find(self._store, folder)
            if held is not None and not _same_instance(held.owner, owner):
                busy = self._busy(held)
                if busy is not None:
                    return busy
            lease = self._take(folder, held, owner)
            if lease is not None:
                return lease
        # Leases come and go so fast that somebody is surely at work; the caller waits and asks again.
        return Busy(owner=owner, since=self._store.now(), expires_in=self.lease_seconds)

    def renew(self, fingerprint: str, owner: Producer) -> bool:
        """Renew the lease that a task instance holds, from another process; whether it still does.

        It blocks, so a trigger calls it with :func:`asyncio.to_thread`.
        """
        held = find(self._store, lease_folder(fingerprint))
        if held is None or not _same_instance(held.owner, owner):
            return False
        return Lease(
            self._store, lease_folder(fingerprint), held.number, owner, lease_seconds=self.lease_seconds
        ).beat()

    def peek(self, fingerprint: str) -> Busy | None:
        """Who executes a fingerprint just now; ``None`` when nobody does, or nobody alive.

        Waiting tasks poll it: a LIST, and a GET and a look at the clock when somebody does.  It blocks, so a trigger
        calls it with :func:`asyncio.to_thread`.

        :raises WorkspaceVersionError: when a newer version of this package holds it.
        """
        held = find(self._store, lease_folder(fingerprint))
        return None if held is None else self._busy(held)

    def _take(self, folder: str, held: Held | None, owner: Producer) -> Lease | None:
        """Create the next lease; ``None`` when somebody else was faster, or came back to life."""
        number = held.number + 1 if held else 1
        document = tag("lease", _VERSION) | {"owner": owner.to_json(), "seconds": self.lease_seconds}
        if not self._store.create(f"{folder}/{number}", to_bytes(document)):
            return None
        others = [other for other in _numbers(self._store, folder).values() if other.number != number]
        if any(other.stamp not in (held.seen if held else ()) for other in others):
            # While this process slept between looking and creating, others took it and let it go, or the holder came
            # back to life.  Whoever else finds the same steps back too, and both look again.
            self._store.delete([f"{folder}/{number}"])
            return None
        self._store.delete(f"{folder}/{other.number}{suffix}" for other in others for suffix in ("", ".beat"))
        return Lease(self._store, folder, number, owner, lease_seconds=self.lease_seconds)

    def _busy(self, held: Held) -> Busy | None:
        if held.owner is None:
            return None
        expires_in = held.expires_in(self._store.now())
        return None if expires_in <= 0 else Busy(owner=held.owner, since=held.since, expires_in=expires_in)

    def _warn_once(self) -> None:
        if self._store.url not in _warned:
            _warned.add(self._store.url)
            log.warning(
                "%s cannot create an object only if it is absent, so there are no leases here: equal steps that start "
                "at the same time all execute, and the first result recorded counts.",
                self._store.url,
            )


def find(store: ObjectStore, folder: str) -> Held | None:
    """The lease that counts among those in a folder, whether it has run out or not; ``None`` when there is none.

    :raises WorkspaceVersionError: when a newer version wrote it.
    """
    for _ in range(_TURNS):
        numbers = _numbers(store, folder)
        if not numbers:
            return None
        held = replace(numbers[max(numbers)], seen=frozenset(lease.stamp for lease in numbers.values()))
        try:
            owner, seconds = _decode(store.get(f"{folder}/{held.number}"), folder)
        except ObjectNotFoundError:
            continue  # released, or taken over, since the LIST
        except CorruptedError as error:
            log.warning("%s It counts as run out.", error)
            return held
        return replace(held, owner=owner, lease_seconds=seconds)
    return None


def _numbers(store: ObjectStore, folder: str) -> Mapping[int, Held]:
    """The leases that are there.  A heartbeat without its lease is what a killed release leaves: it counts not."""
    leases: dict[int, ObjectInfo] = {}
    beats: dict[int, float] = {}
    for info in store.list(folder):
        match = _NUMBER.match(info.key.rpartition("/")[2])
        if match is None:
            continue
        if match[2]:
            beats[int(match[1])] = info.modified
        else:
            leases[int(match[1])] = info
    return {
        number: Held(number=number, since=info.modified, beat=max(info.modified, beats.get(number, 0.0)))
        for number, info in leases.items()
    }


def _same_instance(one: Producer | None, other: Producer) -> bool:
    return one is not None and replace(one, try_number=other.try_number) == other


def _decode(data: bytes, where: str) -> tuple[Producer, float]:
    members: Mapping[str, Any] = parse(data, "lease", _VERSION, where=where)
    try:
        return Producer.from_json(members["owner"]), float(members["seconds"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptedError(f"members are missing ({error})", where=where) from error
