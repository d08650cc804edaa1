"""The reuse records: fingerprint -> the outputs of the execution that produced them.

A record is the last thing that an execution writes, and it is written in one piece, only if there is none: it exists
exactly when its outputs are complete, and of any number of executions that race the first one's result is everybody's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from airflow_mlpipe.errors import CorruptedError, StoreError
from airflow_mlpipe.model.documents import parse, to_bytes
from airflow_mlpipe.model.records import ReuseRecord
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import RECORDS, record_key, usage_key
from airflow_mlpipe.store.reading import read, read_all

log = logging.getLogger(__name__)

# Each turn means that a record vanished between two requests; more than a few is no coincidence.
_TURNS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of a result.

    :param record: the record that counts from now on; hand *its* outputs to consumers.
    :param won: whether it is the one that was offered.
    """

    record: ReuseRecord
    won: bool


class Records:
    """The reuse records of a workspace."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def get(self, fingerprint: str) -> ReuseRecord | None:
        """The record of a fingerprint: one GET.

        A document that cannot be read is moved to ``quarantine/`` and counts as a miss.

        :raises WorkspaceVersionError: when a newer version wrote it.
        """

        def decode_this(data: bytes, where: str) -> ReuseRecord:
            record = decode(data, where)
            if record.fingerprint != fingerprint:
                raise CorruptedError("the record of another fingerprint", where=where, given=record.fingerprint)
            return record

        return read(self._store, record_key(fingerprint), decode_this)

    def publish(self, record: ReuseRecord, *, replace: bool = False) -> Published:
        """Make a result the one that everybody reuses.  Its outputs must be complete and in the store already.

        Without ``replace`` the first of any number of callers wins, and the others get its record.  When their outputs
        differ from the winner's, the step is not deterministic: the record that counts is marked so.

        :param replace: put this record in the place of the one there is: a refresh, or outputs that were lost.
        """
        return self._replace(record) if replace else self._create(record)

    def _create(self, record: ReuseRecord) -> Published:
        key = record_key(record.fingerprint)
        for _ in range(_TURNS):
            if self._store.create(key, to_bytes(record.to_json())):
                return Published(record=record, won=True)
            winner = self.get(record.fingerprint)
            if winner is not None:
                return Published(record=self._compare(winner, record), won=False)
        raise StoreError(
            "the record vanishes each time it is looked at",
            where=self._store.uri(key),
            fix="look for a program that deletes objects of the workspace",
        )

    def _compare(self, winner: ReuseRecord, record: ReuseRecord) -> ReuseRecord:
        if winner.nondeterministic or _identities(winner) == _identities(record):
            return winner
        marked = replace(winner, nondeterministic=True)
        log.warning(
            "%s: two executions of one fingerprint gave different outputs (%s). The first one's stay.",
            record.producer,
            ", ".join(sorted(_differing(winner, record))),
        )
        self._store.put(record_key(winner.fingerprint), to_bytes(marked.to_json()))
        return marked

    def _replace(self, record: ReuseRecord) -> Published:
        old = self.get(record.fingerprint)
        if old is not None and (old.nondeterministic or _identities(old) != _identities(record)):
            record = replace(record, nondeterministic=True)
        self._store.put(record_key(record.fingerprint), to_bytes(record.to_json()))
        return Published(record=record, won=True)

    def forget(self, fingerprint: str) -> bool:
        """Remove a record, so that the step executes next time; ``False`` when there was none.

        Its outputs stay as long as a remembered run refers to them.
        """
        key = record_key(fingerprint)
        there = self._store.head(key) is not None
        self._store.delete([key, usage_key(fingerprint)])
        return there

    def list(self) -> Iterator[ReuseRecord]:
        """All records, in no particular order.  :raises WorkspaceVersionError: when a newer version wrote one."""
        return read_all(self._store, RECORDS, decode)

    def age(self, fingerprint: str) -> float | None:
        """Seconds since the record was written, by the *store's* clock; ``None`` when there is none.

        A worker whose own clock is wrong gets the right answer.
        """
        info = self._store.head(record_key(fingerprint))
        return None if info is None else max(0.0, self._store.now() - info.modified)


def decode(data: bytes, where: str) -> ReuseRecord:
    """A record from its bytes.

    :raises CorruptedError: when they are none. :raises WorkspaceVersionError: when a newer version wrote them.
    """
    return ReuseRecord.from_json(parse(data, "record", 1, where=where), where=where)


def _identities(record: ReuseRecord) -> dict[str, str]:
    """What consumers' fingerprints would contain; parts declared volatile do not make a step nondeterministic."""
    return {output.name: output.identity for output in record.outputs}


def _differing(one: ReuseRecord, other: ReuseRecord) -> set[str]:
    return {name for name, _ in _identities(one).items() ^ _identities(other).items()}
