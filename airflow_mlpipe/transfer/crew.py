"""Many files at once: a few threads take one after the other, and the caller's thread looks after them meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from airflow_mlpipe.errors import TransferCancelledError
from airflow_mlpipe.transfer.pace import Pace

T = TypeVar("T")


def work_all(
    work: Callable[[T], object],
    items: Sequence[T],
    threads: int,
    pace: Pace,
    tick: Callable[[], object],
    every: float,
) -> None:
    """Apply ``work`` to all items; the first error ends it and is raised.

    :param tick: called by this thread every so many seconds. :param pace: is cancelled when anything ends the work,
        also what this thread is interrupted by (a time-out, a kill), so that no thread goes on behind its back.
    """
    crew = _Crew(work, items, pace)
    workers = [
        threading.Thread(target=crew.run, name=f"mlpipe-transfer-{n}", daemon=True)
        for n in range(min(threads, len(items)))
    ]
    try:
        for worker in workers:
            worker.start()
        while not crew.done.wait(every):
            tick()
    except BaseException:
        pace.cancel()
        raise
    finally:
        for worker in workers:
            if worker.ident is not None:
                worker.join()
    if crew.error is not None:
        raise crew.error


class _Crew:
    """What the threads share."""

    def __init__(self, work: Callable[[T], object], items: Sequence[T], pace: Pace) -> None:
        self._work, self._items, self._pace = work, iter(items), pace
        self._left = len(items)
        self._lock = threading.Lock()
        self.error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        """Take items until there is none, or somebody failed."""
        try:
            while not self.done.is_set():
                self._pace.check()
                with self._lock:
                    item = next(self._items, self)
                if item is self:
                    return
                self._work(item)  # type: ignore[arg-type]
                with self._lock:
                    self._left -= 1
                    if not self._left:
                        self.done.set()
        except BaseException as error:  # noqa: BLE001 - it is raised where the work was asked for
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            # An error ends all others as cancelled; it is the one to tell.
            if self.error is None or isinstance(self.error, TransferCancelledError):
                self.error = error
        self._pace.cancel()
        self.done.set()
