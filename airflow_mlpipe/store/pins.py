"""Results that are kept whatever their age: a model in production, a figure in a paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import PINS, pin_key
from airflow_mlpipe.store.reading import read, read_all

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A result that gc must keep.

    :param by: who wants it kept. :param why: for the next reader.
    """

    fingerprint: str
    by: str
    why: str = ""


class Pins:
    """The pins of a workspace."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def pin(self, fingerprint: str, by: str, why: str | None = None) -> Pin:
        """Keep a result until it is unpinned.  Pinning it again replaces who, and why if that is given.

        :param why: ``None`` keeps what an earlier pin says.
        :raises WorkspaceVersionError: when a newer version pinned it.
        """
        if why is None:
            why = earlier.why if (earlier := self.get(fingerprint)) is not None else ""
        pin = Pin(fingerprint=fingerprint, by=by, why=why)
        document = tag("pin", _VERSION) | {"fingerprint": fingerprint, "by": by, "why": why}
        self._store.put(pin_key(fingerprint), to_bytes(document))
        return pin

    def unpin(self, fingerprint: str) -> bool:
        """Let gc decide again; ``False`` when it was not pinned."""
        key = pin_key(fingerprint)
        there = self._store.head(key) is not None
        self._store.delete([key])
        return there

    def get(self, fingerprint: str) -> Pin | None:
        """The pin of a result.  :raises WorkspaceVersionError: when a newer version wrote it."""
        return read(self._store, pin_key(fingerprint), _decode)

    def list(self) -> Iterator[Pin]:
        """All pins, in no particular order.  :raises WorkspaceVersionError: when a newer version wrote one."""
        return read_all(self._store, PINS, _decode)


def _decode(data: bytes, where: str) -> Pin:
    members = parse(data, "pin", _VERSION, where=where)
    try:
        return Pin(fingerprint=members["fingerprint"], by=members["by"], why=members["why"])
    except KeyError as error:
        raise CorruptedError(f"members are missing ({error})", where=where) from error
