"""Limits, progress, and threads that end."""

from __future__ import annotations

import threading

import pytest

from airflow_mlpipe.errors import TransferCancelledError
from airflow_mlpipe.transfer.crew import work_all
from airflow_mlpipe.transfer.pace import Pace
from airflow_mlpipe.transfer.progress import Progress


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Waits(threading.Event):
    """An event that nobody sets; waiting for it takes no time and is counted."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.time += timeout or 0.0
        return self.is_set()


def test_bytes_pass_at_the_rate_that_was_said():
    """Ten times 50 bytes at 100 a second take five seconds."""
    clock = Clock()
    pace = Pace(100.0, clock=clock)
    pace._cancelled = Waits(clock)
    for _ in range(10):
        pace.spend(50)
    assert clock.time - 100.0 == pytest.approx(5.0)


def test_a_rate_that_was_not_used_is_not_saved_up():
    """After a pause nothing passes faster than the rate."""
    clock = Clock()
    pace = Pace(100.0, clock=clock)
    pace._cancelled = Waits(clock)
    pace.spend(50)
    clock.time += 60.0
    before = clock.time
    pace.spend(200)
    assert clock.time - before == pytest.approx(2.0)


def test_a_cancelled_transfer_lets_no_byte_pass_however_long_it_would_have_to_wait():
    """A wait of a day ends at once."""
    pace = Pace(1.0)
    threading.Timer(0.05, pace.cancel).start()
    with pytest.raises(TransferCancelledError):
        pace.spend(86_400)


def test_progress_tells_files_bytes_rate_and_what_is_left():
    """In one line."""
    clock = Clock()
    progress = Progress(10_000, 100 << 20, clock=clock)
    clock.time += 10
    progress.passed(25 << 20)
    progress.arrived()
    assert progress.line() == "1 of 10,000 files, 25.0 MiB of 100.0 MiB, 2.5 MiB/s, 30 s left"


def test_the_rate_is_that_of_the_last_seconds_and_not_of_all():
    """A transfer that stands still says so."""
    clock = Clock()
    progress = Progress(2, 100, clock=clock)
    progress.passed(50)
    for _ in range(8):
        clock.time += 10
        line = progress.line()
    assert line == "0 of 2 files, 50 B of 100 B, 0 B/s, no bytes pass at present"


def test_the_first_error_ends_all_workers_and_is_raised():
    """No item is begun after it."""
    began = []

    def work(item: int) -> None:
        began.append(item)
        if item == 3:
            raise ValueError("three")

    pace = Pace()
    with pytest.raises(ValueError, match="three"):
        work_all(work, range(1000), 1, pace, lambda: None, 0.01)
    assert began == [0, 1, 2, 3]
    assert pace.cancelled


def test_an_interrupt_of_the_caller_ends_the_workers():
    """A time-out that Airflow raises in the task's thread leaves no thread that goes on."""
    pace = Pace()

    def work(item: int) -> None:
        pace.spend(10)
        threading.Event().wait(0.005)

    def tick() -> None:
        raise TimeoutError("the task's time is over")

    with pytest.raises(TimeoutError):
        work_all(work, range(100_000), 4, pace, tick, 0.01)
    assert not [t for t in threading.enumerate() if t.name.startswith("mlpipe-transfer")]
