"""What every compute must do, as tests: ComputeContract.

Inherit from it in a test module and say how a compute is made and what runs there::

    class TestMyCompute(ComputeContract):
        image = "registry/python:3.12"     # None for a compute without containers

        @pytest.fixture
        def bench(self, tmp_path):
            return ComputeBench(tmp_path, lambda bench: MyCompute(bench.stores, bench.host), image=self.image)

Needs pytest.  The image has a POSIX shell, and Python for the tests of scripts.  A compute whose programs end with the
worker sets ``survives = False``: the tests of adoption then want that nothing is left running.
"""

from __future__ import annotations

import contextlib
import os
import signal
import textwrap
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from airflow_mlpipe.compute.base import Compute, Recheck
from airflow_mlpipe.errors import (
    DoNotRetryError,
    InputChangedError,
    OutOfMemoryError,
    OutputMissingError,
    ProgramFailedError,
    RetryMeError,
    StepCancelledError,
)
from airflow_mlpipe.model import Datastore, Environment, PipelineData, Resources
from airflow_mlpipe.model.code import CodeFile, CodeSnapshot
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.step import CodeSpec, InputPath, InputPort, OutputPath, OutputPort, StepSpec, Text
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.runtime.stores import EngineStores, Host
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.layout import quote_id
from airflow_mlpipe.store.local import LocalObjectStore

SECRET = "swordfish-5f1d"  # noqa: S105 - looked for in what a compute shows
_SECONDS = 120


class FolderStores:
    """Every datastore is a folder below ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = LocalObjectStore(root / "workspace")
        self._contents = Contents(self.store)

    def contents(self, spelling: str) -> Contents:
        """The workspace's, or those of a datastore's folder."""
        return self._contents if not spelling else Contents(LocalObjectStore(self.root / spelling))

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """A folder beside the workspace."""
        return LocalObjectStore(self.root / datastore.name)

    def local_root(self, datastore: Datastore) -> Path | None:
        """Its path."""
        return self.root / datastore.name

    def config(self, spelling: str) -> StoreConfig:
        """Its URL."""
        return StoreConfig(url=(self.root / (Datastore.spelled(spelling).name if spelling else "workspace")).as_uri())


class BenchStores(EngineStores, Protocol):
    """What the suite needs of a deployment."""

    @property
    def store(self) -> ObjectStore:
        """The workspace's."""
        ...


