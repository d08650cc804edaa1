"""Run: how much memory a program and all that it started use, and whether the kernel ended processes for it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

INTERVAL = 0.2
"""Seconds between two samples."""

SHARE = 50
"""Sampling may take one part in this many of the time (on a host with very many processes samples are rarer)."""


class MemoryWatch:
    """Samples the memory of all descendants of a process.

    :param root: process id whose descendants are watched; itself does not count.
    :param limit: bytes, or ``None``.
    :ivar peak: the most that was seen, in bytes.
    """

    def __init__(self, root: int, limit: int | None) -> None:
        self._root = psutil.Process(root)
        self._limit = limit
        self._due = 0.0
        self._seen: list[psutil.Process] = []
        self.peak = 0

    def due_in(self, now: float) -> float:
        """Seconds until the next sample."""
        return max(0.0, self._due - now)

    def sample(self, now: float) -> bool:
        """Take a sample if it is time; ``True`` when the limit is passed.

        Resident sizes count memory twice that forked processes share, so the limit is judged by proportional sizes,
        which cost more to read and are read only when the resident sizes pass it.
        """
        if now < self._due:
            return False
        begin = time.thread_time()
        try:
            processes = self._root.children(recursive=True)
        except psutil.NoSuchProcess:
            processes = []
        self._seen = processes or self._seen
        used = sum(_resident(p) for p in processes)
        if self._limit is not None and used > self._limit and len(processes) > 1:
            used = sum(_proportional(p) for p in processes)
        self._due = now + max(INTERVAL, SHARE * (time.thread_time() - begin))
        self.peak = max(self.peak, used)
        return self._limit is not None and used > self._limit

    def end_all(self) -> None:
        """SIGKILL to the processes of the last sample that still run."""
        for process in self._seen:
            with contextlib.suppress(psutil.Error):  # psutil compares start times: a reused number is not killed
                process.kill()


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0  # it ended meanwhile


def _proportional(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.uss))
    except psutil.Error:
        return _resident(process)


def kernel_kills() -> int:
    """How many processes the kernel has ended for memory so far, here: a counter that only grows.

    Here is the control group that the worker and the program share: its counter has every member that the kernel ended,
    whoever was short of memory (kernel documentation: cgroup-v2 ``memory.events``, cgroup-v1 ``memory.oom_control``).
    Only where the group has none the machine's counts, ``/proc/vmstat``, which other people's containers move, too.
    """
    try:
        own = Path("/proc/self/cgroup").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    counters = [count for place in dict.fromkeys(_places(own)) if (count := _counter(place)) is not None]
    return sum(counters) if counters else _counter(Path("/proc/vmstat")) or 0


def _places(own: str) -> Iterator[Path]:
    """Files of the group's counters, as seen in a container and from the host."""
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield Path("/sys/fs/cgroup/memory.events")
            yield Path(f"/sys/fs/cgroup{path}/memory.events")
        elif "memory" in controllers.split(","):
            yield Path("/sys/fs/cgroup/memory/memory.oom_control")
            yield Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control")


def _counter(place: Path) -> int | None:
    try:
        found = re.search(r"^oom_kill (\d+)", place.read_text(encoding="ascii", errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None
