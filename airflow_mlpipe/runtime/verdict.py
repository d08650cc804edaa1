"""Verify: what the end of a program means, as an error that says it in words."""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass
from typing import Literal

from airflow_mlpipe.errors import (
    DoNotRetryError,
    OutOfMemoryError,
    ProgramFailedError,
    RetryMeError,
    StepCancelledError,
    TimedOutError,
)

Stop = Literal["cancelled", "timeout", "memory"]

RETRY_ME = os.EX_TEMPFAIL
"""75: "temporary failure, the user is invited to retry" (BSD sysexits.h)."""

DO_NOT_RETRY = os.EX_NOPERM
"""77 of the same list; here: a retry is of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended.

    :param exit_code: negative for death by that signal.
    :param start_error: errno when it could not be started. :param stop: why *we* ended it.
    :param seconds: wall time. :param peak_bytes: most memory seen, 0 if it ended before it was seen.
    :param tail: its last lines. :param left_behind: processes that outlived it and were ended.
    :param kernel_killed: the kernel ended some process for memory meanwhile.
    """

    exit_code: int
    start_error: int = 0
    stop: Stop | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    tail: tuple[str, ...] = ()
    left_behind: int = 0
    kernel_killed: bool = False

    @classmethod
    def parse(
        cls, report: str, stop: Stop | None, seconds: float, peak: int, tail: tuple[str, ...], kernel_killed: bool
    ) -> Ended:
        """Read the launcher's line.  None at all means that the launcher itself was killed, and its program with it."""
        what, number, left = report.split() if report else ("signal", str(int(signal.SIGKILL)), "0")
        return cls(
            exit_code={"exit": int(number), "signal": -int(number), "error": 127}[what],
            start_error=int(number) if what == "error" else 0,
            stop=stop,
            seconds=seconds,
            peak_bytes=peak,
            tail=tail,
            left_behind=int(left),
            kernel_killed=kernel_killed,
        )


def check(ended: Ended, where: str, program: str, timeout: float | None, memory_limit: int | None) -> None:
    """Return for exit code 0; raise what the end means otherwise.

    :raises StepCancelledError: it was cancelled. :raises TimedOutError: it ran past ``timeout``.
    :raises OutOfMemoryError: over ``memory_limit``, or killed by the kernel for memory.
    :raises RetryMeError: exit code 75. :raises DoNotRetryError: exit code 77. :raises ProgramFailedError: any other.
    """
    code, tail = ended.exit_code, ended.tail
    if ended.stop == "cancelled":
        raise StepCancelledError("the program was cancelled", where=where, exit_code=code, tail=tail)
    if ended.stop == "timeout":
        fix = "give it more time (timeout=), or less to do"
        raise TimedOutError(
            f"the program was ended after its {timeout:g} seconds", where=where, exit_code=code, tail=tail, fix=fix
        )
    if ended.stop == "memory" or (code == -signal.SIGKILL and ended.kernel_killed):
        raise _out_of_memory(ended, where, memory_limit)
    if ended.start_error:
        raise _not_started(ended, where, program)
    if code == RETRY_ME:
        raise RetryMeError("the program asks to be retried (exit code 75)", where=where, exit_code=code, tail=tail)
    if code == DO_NOT_RETRY:
        raise DoNotRetryError(
            "the program says that a retry is of no use (exit code 77)", where=where, exit_code=code, tail=tail
        )
    if code < 0:
        raise ProgramFailedError(_killed(ended), where=where, exit_code=code, tail=tail)
    if code:
        raise ProgramFailedError(f"the program ended with exit code {code}", where=where, exit_code=code, tail=tail)


def in_words(size: int) -> str:
    """Bytes for people: ``1.5 GiB``."""
    value = float(size)
    for unit in ("bytes", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} GiB"


def _out_of_memory(ended: Ended, where: str, limit: int | None) -> OutOfMemoryError:
    peak = ended.peak_bytes or None
    seen = f"it was seen to use {in_words(peak)}" if peak else "it ended before its memory was seen"
    if ended.stop == "memory" and limit is not None:
        what = f"the program was ended for its memory: {seen}, its limit is {in_words(limit)}"
        fix = "raise Resources(memory=...), or read the data in parts"
    else:
        what = f"the kernel killed the program for memory: {seen}, and the machine (or its container) had no more"
        fix = "set Resources(memory=...) to what it needs, run fewer tasks beside it, or take a larger machine"
    return OutOfMemoryError(
        what, where=where, fix=fix, exit_code=ended.exit_code, tail=ended.tail, peak_bytes=peak, limit_bytes=limit
    )


def _not_started(ended: Ended, where: str, program: str) -> ProgramFailedError:
    reasons = {
        errno.ENOENT: "there is no such program (or its #! line names none)",
        errno.EACCES: "it is not executable",
        errno.ENOEXEC: "it is neither a program nor a script with a #! line",
    }
    reason = reasons.get(ended.start_error, os.strerror(ended.start_error))
    fix = "name a program on the PATH, or one of the source folder with a #! line"
    return ProgramFailedError(
        f"the program could not be started: {reason}",
        where=where,
        given=program,
        fix=fix,
        exit_code=127,
        tail=ended.tail,
    )


def _killed(ended: Ended) -> str:
    number = -ended.exit_code
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "a real-time signal"
    outside = " from outside" if number in (signal.SIGKILL, signal.SIGTERM) else ""
    peak = f"; peak memory {in_words(ended.peak_bytes)}" if ended.peak_bytes else ""
    return f"the program was killed by {name} (signal {number}){outside}{peak}"
