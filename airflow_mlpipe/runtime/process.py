"""Run: one program in a session of its own, watched from start to end.

Guarantees, for whatever the program does: its output reaches ``on_line`` as it appears; it ends when its time or its
memory is used up, when it is cancelled, or when the worker dies; and when :meth:`Process.run` returns or raises,
nothing that the program started is alive (see ``launch.py``).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.errors import ConfigurationError, ProgramFailedError
from airflow_mlpipe.runtime.lines import Lines
from airflow_mlpipe.runtime.memory import MemoryWatch, kernel_kills
from airflow_mlpipe.runtime.verdict import Ended, Stop, check

TAIL = 40
"""How many of the program's last lines an error carries."""

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_PIECE = 64 * 1024
_ROUND = 0.2  # seconds between looks at the clock while the program is silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run.

    :param argv: program and arguments; never a shell's string.
    :param environment: the whole environment.
    :param timeout: seconds it may run; ``None``: no limit. :param grace: seconds between SIGTERM and SIGKILL.
    :param memory_limit: bytes it and its descendants may use together; ``None``: no limit.
    :param where: for messages: which step this is.
    """

    argv: tuple[str, ...]
    cwd: Path
    environment: Mapping[str, str]
    timeout: float | None = None
    grace: float = 10.0
    memory_limit: int | None = None
    where: str = "program"


class Process:
    """One execution of a :class:`Program`."""

    def __init__(self, program: Program, on_line: Callable[[str], object]) -> None:
        self._program = program
        self._on_line = on_line
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._cancelled, self._cancel = os.pipe()
        os.set_blocking(self._cancel, False)
        self._stop: Stop | None = None
        self._kill_at: float | None = None

    def cancel(self) -> None:
        """End the program; :meth:`run` raises ``StepCancelledError``.

        Takes no lock and does not wait, so it may be called from another thread and from a signal handler, before,
        during or after the run.
        """
        with contextlib.suppress(OSError):  # a full pipe, or a run that is over: nothing is left to say
            os.write(self._cancel, b"c")

    def __del__(self) -> None:
        _close(self._cancelled, self._cancel)  # not earlier: cancel() would write to whoever got the number next

    def run(self) -> Ended:
        """Run to the end.

        :returns: exit code 0, seconds, peak memory.
        :raises ProgramFailedError: and its kinds: see :func:`~airflow_mlpipe.runtime.verdict.check`.
        :raises ConfigurationError: when this Python cannot start a process.
        """
        kills = kernel_kills()
        output, output_end = os.pipe()
        control_end, control = os.pipe()
        status, status_end = os.pipe()
        started = time.monotonic()
        try:
            try:
                launcher = self._launch(output_end, control_end, status_end)
            finally:
                _close(output_end, control_end, status_end)
            try:
                watch = MemoryWatch(launcher.pid, self._program.memory_limit)
                report = self._follow(output, control, status, watch, started)
            except BaseException:  # on_line failed, or a signal handler raised: the program must not stay
                self._abandon(output, control, status)
                raise
            finally:
                launcher.wait()
        finally:
            _close(output, control, status)
        seconds = time.monotonic() - started
        ended = Ended.parse(report, self._stop, seconds, watch.peak, tuple(self._tail), kernel_kills() > kills)
        check(ended, self._program.where, self._program.argv[0], self._program.timeout, self._program.memory_limit)
        if ended.left_behind:
            self._on_line(f"{ended.left_behind} process(es) that the program left behind were ended")
        return ended

    def _launch(self, output: int, control: int, status: int) -> subprocess.Popen[bytes]:
        if not sys.executable:
            raise ConfigurationError("this Python does not know its own executable", where=self._program.where)
        launcher = [sys.executable, "-I", "-S", _LAUNCH, str(control), str(status), str(os.getpid())]
        try:
            return subprocess.Popen(
                [*launcher, str(self._program.grace), "--", *self._program.argv],
                cwd=self._program.cwd,
                env=dict(self._program.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(control, status),
                start_new_session=True,
            )
        except OSError as error:
            raise ProgramFailedError(
                f"the program could not be started ({error.strerror})",
                exit_code=126,
                where=self._program.where,
                given=self._program.argv[0],
                fix="an argument or variable may have at most 128 KiB: write long values to a file"
                if error.errno == 7
                else "see whether the worker may start processes",
            ) from error

    def _follow(self, output: int, control: int, status: int, watch: MemoryWatch, started: float) -> str:
        """Read output and status until both are told; returns the launcher's report."""
        lines = Lines(self._line, time.monotonic)
        with selectors.DefaultSelector() as selector:
            for fd in (output, status, self._cancelled):
                selector.register(fd, selectors.EVENT_READ)
            report = None
            while report is None:
                ready = {key.fd for key, _ in selector.select(_ROUND)}
                if output in ready and not self._read(output, lines):
                    selector.unregister(output)  # the program closed it and runs on
                if status in ready:  # after the last byte of output was written
                    report = os.read(status, 100).decode()
                if self._cancelled in ready:
                    selector.unregister(self._cancelled)
                    self._end(control, "cancelled")
                self._limits(control, watch, started)
                lines.tick()
        os.set_blocking(output, False)
        with contextlib.suppress(BlockingIOError):  # whoever still holds the pipe writes for nobody
            while self._read(output, lines):
                pass
        lines.close()
        if not report:  # somebody killed the launcher: the kernel ended the program, this ends what it had started
            watch.end_all()
        return report

    def _abandon(self, output: int, control: int, status: int) -> None:
        """End the program without telling its output: SIGTERM, a grace time, SIGKILL."""
        self._order(control, b"t")
        deadline = time.monotonic() + self._program.grace
        with selectors.DefaultSelector() as selector:
            for fd in (output, status):
                selector.register(fd, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                ready = {key.fd for key, _ in selector.select(left)}
                if status in ready:
                    return
                if output in ready and not os.read(output, _PIECE):  # a full pipe would keep it from ending
                    selector.unregister(output)
        self._order(control, b"k")

    def _read(self, output: int, lines: Lines) -> bool:
        """Take what is there; ``False`` at the end.  Only called when something is there, or all was written."""
        data = os.read(output, _PIECE)
        lines.feed(data)
        return bool(data)

    def _line(self, line: str) -> None:
        self._tail.append(line)
        self._on_line(line)

    def _limits(self, control: int, watch: MemoryWatch, started: float) -> None:
        now = time.monotonic()
        if watch.sample(now) and self._stop is None:
            self._end(control, "memory")
        if self._program.timeout is not None and now - started >= self._program.timeout and self._stop is None:
            self._end(control, "timeout")
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._order(control, b"k")

    def _end(self, control: int, why: Stop) -> None:
        """SIGTERM and a grace time; SIGKILL at once for memory, because a grace time is what the host has not."""
        self._stop = self._stop or why
        if why == "memory":
            self._order(control, b"k")
        else:
            self._order(control, b"t")
            self._kill_at = self._kill_at or time.monotonic() + self._program.grace

    def _order(self, control: int, order: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # it ended by itself just now
            os.write(control, order)


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)
