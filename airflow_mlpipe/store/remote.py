"""What every store behind a network has in common: RemoteStore.

A client (obstore, fsspec) supplies about ten plain requests; this class makes the port of them: keys are checked,
errors translated and retried, a create whose answer was lost recognises its own bytes, downloads go by parallel ranges
in bounded memory, exclusive creation is probed and not believed.
"""

from __future__ import annotations

import abc
import logging
import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from airflow_mlpipe.errors import ObjectNotFoundError
from airflow_mlpipe.store.base import TEMPORARY, ObjectInfo, Tap, check_key
from airflow_mlpipe.store.incoming import PART, Bytes, Incoming, ignore
from airflow_mlpipe.store.oserrors import os_errors
from airflow_mlpipe.store.outgoing import Outgoing, Relay, Sent, ahead
from airflow_mlpipe.store.retry import Guard

_log = logging.getLogger(__name__)

_CLOCK_SECONDS = 60.0


class RemoteStore(abc.ABC):
    """Base of the stores behind a network.  Thread-safe.

    :param url: of the root, without credentials. :param guard: translates and retries.
    :param exclusive: whether creates are known to be atomic; ``None``: find out.
    :param server: equal for stores whose objects can be copied into each other by the server.
    """

    def __init__(self, url: str, guard: Guard, *, exclusive: bool | None = None, server: object = None) -> None:
        self.url = url.rstrip("/")
        self.server = server
        self._guard = guard
        self._exclusive = exclusive
        self._lock = threading.RLock()
        self._uploads = threading.BoundedSemaphore(2)
        self._incoming = Incoming(guard, self._range, self._finish)
        self._clock: tuple[float, float] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    # The requests that a client supplies.  They raise the client's exceptions, FileNotFoundError for an absent object.

    @abc.abstractmethod
    def _get(self, key: str) -> bytes: ...

    @abc.abstractmethod
    def _put(self, key: str, data: bytes) -> None: ...

    @abc.abstractmethod
    def _put_new(self, key: str, data: bytes) -> None:
        """:raises FileExistsError: when the key is taken.  Sends one request, never retried below this class."""

    @abc.abstractmethod
    def _head(self, key: str) -> ObjectInfo: ...

    @abc.abstractmethod
    def _pages(self, prefix: str) -> Iterator[Sequence[ObjectInfo]]:
        """What is below a folder, and perhaps more, in pages.  Retried by the client."""

    @abc.abstractmethod
    def _delete(self, keys: Sequence[str]) -> None: ...

    @abc.abstractmethod
    def _upload(self, file: Sent, key: str) -> None:
        """A large file, streaming; nothing is visible unless it was read to its end.  Retried by the client."""

    @abc.abstractmethod
    def _begin(self, key: str) -> tuple[ObjectInfo, Bytes | Iterator[Bytes] | None]:
        """An object's facts and, if it has no more than :data:`PART` bytes, those; else, if there is one, a stream."""

    @abc.abstractmethod
    def _range(self, info: ObjectInfo, start: int, end: int) -> Bytes: ...

    @abc.abstractmethod
    def _copy(self, source: str, target: str) -> None: ...

    def _finish(self, info: ObjectInfo) -> None:
        """After the last range: whether they were all of one object, where ranges themselves cannot tell."""
        return

    # The port.

    @property
    def creates_exclusively(self) -> bool:
        """See :class:`ObjectStore`; finds out at the first use, and warns once when it is not so."""
        with self._lock:
            if self._exclusive is None:
                self._exclusive = self._probe()
                if not self._exclusive:
                    _log.warning(
                        "%s overwrites objects that should be created only if absent: two runs of one step at once may"
                        " both execute it (results stay right). Use a store with conditional writes to avoid that.",
                        self.url,
                    )
            return self._exclusive

    def _probe(self) -> bool:
        key = self._scratch()
        self._guard.run("probe", key, lambda: self._put(key, b"1"), writes=True)
        try:
            self._guard.run("probe", key, lambda: self._put_new(key, b"2"), writes=True)
        except FileExistsError:
            return True
        finally:
            self._remove([key])
        return False

    def get(self, key: str) -> bytes:
        """See :meth:`ObjectStore.get`."""
        check_key(key)
        return self._guard.run("get", key, lambda: self._get(key))

    def put(self, key: str, data: bytes) -> None:
        """See :meth:`ObjectStore.put`."""
        check_key(key)
        self._guard.run("put", key, lambda: self._put(key, data), writes=True)

    def create(self, key: str, data: bytes) -> bool:
        """See :meth:`ObjectStore.create`."""
        check_key(key)
        if not self.creates_exclusively:
            if self.head(key) is not None:
                return False
            self.put(key, data)
            return True
        unanswered = False

        def step() -> None:
            nonlocal unanswered
            try:
                self._put_new(key, data)
            except FileExistsError:
                raise
            except Exception:
                unanswered = True
                raise

        try:
            self._guard.run("create", key, step, writes=True)
        except FileExistsError:
            # A try before this one may have written the object and lost its answer.  What we create says who we are (a
            # lease its owner, a record its run), so the same bytes are our bytes.
            return unanswered and self._is(key, data)
        return True

    def _is(self, key: str, data: bytes) -> bool:
        try:
            return self.get(key) == data
        except ObjectNotFoundError:
            return False

    def head(self, key: str) -> ObjectInfo | None:
        """See :meth:`ObjectStore.head`."""
        check_key(key)
        try:
            return self._guard.run("head", key, lambda: self._head(key))
        except ObjectNotFoundError:
            return None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list`."""
        prefix = prefix.rstrip("/")
        if prefix:
            check_key(prefix)
        hidden, start = f"{TEMPORARY}/", f"{prefix}/" if prefix else ""
        yield from (i for i in self._all(prefix) if i.key.startswith(start) and not i.key.startswith(hidden))

    def _all(self, prefix: str) -> Iterator[ObjectInfo]:
        pages = self._guard.once("list", prefix, lambda: iter(self._pages(prefix)))
        while (page := self._guard.once("list", prefix, lambda: next(pages, None))) is not None:
            yield from page

    def leftovers(self, *, age: float = 0.0) -> Iterator[ObjectInfo]:
        """What clients that were killed left: scratch objects that are at least ``age`` seconds old."""
        now = self.now()
        for info in self._all(TEMPORARY):
            if info.key.startswith(f"{TEMPORARY}/") and now - info.modified >= age:
                yield info

    def discard(self, leftovers: Iterable[ObjectInfo]) -> None:
        """Remove leftovers.  Their names are never used again, so they cannot have changed."""
        self._remove([info.key for info in leftovers if info.key.startswith(f"{TEMPORARY}/")])

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`."""
        self._remove([check_key(key) for key in keys])

    def _remove(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), 1000):
            batch = keys[start : start + 1000]
            self._guard.run("delete", batch[0], partial(self._delete, batch))

    def copy(self, source: str, target: str) -> None:
        """See :meth:`ObjectStore.copy`."""
        check_key(source)
        check_key(target)
        self._guard.run("copy", source, lambda: self._copy(source, target))

    def touch(self, key: str) -> bool:
        """See :meth:`ObjectStore.touch`.

        Through a second object and back: S3 refuses to copy an object onto itself unless its metadata change.
        """
        check_key(key)
        scratch = self._scratch()
        try:
            self._guard.run("touch", key, lambda: self._copy(key, scratch))
        except ObjectNotFoundError:
            return False
        try:
            self._guard.run("touch", key, lambda: self._copy(scratch, key))
        finally:
            self._remove([scratch])
        return True

    def now(self) -> float:
        """See :meth:`ObjectStore.now`.  Asked for once a minute; in between the local monotonic clock counts."""
        with self._lock:
            if self._clock is None or time.monotonic() - self._clock[1] > _CLOCK_SECONDS:
                key = self._scratch()
                self._guard.run("put", key, lambda: self._put(key, b""), writes=True)
                then = time.monotonic()
                written = self._guard.run("head", key, lambda: self._head(key)).modified
                self._remove([key])
                self._clock = (written, then)
            written, then = self._clock
            return written + time.monotonic() - then

    def uri(self, key: str) -> str:
        """See :meth:`ObjectStore.uri`."""
        return f"{self.url}/{quote(check_key(key))}"

    def upload(self, path: Path, key: str, *, tap: Tap | None = None) -> None:
        """See :meth:`ObjectStore.upload`."""
        check_key(key)
        with Outgoing(path, tap) as file:
            self._send(file, key)

    def write(self, key: str, size: int, pieces: Iterable[Bytes]) -> None:
        """Write what comes in pieces, streaming, in bounded memory, atomically; overwrites.

        :param size: bytes in all. :param pieces: what they raise, also at their end, undoes it.
        :raises InputChangedError: when they are of another length.
        """
        self._send(Relay(size, pieces if size <= PART else ahead(pieces)), check_key(key))

    def open(self, key: str) -> tuple[ObjectInfo, Iterator[Bytes]]:
        """An object's facts, and its bytes in pieces, in bounded memory.

        :raises ObjectNotFoundError: when it is not there.
        """
        check_key(key)
        info, data = self._guard.run("download", key, lambda: self._begin(key))
        return info, self._incoming.pieces(info, data)

    def _send(self, file: Sent, key: str) -> None:
        if file.size <= PART:
            data = file.whole()
            self._guard.run("upload", key, lambda: self._put(key, data), writes=True)
            return
        with self._uploads:
            self._send_large(file, key)

    def _send_large(self, file: Sent, key: str) -> None:
        try:
            self._guard.once("upload", key, lambda: self._upload(file, key), writes=True)
        except Exception:
            # What the tap or the file raised comes back in the client's words; the original says more.
            if file.error is not None:
                raise file.error from None
            raise

    def download(self, key: str, path: Path, *, tap: Tap | None = None) -> None:
        """See :meth:`ObjectStore.download`."""
        check_key(key)
        info, data = self._guard.run("download", key, lambda: self._begin(key))
        with os_errors(self.url, "download", path), path.open("xb", buffering=0) as writer:
            try:
                self._incoming.receive(info, data, writer, tap or ignore)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def _scratch(self) -> str:
        return f"{TEMPORARY}/{secrets.token_hex(12)}"
