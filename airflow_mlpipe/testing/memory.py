"""An object store in memory, with a clock that tests set: a real implementation, for tests that need no disk."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from airflow_mlpipe.errors import ObjectNotFoundError
from airflow_mlpipe.store.base import ObjectInfo, Tap, check_key


class Clock:
    """A clock that moves when it is told to.  :param time: seconds since the epoch."""

    def __init__(self, time: float = 1_700_000_000.0) -> None:
        self.time = time

    def __call__(self) -> float:
        """The time now."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Move forward."""
        self.time += seconds


class MemoryObjectStore:
    """Objects in a dict: see :class:`~airflow_mlpipe.store.base.ObjectStore`.

    :param clock: the store's clock. :param exclusive: whether it claims to create exclusively.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.time, exclusive: bool = True, url: str = "memory://store"
    ) -> None:
        self.url = url
        self.server: object = None
        self._clock = clock
        self._exclusive = exclusive
        self._objects: dict[str, tuple[bytes, float, int]] = {}
        self._writes = 0
        self._lock = threading.RLock()

    @property
    def creates_exclusively(self) -> bool:
        """As it was told."""
        return self._exclusive

    def get(self, key: str) -> bytes:
        """See :meth:`ObjectStore.get`."""
        try:
            return self._objects[check_key(key)][0]
        except KeyError:
            raise ObjectNotFoundError("there is no such object", where=self.url, given=key) from None

    def put(self, key: str, data: bytes) -> None:
        """See :meth:`ObjectStore.put`."""
        with self._lock:
            self._writes += 1
            self._objects[check_key(key)] = (bytes(data), self._clock(), self._writes)

    def create(self, key: str, data: bytes) -> bool:
        """See :meth:`ObjectStore.create`."""
        with self._lock:
            if check_key(key) in self._objects:
                return False
            self.put(key, data)
            return True

    def head(self, key: str) -> ObjectInfo | None:
        """See :meth:`ObjectStore.head`."""
        entry = self._objects.get(check_key(key))
        return None if entry is None else ObjectInfo(key=key, size=len(entry[0]), modified=entry[1], etag=str(entry[2]))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list`."""
        start = f"{prefix.rstrip('/')}/" if prefix else ""
        for key in tuple(self._objects):
            if key.startswith(start) and (info := self.head(key)) is not None:
                yield info

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`."""
        for key in keys:
            self._objects.pop(check_key(key), None)

    def upload(self, path: Path, key: str, *, tap: Tap | None = None) -> None:
        """See :meth:`ObjectStore.upload`."""
        data = path.read_bytes()
        _show(data, tap)
        self.put(key, data)

    def download(self, key: str, path: Path, *, tap: Tap | None = None) -> None:
        """See :meth:`ObjectStore.download`."""
        data = self.get(key)
        _show(data, tap)
        with path.open("xb") as writer:
            writer.write(data)

    def copy(self, source: str, target: str) -> None:
        """See :meth:`ObjectStore.copy`."""
        check_key(target)
        self.put(target, self.get(source))

    def touch(self, key: str) -> bool:
        """See :meth:`ObjectStore.touch`."""
        with self._lock:
            entry = self._objects.get(check_key(key))
            if entry is None:
                return False
            self.put(key, entry[0])
            return True

    def now(self) -> float:
        """See :meth:`ObjectStore.now`."""
        return self._clock()

    def uri(self, key: str) -> str:
        """See :meth:`ObjectStore.uri`."""
        return f"{self.url}/{quote(check_key(key))}"


def _show(data: bytes, tap: Tap | None) -> None:
    if tap is not None:
        if data:
            tap(memoryview(data))
        tap(memoryview(b""))
