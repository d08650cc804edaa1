"""How far a transfer is, in one line: files, bytes, rate and the time that is left."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_WINDOW = 20.0
"""Seconds that a rate is the mean of."""


class Progress:
    """Counts what passes.  Thread-safe.

    :param files: to send in all. :param size: bytes to send in all.
    :param clock: seconds, that only grow.
    """

    def __init__(self, files: int, size: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._files, self._size, self._clock = files, size, clock
        self._lock = threading.Lock()
        self._done_files = self._done = 0
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])

    def passed(self, size: int) -> None:
        """Bytes passed; a negative number takes back those of a file that is begun anew."""
        with self._lock:
            self._done += size

    def arrived(self) -> None:
        """A file is there and verified."""
        with self._lock:
            self._done_files += 1

    def line(self) -> str:
        """``12 of 10,000 files, 1.2 of 976.6 MiB, 45.2 MiB/s, 19 s left``."""
        with self._lock:
            now, done, files = self._clock(), self._done, self._done_files
            self._seen.append((now, done))
            while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW:
                self._seen.popleft()
            then, before = self._seen[0]
        rate = (done - before) / (now - then) if now > then else 0.0
        left = f"{span((self._size - done) / rate)} left" if rate > 0 else "no bytes pass at present"
        return f"{files:,} of {self._files:,} files, {size(done)} of {size(self._size)}, {size(rate)}/s, {left}"


def size(number: float) -> str:
    """``976.6 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(number) < 1024:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


def span(seconds: float) -> str:
    """``19 s``, ``12 min``, ``3.5 h``."""
    seconds = max(seconds, 0.0)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def files(number: int) -> str:
    """``1 file``, ``10,000 files``."""
    return f"{number:,} file{'' if number == 1 else 's'}"
