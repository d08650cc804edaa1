"""A local file on its way into a store: read once, watched by a tap, refused when it changes meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from airflow_mlpipe.errors import InputChangedError
from airflow_mlpipe.store.base import Tap


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
