"""How fast, and whether at all: what every byte of a transfer passes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from airflow_mlpipe.errors import TransferCancelledError


class Pace:
    """The limits of one transfer, and its end.  Thread-safe.

    :param bandwidth: bytes per second of all files together; ``None``: no limit.
    :param clock: seconds, that only grow.
    """

    def __init__(self, bandwidth: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bandwidth = bandwidth
        self._clock = clock
        self._free = 0.0
        self._lock = threading.Lock()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """End the transfer: whoever passes next gets an error."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was ended."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """:raises TransferCancelledError: when it was ended."""
        if self._cancelled.is_set():
            raise TransferCancelledError("the transfer was cancelled", fix="run the task again: it goes on from here")

    def spend(self, size: int) -> None:
        """Wait until so many bytes may pass.  :raises TransferCancelledError: when it was ended."""
        self.check()
        if self._bandwidth is None or not size:
            return
        with self._lock:
            now = self._clock()
            # What was not used is not saved up: a rate is a promise to whoever shares the line.
            begin = max(self._free, now)
            self._free = begin + size / self._bandwidth
            wait = self._free - now
        if self._cancelled.wait(wait):
            self.check()
