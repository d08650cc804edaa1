"""One program, watched from start to end: every promise on a real process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from airflow_mlpipe.errors import (
    DoNotRetryError,
    OutOfMemoryError,
    ProgramFailedError,
    RetryMeError,
    StepCancelledError,
    Terminal,
    TimedOutError,
    Transient,
)
from airflow_mlpipe.runtime import process
from airflow_mlpipe.runtime.process import Process, Program
from airflow_mlpipe.runtime.verdict import Ended, check

MIB = 2**20


def python(code: str, tmp_path: Path, **options: object) -> Program:
    """A program that runs ``code`` in this test's Python."""
    environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", "SECRET_OF_TEST": "1"}
    values = {"cwd": tmp_path, "environment": environment, "where": "demo/prepare", "grace": 5.0} | options
    return Program(argv=(sys.executable, "-c", code), **values)  # type: ignore[arg-type]


def run(program: Program) -> tuple[Ended, list[str]]:
    """Run it and collect its lines."""
    lines: list[str] = []
    return Process(program, lines.append).run(), lines


def poll(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until a condition holds."""
    waiting = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        waiting.wait(0.02)
    raise AssertionError("it did not happen")


def gone(pid: int) -> bool:
    """Whether a process is dead (a zombie is)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_output_and_errors_arrive_in_order(tmp_path: Path) -> None:
    """Standard output and standard error are one stream."""
    code = "import sys\nfor i in range(3): print('out', i); print('err', i, file=sys.stderr)"
    assert run(python(code, tmp_path))[1] == ["out 0", "err 0", "out 1", "err 1", "out 2", "err 2"]


def test_lines_are_delivered_as_they_appear(tmp_path: Path) -> None:
    """The program waits for an answer to its first line: a runner that held lines back would never end."""
    seen: list[str] = []

    def on_line(line: str) -> None:
        seen.append(line)
        (tmp_path / "answer").touch()

    code = "import os\nprint('first')\nwhile not os.path.exists('answer'): pass\nprint('second')"
    Process(python(code, tmp_path, timeout=60), on_line).run()
    assert seen == ["first", "second"]


def test_a_lot_of_output_is_complete(tmp_path: Path) -> None:
    """Nothing is lost between a program that ends at once and its last bytes."""
    _, lines = run(python("print('y\\n' * 200000, end='')", tmp_path))
    assert len(lines) == 200000
    assert lines[-1] == "y"


def test_standard_input_is_empty(tmp_path: Path) -> None:
    """A program that asks a question gets the end of input, not a wait."""
    assert run(python("import sys; print(repr(sys.stdin.read()))", tmp_path))[1] == ["''"]


def test_the_program_has_a_session_of_its_own(tmp_path: Path) -> None:
    """It leads its session and its group."""
    code = "import os; print(os.getsid(0) == os.getpid() == os.getpgid(0), os.getsid(0) == os.getsid(os.getppid()))"
    assert run(python(code, tmp_path))[1] == ["True False"]


def test_the_environment_is_exactly_the_given_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the worker's, and nothing that the runner needed itself."""
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "mysql://root:pw@host")
    program = Program(argv=("/usr/bin/env",), cwd=tmp_path, environment={"A": "1", "LC_ALL": "C.UTF-8"})
    assert sorted(run(program)[1]) == ["A=1", "LC_ALL=C.UTF-8"]


def test_no_file_of_the_worker_is_open_in_the_program(tmp_path: Path) -> None:
    """Only standard input, output and error."""
    code = "import os; print(*sorted(os.listdir('/proc/self/fd')))"
    assert run(python(code, tmp_path))[1] == ["0 1 2 3"]  # the fourth is the listing's own


def test_signals_have_their_default_meaning(tmp_path: Path) -> None:
    """A program that writes to a closed pipe dies of SIGPIPE, as in a shell."""
    argv = ("/bin/sh", "-c", "yes | head -n 1; grep SigIgn /proc/self/status")
    _, lines = run(Program(argv=argv, cwd=tmp_path, environment={"PATH": os.environ["PATH"]}))
    assert lines[0] == "y"
    # Signals 32 and 33 are glibc's own: nobody may set them, and GNU make hands them down ignored.
    ignored = int(lines[-1].removeprefix("SigIgn:"), 16) & ~(0b11 << 31)
    assert ignored == 0


@pytest.mark.parametrize(
    ("code", "kind"), [(75, RetryMeError), (77, DoNotRetryError), (1, ProgramFailedError), (255, ProgramFailedError)]
)
def test_exit_codes_have_meanings(code: int, kind: type[ProgramFailedError], tmp_path: Path) -> None:
    """75 asks for a retry, 77 refuses one, any other is just a failure; each error carries code and last lines."""
    with pytest.raises(kind) as caught:
        run(python(f"print('before'); raise SystemExit({code})", tmp_path))
    assert type(caught.value) is kind
    assert caught.value.exit_code == code
    assert caught.value.tail == ("before",)
    assert str(caught.value).startswith("demo/prepare: ")
    assert isinstance(caught.value, Transient) == (code == 75)
    assert isinstance(caught.value, Terminal) == (code == 77)


