"""Run: the small parent that stands between a worker and a step's program.  Standard library only, no imports of ours.

The worker starts it as ``python -I -S launch.py CONTROL STATUS PARENT GRACE -- PROGRAM ...``.  It exists because three
promises cannot be kept from inside a worker with threads: that the program does not outlive a worker that was killed
(``PR_SET_PDEATHSIG`` and the end of the control pipe), that nothing which the program started lives on after it
(``PR_SET_CHILD_SUBREAPER``: whatever is orphaned below becomes a child of this process), and that no Python code runs
between ``fork`` and ``exec`` of a process with threads.

CONTROL is a pipe to read from: ``t`` asks the program to end (SIGTERM to its group), ``k`` ends it and all it started;
its end means that the worker is gone: ``t``, and ``k`` after GRACE seconds.  STATUS is a pipe to write one line to:
``exit CODE``, ``signal NUMBER`` or ``error ERRNO`` (the program could not be started), then how many processes were
left behind and were ended.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STUCK = 5.0  # seconds to wait for processes that SIGKILL does not end at once (uninterruptible I/O)


def main(arguments: list[str]) -> None:
    """Start the program, wait for it, end what it left behind, report."""
    control, status, parent, grace = int(arguments[0]), int(arguments[1]), int(arguments[2]), float(arguments[3])
    os.set_inheritable(control, False)
    os.set_inheritable(status, False)
    woken = _wake_on_signals()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before prctl: the signal will not come
        return
    started, report = os.pipe()
    child = os.fork()
    if child == 0:
        _become(arguments[5:], report)
    os.close(report)
    failed = os.read(started, 16)  # ends at exec: the pipe is close-on-exec
    code = _wait(child, control, woken, grace)
    left = _end_descendants()
    what = f"error {int(failed)}" if failed else f"exit {code}" if code >= 0 else f"signal {-code}"
    with contextlib.suppress(BrokenPipeError):
        os.write(status, f"{what} {left}\n".encode())


def _wake_on_signals() -> int:
    """Let SIGCHLD and SIGTERM (the worker died) wake ``select``; returns the pipe to watch."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return woken


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _become(program: list[str], report: int) -> None:
    """In the child: a session of its own, default signals, then the program.  Never returns."""
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(program[0], program)  # noqa: S606  (that there is no shell is the point)  # noqa: S606  (that there is no shell is the point)
    except OSError as error:
        os.write(report, str(error.errno).encode())
    finally:
        os._exit(127)


def _wait(child: int, control: int, woken: int, grace: float) -> int:
    """Serve orders until the child ended; its exit code, negative for a signal."""
    deadline: float | None = None
    watched = [control, woken]
    while (code := _reap(child)) is None:
        timeout = None if deadline is None else max(0.01, deadline - time.monotonic())
        ready = _ready(watched, timeout)
        if woken in ready and signal.SIGTERM in os.read(woken, 4096) and deadline is None:
            _signal_group(child, signal.SIGTERM)
            deadline = time.monotonic() + grace
        if control in ready:
            order = os.read(control, 1)
            _signal_group(child, signal.SIGKILL if order == b"k" else signal.SIGTERM)
            if not order:
                watched.remove(control)
                deadline = deadline or time.monotonic() + grace
        if deadline is not None and time.monotonic() >= deadline:
            _signal_group(child, signal.SIGKILL)
    _signal_group(child, signal.SIGKILL)
    return code


def _ready(watched: list[int], timeout: float | None) -> set[int]:
    """By ``poll``: a worker with many files open gives numbers that ``select`` does not take."""
    poll = select.poll()
    for fd in watched:
        poll.register(fd, select.POLLIN)
    return {fd for fd, _ in poll.poll(None if timeout is None else timeout * 1000)}


def _reap(child: int) -> int | None:
    """Collect every child that ended, orphans too; the program's exit code once it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
    return code


def _signal_group(child: int, number: int) -> None:
    for send in (os.killpg, os.kill):  # the group is not there before the child's setsid
        try:
            return send(child, number)
        except (ProcessLookupError, PermissionError):
            continue


def _end_descendants() -> int:
    """SIGKILL to whatever lives on below; every round orphans the next generation to this process."""
    ended: set[int] = set()
    deadline = time.monotonic() + STUCK
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if pid == 0:
            for orphan in _children():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(orphan, signal.SIGKILL)
                ended.add(orphan)
            select.select([], [], [], 0.002)
    return len(ended)


def _children() -> list[int]:
    """Processes whose parent this one is, from ``/proc`` (empty where there is none)."""
    found, own = [], str(os.getpid()).encode()
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:
                if stat.read().rpartition(b") ")[2].split()[1] == own:
                    found.append(int(name))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
