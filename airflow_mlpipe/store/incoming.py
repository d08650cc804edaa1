"""An object on its way from a store behind a network into a local file, in bounded memory.

One stream first, which is all that a fast line needs and what costs a server least.  When it proves slow, or breaks
off, the rest is asked for in parts, several at once; what was written stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO

from airflow_mlpipe.errors import StoreUnavailableError
from airflow_mlpipe.store.base import ObjectInfo, Tap
from airflow_mlpipe.store.retry import Guard

_log = logging.getLogger(__name__)

PART = 8 << 20
"""Bytes of one request of a large transfer."""

PARTS = 16
"""Parts of all downloads of one store that are in memory at once: 128 MiB."""

_SLOW = 100 << 20
"""Bytes per second below which one stream is given up for several: what object stores give a single connection."""

_WAITED = 1.0
"""Seconds of waiting after which that is decided."""

Bytes = bytes | memoryview


class Incoming:
    """The downloads of one store.  Thread-safe.

    :param ask: requests a range, from and up to a position. :param finish: called after the last part: tells, where
        ranges themselves cannot, whether they were all of one object.
    """

    def __init__(
        self, guard: Guard, ask: Callable[[ObjectInfo, int, int], Bytes], finish: Callable[[ObjectInfo], None]
    ) -> None:
        self._guard = guard
        self._range = ask
        self._finish = finish
        self._slots = threading.BoundedSemaphore(PARTS)
        self._pool = ThreadPoolExecutor(PARTS, "mlpipe-download")

    def receive(self, info: ObjectInfo, data: Bytes | Iterator[Bytes] | None, writer: FileIO, tap: Tap) -> None:
        """Write an object.

        :param data: its bytes, a stream of them, or nothing yet.
        :raises StoreError: and its kinds.  What ``tap`` and ``writer`` raise passes through.
        """
        for part in self.pieces(info, data):
            _pass(part, writer, tap)
        tap(memoryview(b""))

    def pieces(self, info: ObjectInfo, data: Bytes | Iterator[Bytes] | None) -> Iterator[Bytes]:
        """An object's bytes in order, a few parts ahead of who takes them; errors as :meth:`receive`."""
        if isinstance(data, bytes | memoryview):
            yield data
            return
        position = 0
        for part in self._stream(info, data) if data is not None else ():
            yield part
            position += len(part)
        yield from self._parts(info, position)
        self._guard.run("download", info.key, lambda: self._finish(info))

    def _stream(self, info: ObjectInfo, stream: Iterator[Bytes]) -> Iterator[Bytes]:
        """An object's bytes by one request, until it breaks off or proves slow; parts then bring the rest."""
        began, waited, received = False, 0.0, 0
        while True:
            before = time.monotonic()
            try:
                part = self._guard.once("download", info.key, lambda: next(stream, None))
            except StoreUnavailableError as error:
                _log.info("%s The rest is asked for in parts.", error)
                return
            if part is None:
                return
            if began:  # how long a server thinks before the first byte says nothing about the line
                waited, received = waited + time.monotonic() - before, received + len(part)
            began = True
            yield part
            if waited > _WAITED and received < waited * _SLOW:
                return

    def _parts(self, info: ObjectInfo, position: int) -> Iterator[Bytes]:
        """An object's bytes from a position on, in order, a few parts ahead of the reader."""
        starts = deque(range(position, info.size, PART))
        waiting: deque[Future[Bytes]] = deque()

        def ask(start: int) -> Bytes:
            end = min(start + PART, info.size)
            return self._guard.run("download", info.key, lambda: self._range(info, start, end))

        try:
            while waiting or starts:
                # A download with nothing under way waits for a slot; one that has something takes what is free.
                while starts and len(waiting) < PARTS // 2 and self._slots.acquire(blocking=not waiting):
                    waiting.append(self._pool.submit(ask, starts.popleft()))
                yield waiting[0].result()
                waiting.popleft()
                self._slots.release()
        finally:
            for future in waiting:
                future.cancel()
                self._slots.release()


def _pass(data: Bytes, writer: FileIO, tap: Tap) -> None:
    view = memoryview(data)
    tap(view)
    while view:
        view = view[writer.write(view) :]


def ignore(_: memoryview) -> None:
    """The tap of a transfer that nobody watches."""