def test_an_error_carries_the_last_lines_only(tmp_path: Path) -> None:
    """The traceback is at the end, so the end is what is kept."""
    with pytest.raises(ProgramFailedError, match="exit code 1") as caught:
        run(python("print('\\n'.join(map(str, range(500)))); 1/0", tmp_path))
    assert len(caught.value.tail) == process.TAIL
    assert caught.value.tail[-1] == "ZeroDivisionError: division by zero"
    assert "ZeroDivisionError" in str(caught.value)


def test_a_program_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    """No traceback of ours, no bare 127."""
    with pytest.raises(ProgramFailedError, match="there is no such program") as caught:
        run(Program(argv=("no-such-program",), cwd=tmp_path, environment={"PATH": "/usr/bin"}))
    assert caught.value.exit_code == 127


def test_a_file_that_is_not_executable_is_told_in_words(tmp_path: Path) -> None:
    """The reason is the mode."""
    (tmp_path / "script").write_text("echo hi")
    with pytest.raises(ProgramFailedError, match="not executable"):
        run(Program(argv=("./script",), cwd=tmp_path, environment={}))


def test_an_argument_that_is_too_long_is_told_in_words(tmp_path: Path) -> None:
    """Linux takes 128 KiB per argument."""
    with pytest.raises(ProgramFailedError, match="128 KiB"):
        run(Program(argv=("/bin/echo", "x" * 200_000), cwd=tmp_path, environment={}))


def test_a_timeout_ends_the_program_with_sigterm_first(tmp_path: Path) -> None:
    """It can say good-bye within the grace time."""
    code = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(print('bye')))\nprint('up')\ntime.sleep(600)"
    )
    with pytest.raises(TimedOutError, match=r"after its 1\.5 seconds") as caught:
        run(python(code, tmp_path, timeout=1.5))
    assert caught.value.tail == ("up", "bye")


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """After the grace time."""
    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\ntime.sleep(600)"
    with pytest.raises(TimedOutError) as caught:
        run(python(code, tmp_path, timeout=1, grace=0.3))
    assert caught.value.exit_code == -signal.SIGKILL


def test_cancel_ends_it_from_another_thread(tmp_path: Path) -> None:
    """And the error says so, whatever exit code the program chose."""
    running = Process(python("import time; print('up'); time.sleep(600)", tmp_path), lambda _: thread.start())
    thread = threading.Thread(target=running.cancel)
    with pytest.raises(StepCancelledError) as caught:
        running.run()
    thread.join()
    assert caught.value.exit_code == -signal.SIGTERM


def test_cancel_before_the_start_counts_and_after_the_end_does_no_harm(tmp_path: Path) -> None:
    """A task can be killed at any moment."""
    early = Process(python("import time; time.sleep(600)", tmp_path), print)
    early.cancel()
    with pytest.raises(StepCancelledError):
        early.run()
    late = Process(python("pass", tmp_path), print)
    assert late.run().exit_code == 0
    late.cancel()


def test_an_error_in_the_log_ends_the_program(tmp_path: Path) -> None:
    """A worker that can no longer log does not leave a program behind."""
    pids: list[int] = []

    def on_line(line: str) -> None:
        pids.append(int(line))
        raise ConnectionResetError("the log is gone")

    with pytest.raises(ConnectionResetError):
        Process(python("import os, time; print(os.getpid()); time.sleep(600)", tmp_path), on_line).run()
    assert gone(pids[0])


LEAVES_TWO = """
import subprocess, sys
for own in (True, False):
    print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=own).pid)
"""


