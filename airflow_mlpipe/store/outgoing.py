"""Bytes on their way into a store: a local file, read once, watched by a tap, refused when it changes meanwhile; or
pieces that come from another store.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol

from airflow_mlpipe.errors import InputChangedError
from airflow_mlpipe.store.base import Tap


class Sent(Protocol):
    """What a store is sent.  ``error`` keeps what its bytes raised: clients wrap or lose it."""

    size: int
    error: BaseException | None

    def whole(self) -> bytes:
        """All bytes at once."""
        ...

    def chunks(self, length: int) -> Iterator[bytes]:
        """The bytes in pieces of ``length``; the last one is given out when all is known to be right."""
        ...


class Outgoing:
    """A file that is being uploaded.  ``error`` keeps what the file or the tap raised: clients wrap or lose it.

    :raises OSError: when it cannot be opened.
    """

    def __init__(self, path: Path, tap: Tap | None) -> None:
        self._file = path.open("rb", buffering=0)
        self._path = path
        self._tap = tap
        self.size = os.fstat(self._file.fileno()).st_size
        self.error: BaseException | None = None

    def __enter__(self) -> Outgoing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def whole(self) -> bytes:
        """All bytes at once.

        :raises InputChangedError: when there are more or fewer than at the start.
        """
        return b"".join(self.chunks(self.size + 1))

    def chunks(self, length: int) -> Iterator[bytes]:
        """The bytes in pieces of ``length``.  The tap is told the end before the last piece is given out, so that its
        error keeps a client from completing the object.
        """
        seen, held = 0, b""
        try:
            while data := self._file.read(length):
                seen += len(data)
                if seen > self.size:
                    break
                if self._tap is not None:
                    self._tap(memoryview(data))
                if held:
                    yield held
                held = data
            if seen != self.size:
                raise InputChangedError("the file changed while it was uploaded", where=str(self._path))
            if self._tap is not None:
                self._tap(memoryview(b""))
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise
        if held:
            yield held


def ahead(pieces: Iterable[bytes | memoryview], depth: int = 2) -> Iterator[bytes | memoryview]:
    """The same pieces, asked for by a thread of their own, a few before they are wanted.

    So one store is read while the other is written to; and obstore, which takes pieces from within its runtime, is not
    called again in there, which it answers with a panic.
    """
    waiting: queue.Queue[tuple[bytes | memoryview | None, BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def put(piece: bytes | memoryview | None, error: BaseException | None = None) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put((piece, error), timeout=0.1)
                return True
        return False

    def take() -> None:
        try:
            if all(put(piece) for piece in pieces):
                put(None)
        except BaseException as error:  # noqa: BLE001 - it is raised where the piece was wanted
            put(None, error)

    thread = threading.Thread(target=take, name="mlpipe-ahead", daemon=True)
    thread.start()
    try:
        while True:
            piece, error = waiting.get()
            if error is not None:
                raise error
            if piece is None:
                return
            yield piece
    finally:
        stop.set()
        thread.join()


class Relay:
    """Pieces of a known length in all, which nobody holds as a whole.

    :param size: bytes. :param pieces: in order, of any length; what they raise, also at their end, undoes the transfer.
    """

    def __init__(self, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        self.size = size
        self.error: BaseException | None = None
        self._pieces = pieces

    def whole(self) -> bytes:
        """All bytes at once.  :raises InputChangedError: when there are more or fewer than was said."""
        return b"".join(self.chunks(max(self.size, 1)))

    def chunks(self, length: int) -> Iterator[bytes]:
        """The bytes in pieces of ``length``; the last one only once the source has come to its end."""
        held = bytearray()
        seen = 0
        try:
            for piece in self._pieces:
                seen += len(piece)
                if seen > self.size:
                    break
                held += piece
                while len(held) > length:
                    yield bytes(memoryview(held)[:length])
                    del held[:length]
            if seen != self.size:
                raise InputChangedError("the object changed while it was read", given=f"{seen} of {self.size} bytes")
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise
        if held:
            yield bytes(held)