@dataclass
class ComputeBench:
    """Runs programs on a compute.

    :param root: folder of the test. :param make: a compute of this bench. :param image: that steps run in.
    :param given_stores: where steps read and write; by default folders below ``root``.
    """

    root: Path
    make: Callable[[ComputeBench], Compute]
    image: str | None = None
    given_stores: BenchStores | None = None
    lines: list[str] = field(default_factory=list)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.stores: BenchStores = self.given_stores or FolderStores(self.root / "stores")
        self.host = Host(cache=self.root / "cache", scratch=self.root / "scratch")

    def job(
        self,
        *command: object,
        script: str | None = None,
        files: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Job:
        """A job of a command, or of a Python script."""
        names = ("timeout", "grace", "secrets", "same")
        members = {name: options.pop(name) for name in names if name in options}
        snapshot, code = None, None
        if script is not None:
            sources = {"main.py": textwrap.dedent(script), **(files or {})}
            coded = {name: CodeFile(data=text.encode()) for name, text in sorted(sources.items())}
            snapshot = CodeSnapshot(files=coded, counted=frozenset(sources))
            code = CodeSpec(root="/nowhere", entry="main.py")
        arguments = tuple(a if isinstance(a, (InputPath, OutputPath)) else Text(str(a), str(a)) for a in command)
        step = StepSpec(
            label=options.pop("label", "demo/run/step"),
            kind="command" if script is None else "script",
            code=code,
            command=arguments,
            environment=Environment(image=self.image, variables=environment or {}),
            **options,
        )
        self.attempts += 1
        pinned = self.make(self).pin(self.image, where=step.label) if self.image else None
        name = f"{os.getpid()}-{self.attempts:04d}"
        return Job(step=step, fingerprint=f"mlp1:{name}", attempt=name, snapshot=snapshot, image=pinned, **members)

    def run(self, job: Job, *, recheck: Recheck | None = None) -> JobResult:
        """Run it to its end on a new compute."""
        return self.make(self).run(job, self.lines.append, recheck)

    def sh(self, text: str, *arguments: object, **options: Any) -> JobResult:
        """Run a shell's script to its end."""
        return self.run(self.job("sh", "-c", text, "sh", *arguments, **options))

    def python(self, script: str, **options: Any) -> JobResult:
        """Run a Python script to its end."""
        return self.run(self.job(script=script, **options))

    def read(self, reference: OutputReference, path: str = "") -> bytes:
        """The bytes of an output, or of a file in it."""
        contents: Contents = self.stores.contents(reference.datastore)
        digest = dict(contents.walk(reference.digest))[path].digest if path else reference.digest
        return bytes(contents.read_bytes(digest))

    def left(self) -> list[str]:
        """Folders of attempts that are still there."""
        return sorted(p.name for p in self.host.scratch.glob("*") if p.is_dir())


def outputs(*data: PipelineData) -> tuple[OutputPort, ...]:
    """Output ports."""
    return tuple(OutputPort(data=one) for one in data)


FILE = PipelineData("o", kind="file", filename="o.txt")
FOLDER = PipelineData("d")


class ComputeContract:
    """The executable form of :class:`airflow_mlpipe.compute.base.Compute`."""

    survives = True
    """Whether a program goes on when its worker dies."""

    # ---- data ------------------------------------------------------------------------------------------------------

    def test_what_a_program_writes_is_published(self, bench: ComputeBench) -> None:
        """A file and a folder come out with their bytes, and nothing of the attempt stays."""
        result = bench.sh(
            'printf x > "$1"; mkdir "$2/deep"; printf y > "$2/deep/f"',
            OutputPath("o"),
            OutputPath("d"),
            outputs=outputs(FILE, FOLDER),
        )
        file, folder = result.outputs
        assert (bench.read(file), bench.read(folder, "deep/f")) == (b"x", b"y")
        assert bench.left() == []

    def test_inputs_are_there_and_cannot_be_changed(self, bench: ComputeBench) -> None:
        """Files, folders and gathered outputs of other steps are read by path; writing to one publishes nothing."""
        made = bench.sh(
            'echo 1 > "$1"; echo 2 > "$2/f"', OutputPath("o"), OutputPath("d"), outputs=outputs(FILE, FOLDER)
        )
        file, folder = made.outputs
        ports = (
            InputPort(name="file", references=(file,)),
            InputPort(name="folder", references=(folder,)),
            InputPort(name="many", references=(file, file), many=True),
        )
        text = 'cat "$1" "$2/f" "$3"/* > "$4"; test "$MLPIPE_INPUT_FILE" = "$1"'
        paths = [InputPath("file"), InputPath("folder"), InputPath("many"), OutputPath("o")]
        (read,) = bench.sh(text, *paths, inputs=ports, outputs=outputs(FILE)).outputs
        assert bench.read(read) == b"1\n2\n1\n1\n"
        with pytest.raises((InputChangedError, ProgramFailedError)):
            bench.sh('echo changed > "$1"', InputPath("file"), inputs=ports[:1])
        assert (
            bench.read(bench.sh('cat "$1" > "$2"', *paths[::3], inputs=ports, outputs=outputs(FILE)).outputs[0])
            == b"1\n"
        )

    def test_an_output_that_is_missing_is_said(self, bench: ComputeBench) -> None:
        """With what lies beside it."""
        with pytest.raises(OutputMissingError, match=r"beside it there is: other\.txt"):
            bench.sh('echo > "$(dirname "$1")/other.txt"', OutputPath("o"), outputs=outputs(FILE))

    def test_a_failed_recheck_publishes_nothing(self, bench: ComputeBench) -> None:
        """Its error comes out."""

        def recheck() -> None:
            raise InputChangedError("changed", where="raw")

        job = bench.job("sh", "-c", 'echo > "$1"', "sh", OutputPath("o"), outputs=outputs(FILE))
        with pytest.raises(InputChangedError):
            bench.run(job, recheck=recheck)
        assert not list(bench.stores.store.list())

    def test_checkpoints_survive_a_failed_attempt(self, bench: ComputeBench) -> None:
        """The next attempt of the same fingerprint finds what the first left there."""
        text = 'f="$MLPIPE_CHECKPOINT_DIR/epoch"; test -f "$f" && exit 0; echo 1 > "$f"; exit 1'
        first, second = bench.job("sh", "-c", text), bench.job("sh", "-c", text)
        with pytest.raises(ProgramFailedError):
            bench.run(first)
        bench.run(replace(second, fingerprint=first.fingerprint))

    # ---- how it ends -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("code", "kind"), [(1, ProgramFailedError), (42, ProgramFailedError), (75, RetryMeError), (77, DoNotRetryError)]
    )
    def test_an_exit_code_is_an_error_with_the_last_lines(
        self, bench: ComputeBench, code: int, kind: type[ProgramFailedError]
    ) -> None:
        """75 asks for a retry, 77 refuses one."""
        with pytest.raises(kind) as caught:
            bench.sh(f"echo the last words; exit {code}")
        assert type(caught.value) is kind
        assert caught.value.exit_code == code
        assert caught.value.tail == ("the last words",)
        assert bench.left() == []

    def test_a_program_that_is_not_there_is_said(self, bench: ComputeBench) -> None:
        """In words, with its name."""
        with pytest.raises(ProgramFailedError, match=r"no such program.*'no-such-program'"):
            bench.run(bench.job("no-such-program", "x"))

    def test_too_much_memory_is_said(self, bench: ComputeBench) -> None:
        """With the limit."""
        script = "x = []\nfor _ in range(4000): x.append(b'x' * 2**20)"
        with pytest.raises(OutOfMemoryError, match="its limit is 128 MiB") as caught:
            bench.python(script, resources=Resources(memory="128Mi"))
        assert caught.value.limit_bytes == 128 << 20

    def test_a_program_past_its_time_is_ended(self, bench: ComputeBench) -> None:
        """And what it started is, too."""
        with pytest.raises(ProgramFailedError, match="after its 1 seconds"):
            bench.sh("sleep 600 & sleep 600", timeout=1.0, grace=1.0)

    def test_cancel_ends_the_program(self, bench: ComputeBench) -> None:
        """From another thread; a compute that was cancelled before it ran runs nothing."""
        compute = bench.make(bench)
        job = bench.job("sh", "-c", "echo up; exec sleep 600", grace=1.0)
        with pytest.raises(StepCancelledError):
            compute.run(job, lambda line: threading.Thread(target=compute.cancel).start() if line == "up" else None)
        with pytest.raises(StepCancelledError):
            compute.run(job, lambda _: None)
        assert bench.left() == []

    def test_a_program_may_end_well_when_it_is_asked_to_stop(self, bench: ComputeBench) -> None:
        """It gets SIGTERM and its grace; it counts as cancelled all the same."""
        compute, lines = bench.make(bench), bench.lines

        def on_line(line: str) -> None:
            lines.append(line)
            if line == "up":
                threading.Thread(target=compute.cancel).start()

        text = "trap 'echo saved; exit 0' TERM; echo up; while true; do sleep 0.1; done"
        with pytest.raises(StepCancelledError):
            compute.run(bench.job("sh", "-c", text, grace=30.0), on_line)
        assert lines[-1] == "saved"

    # ---- what it sees and says -------------------------------------------------------------------------------------

    def test_lines_come_once_and_in_order(self, bench: ComputeBench) -> None:
        """Twenty thousand, from both streams together none lost, none doubled."""
        bench.sh("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo end >&2")
        numbered = [line for line in bench.lines if line.startswith("line ")]
        assert numbered == [f"line {i}" for i in range(20000)]
        assert bench.lines.count("end") == 1

    def test_lines_come_while_the_program_runs(self, bench: ComputeBench) -> None:
        """The program waits for a file that its line makes us write."""
        job = bench.job("sh", "-c", f"echo ready; {_WAIT_FOR_GO}; do sleep 0.1; done", timeout=float(_SECONDS))
        bench.make(bench).run(job, lambda line: self.let_go(bench, job) if line == "ready" else None)

    def let_go(self, bench: ComputeBench, job: Job) -> None:
        """Make the file ``go`` among the checkpoints of a job that runs."""
        (bench.host.cache / "checkpoints" / quote_id(job.fingerprint) / "go").touch()

    def test_progress_bars_long_lines_and_bytes_do_no_harm(self, bench: ComputeBench) -> None:
        """A bar is folded, a line of a mebibyte arrives whole in pieces, what is no text is shown as far as it is."""
        bench.python(
            """
            import sys
            out = sys.stdout.buffer
            for i in range(1000): out.write(b"\\r%d%%" % i)
            out.write(b"\\n" + b"x" * 2**20 + b"\\n" + bytes(range(256)) + b"\\nend\\n")
            """
        )
        assert bench.lines[-1] == "end"
        assert sum(line.count("x") for line in bench.lines) >= 2**20
        assert "999%" in bench.lines
        assert len(bench.lines) < 200

    def test_large_arguments_and_parameters_arrive(self, bench: ComputeBench) -> None:
        """An argument of 100 KiB, and parameters of 4 MiB in their file."""
        (out,) = bench.run(
            bench.job(
                "a" * 100_000,
                OutputPath("o"),
                script="""
                    import json, os, sys
                    text = json.load(open(os.environ["MLPIPE_PARAMS"]))["text"]
                    open(sys.argv[2], "w").write(f"{len(sys.argv[1])} {len(text)}")
                """,
                parameters={"text": "b" * (4 << 20)},
                outputs=outputs(FILE),
            )
        ).outputs
        assert bench.read(out) == b"100000 4194304"

    def test_a_program_gets_its_variables_and_not_the_workers(
        self, bench: ComputeBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the author declared, what is documented, nothing else of the worker."""
        monkeypatch.setenv("WORKERS_OWN", "yes")
        (out,) = bench.sh('env > "$1"', OutputPath("o"), outputs=outputs(FILE), environment={"MINE": "a b\nc"}).outputs
        text = bench.read(out).decode()
        assert "MINE=a b\nc" in text
        assert "WORKERS_OWN" not in text
        for name in ("MLPIPE_PARAMS", "MLPIPE_METRICS", "MLPIPE_RESULT", "MLPIPE_CHECKPOINT_DIR", "HOME", "TMPDIR"):
            assert f"\n{name}=" in f"\n{text}"

    def test_results_and_metrics_come_back(self, bench: ComputeBench) -> None:
        """The JSON that the program wrote."""
        result = bench.sh(
            """echo '{"a": [1]}' > "$MLPIPE_RESULT"; echo '{"name": "loss", "value": 0.5}' >> "$MLPIPE_METRICS" """
        )
        assert (result.result, dict(result.metrics)) == ({"a": [1]}, {"loss": 0.5})
        assert result.seconds >= 0

    def test_a_secret_is_in_its_file_and_nowhere_else(self, bench: ComputeBench) -> None:
        """Not in the environment, not in the arguments, not in what the compute shows."""
        job = bench.job(
            "sh",
            "-c",
            'cat "$MLPIPE_SECRET_KEY" | wc -c > "$1"; ! env | grep -q "$(cat "$MLPIPE_SECRET_KEY")"',
            "sh",
            OutputPath("o"),
            secrets={"key": SECRET},
            outputs=outputs(FILE),
        )
        (out,) = self.run_watched(bench, job).outputs
        assert bench.read(out).strip() == str(len(SECRET)).encode()
        assert not any(SECRET in line for line in bench.lines)

    def run_watched(self, bench: ComputeBench, job: Job) -> JobResult:
        """Run a job with a secret; a compute that shows its jobs to others looks there for the secret meanwhile."""
        return bench.run(job)

    def test_code_runs_with_its_modules(self, bench: ComputeBench) -> None:
        """A script imports a file beside it, and finds its files relative to its folder."""
        bench.python("import helper; print(helper.NAME, open('data.txt').read())", files=_SOURCES)
        assert bench.lines[-1] == "helper text"

    # ---- the worker dies -------------------------------------------------------------------------------------------

    def test_what_a_dead_worker_left_is_gone_on_with(self, bench: ComputeBench) -> None:
        """The next try follows the program to its end; it is started once, and its result counts."""
        _need_survival(self.survives)
        self.kill_worker(bench, _WAIT_FOR_GO)
        job = self.dead_job(bench, "exit 9")
        self.let_go(bench, job)
        (out,) = bench.run(job).outputs
        assert bench.read(out) == b"done\n"
        assert not list((bench.host.cache / "checkpoints").glob("*"))
        assert bench.left() == []

    def test_a_program_that_finished_while_nobody_looked_counts(self, bench: ComputeBench) -> None:
        """Its outputs are published by the next try, which starts nothing."""
        _need_survival(self.survives)
        self.kill_worker(bench, "i=0; while [ $i -lt 5 ] && i=$((i+1))")
        self.wait_until_ended(bench)
        (out,) = bench.run(self.dead_job(bench, "exit 9")).outputs
        assert bench.read(out) == b"done\n"

    def test_what_does_something_else_is_not_gone_on_with(self, bench: ComputeBench) -> None:
        """The next try has another fingerprint: the old program is ended, and a new one is started."""
        _need_survival(self.survives)
        self.kill_worker(bench, "while true")
        (out,) = bench.run(self.dead_job(bench, 'echo new > "$1"', same="mlp1:other")).outputs
        assert bench.read(out) == b"new\n"

    def wait_until_ended(self, bench: ComputeBench) -> None:
        """Wait until no program of the bench runs."""
        raise NotImplementedError

    def dead_job(self, bench: ComputeBench, text: str, same: str = "mlp1:dead") -> Job:
        """What does the same as the job of the worker that was killed, or not, if ``same`` is another."""
        options: dict[str, Any] = {"label": "demo/run/dead", "outputs": outputs(FILE), "same": same}
        return replace(bench.job("sh", "-c", text, "sh", OutputPath("o"), **options), fingerprint="mlp1:dead")

    def kill_worker(self, bench: ComputeBench, loop: str) -> None:
        """Start a job in a process that is killed as soon as the program runs."""
        job = self.dead_job(bench, f'echo up; {loop}; do sleep 0.2; done; echo done > "$1"')
        read, write = os.pipe()
        worker = os.fork()
        if worker == 0:
            with contextlib.suppress(BaseException):
                bench.make(bench).run(job, lambda line: os.write(write, line.encode() + b"\n"))
            os._exit(1)
        os.close(write)
        said = b""
        with os.fdopen(read, "rb", buffering=0) as lines:
            while b"up\n" not in said and (piece := lines.read(4096)):
                said += piece
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        assert b"up\n" in said, said


_WAIT_FOR_GO = 'while [ ! -e "$MLPIPE_CHECKPOINT_DIR/go" ]'
_SOURCES = {"helper.py": "NAME = 'helper'\n", "data.txt": "text"}


def _need_survival(survives: bool) -> None:
    if not survives:
        pytest.skip("the programs of this compute end with the worker")


def wait_for(condition: Callable[[], object], *, seconds: float = _SECONDS) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.1)


__all__: Sequence[str] = ("SECRET", "ComputeBench", "ComputeContract", "FolderStores", "outputs", "wait_for")