@pytest.mark.parametrize("ending", ["", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_nothing_that_the_program_started_lives_on(ending: str, tmp_path: Path) -> None:
    """Neither what shares its group nor a daemon with a session of its own, although both hold the pipe open."""
    lines: list[str] = []
    with contextlib.suppress(ProgramFailedError):
        Process(python(LEAVES_TWO + ending, tmp_path), lines.append).run()
    assert all(gone(int(line)) for line in lines[:2])
    if not ending:
        assert lines[2] == "2 process(es) that the program left behind were ended"


def test_more_memory_than_the_limit_ends_it_and_says_how_much(tmp_path: Path) -> None:
    """Peak and limit are in the error, in words and as numbers."""
    with pytest.raises(OutOfMemoryError, match="its limit is 100 MiB") as caught:
        run(
            python(
                "print('up'); x = b'x' * (300 << 20); import time; time.sleep(600)", tmp_path, memory_limit=100 * MIB
            )
        )
    assert caught.value.limit_bytes == 100 * MIB
    assert caught.value.peak_bytes is not None
    assert 100 * MIB < caught.value.peak_bytes < 400 * MIB


def test_memory_of_children_counts(tmp_path: Path) -> None:
    """Two processes of 80 MiB are over a limit of 120."""
    code = (
        "import subprocess, sys\nps = [subprocess.Popen([sys.executable, '-c', "
        "'x = b\"x\" * (80 << 20); import time; time.sleep(600)']) for _ in '12']\n[p.wait() for p in ps]"
    )
    with pytest.raises(OutOfMemoryError):
        run(python(code, tmp_path, memory_limit=120 * MIB))


def test_memory_that_forked_children_share_counts_once(tmp_path: Path) -> None:
    """Four workers that read one array of 80 MiB fit into 200 MiB."""
    code = """
import os, time
x = bytearray(80 << 20)
pids = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        sum(x[::4096]); time.sleep(4); os._exit(0)  # samples are rarer on a busy machine
    pids.append(pid)
for pid in pids: os.waitpid(pid, 0)
print('ok')
"""
    ended, lines = run(python(code, tmp_path, memory_limit=200 * MIB))
    assert lines == ["ok"]
    assert 80 * MIB < ended.peak_bytes < 200 * MIB


def test_a_kill_from_outside_is_not_called_out_of_memory(tmp_path: Path) -> None:
    """SIGKILL alone proves nothing: the kernel's own counter decides."""
    with pytest.raises(ProgramFailedError, match=r"killed by SIGKILL \(signal 9\) from outside") as caught:
        run(python("import os; os.kill(os.getpid(), 9)", tmp_path))
    assert type(caught.value) is ProgramFailedError
    assert caught.value.exit_code == -9


def test_a_kill_by_the_kernel_is_called_out_of_memory() -> None:
    """SIGKILL while the kernel's counter of memory kills moved."""
    ended = Ended(exit_code=-9, kernel_killed=True, peak_bytes=3 * 2**30)
    with pytest.raises(OutOfMemoryError, match="the kernel killed the program for memory: it was seen to use 3 GiB"):
        check(ended, "demo/train", "train.py", None, None)


def test_a_crash_names_its_signal(tmp_path: Path) -> None:
    """A segmentation fault is told as one."""
    with pytest.raises(ProgramFailedError, match=r"SIGSEGV \(signal 11\)"):
        run(python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", tmp_path))


WORKER = """
import os, sys
from pathlib import Path
from airflow_mlpipe.runtime.process import Process, Program
code = {code!r}
program = Program(argv=(sys.executable, "-u", "-c", code), cwd=Path.cwd(), environment=dict(os.environ), grace=0.5)
Process(program, lambda line: print(line, flush=True)).run()
"""


@pytest.mark.parametrize("ignores", [False, True], ids=["obeys", "ignores"])
def test_a_killed_worker_takes_the_program_and_its_children_with_it(ignores: bool, tmp_path: Path) -> None:
    """SIGKILL for the worker: SIGTERM, the grace time, SIGKILL, for the program and for a daemon that it started."""
    code = "import os, signal, time\nprint(os.getpid())\n" + LEAVES_TWO + "time.sleep(600)"
    if ignores:
        code = "import signal\nsignal.signal(15, signal.SIG_IGN)\n" + code
    root = Path(process.__file__).parents[2]
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER.format(code=code)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stdout is not None
        pids = [int(worker.stdout.readline()) for _ in range(3)]
        worker.kill()
    assert worker.returncode == -signal.SIGKILL
    poll(lambda: all(map(gone, pids)))


def test_a_killed_launcher_leaves_nothing_running(tmp_path: Path) -> None:
    """Somebody kills the process between worker and program: the run ends, and so does all below it."""
    pids: list[int] = []

    def on_line(line: str) -> None:
        pids.append(int(line))
        if len(pids) == 2:
            threading.Timer(1.0, lambda: psutil.Process(pids[0]).parent().kill()).start()

    code = "import os, subprocess, sys, time\nprint(os.getpid())\n" + LEAVES_TWO.replace("(True, False)", "(True,)")
    with pytest.raises(ProgramFailedError, match="SIGKILL"):
        Process(python(code + "time.sleep(600)", tmp_path), on_line).run()
    poll(lambda: all(map(gone, pids)))


def test_a_worker_with_many_files_open_runs_a_program(tmp_path):
    """The launcher's files have numbers above 1023, which ``select`` refuses."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this machine allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        ended, lines = run(python("print('hello')", tmp_path))
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (ended.exit_code, lines) == (0, ["hello"])
