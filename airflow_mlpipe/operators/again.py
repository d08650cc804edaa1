"""Do again what the infrastructure failed, within one try: its trouble does not use up the author's retries."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from airflow_mlpipe.compute.base import Compute, Detachable, Recheck
from airflow_mlpipe.errors import ComputeError, StepCancelledError
from airflow_mlpipe.runtime.job import Job, JobResult

_T = TypeVar("_T")
_ROUND = 0.5  # seconds between looks whether the task was killed


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often what a compute failed is done again.

    :param retries: how often. :param delay: seconds before the first time, doubled each time.
    :param say: gets a line for the task's log.
    """

    retries: int
    delay: float
    say: Callable[[str], object]

    def call(self, what: Callable[[int], _T], *, where: str, cancelled: Callable[[], bool] = lambda: False) -> _T:
        """What ``what`` returns, which is told how often it was called before.

        :param cancelled: whether to stop. :raises ComputeError: the last one; any other error is passed on at once.
        """
        for number in range(self.retries + 1):
            try:
                return what(number)
            except ComputeError as error:
                if number == self.retries or cancelled():
                    raise
                seconds = self.delay * 2**number
                self.say(f"{error} Trying again in {seconds:g} s ({number + 1} of {self.retries}, within this try)")
                _wait(seconds, cancelled, where)
        raise AssertionError


def _wait(seconds: float, cancelled: Callable[[], bool], where: str) -> None:
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        if cancelled():
            raise StepCancelledError("the step was cancelled", where=where, exit_code=0)
        time.sleep(min(_ROUND, rest))


class Again:
    """Runs a job on a compute, several times if the compute fails."""

    def __init__(self, compute: Compute, patience: Patience) -> None:
        self._compute, self._patience = compute, patience
        self._cancelled = False

    def cancel(self) -> None:
        """End what runs, and run nothing more."""
        self._cancelled = True
        self._compute.cancel()

    def start(self, job: Job) -> str | None:
        """Start a program that goes on by itself; ``None`` where none can.  Errors as :meth:`run`."""
        if not isinstance(self._compute, Detachable) or job.same is None:
            return None
        detachable = self._compute

        def once(number: int) -> str:
            return detachable.start(_numbered(job, number), self._patience.say)

        return self._patience.call(once, where=job.step.label, cancelled=lambda: self._cancelled)

    def run(self, job: Job, recheck: Recheck) -> JobResult:
        """The result.  :raises ComputeError: the last one, when it failed each time."""

        def once(number: int) -> JobResult:
            return self._compute.run(_numbered(job, number), self._patience.say, recheck)

        return self._patience.call(once, where=job.step.label, cancelled=lambda: self._cancelled)


def _numbered(job: Job, number: int) -> Job:
    return replace(job, attempt=f"{job.attempt}-{number}") if number else job
