"""Run: the port between the engine and what executes a program, a process of this host or a container beside it.

The engine stages and publishes; a runner starts the program, follows it to its end and says how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airflow_mlpipe.runtime.environments import Environments, Interpreter
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.process import Process, Program
from airflow_mlpipe.runtime.stores import Host
from airflow_mlpipe.runtime.verdict import Ended
from airflow_mlpipe.runtime.view import View

OnLine = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of this host that a program uses.

    :param checkpoints: survives retries. :param caches: the host's ``XDG_CACHE_HOME``.
    :param kernel: of a function step, see :mod:`.kernel`. :param pysite: our ``sitecustomize``, if the step wants it.
    :param originals: local data that the inputs are links to.
    """

    layout: Layout
    checkpoints: Path
    caches: Path
    kernel: Path | None = None
    pysite: Path | None = None
    originals: frozenset[Path] = frozenset()


class Runner(Protocol):
    """Executes the program of one attempt."""

    def find(self, job: Job) -> Path | None:
        """The folder of an earlier attempt at this job whose program still runs, or has ended well, unnoticed."""
        ...

    def interpreter(self, job: Job) -> AbstractContextManager[Interpreter]:
        """The Python of the step, kept while the block runs."""
        ...

    def view(self, folders: Folders) -> View:
        """How the program sees these folders."""
        ...

    def run(self, program: Program, folders: Folders) -> Ended:
        """Run to the end, or follow what :meth:`find` found.

        :raises ProgramFailedError: and its kinds: see :func:`~airflow_mlpipe.runtime.verdict.check`.
        :raises ComputeError: when what should execute it fails.
        """
        ...

    def cancel(self) -> None:
        """End the program; from any thread, and from a signal handler."""
        ...


class ProcessRunner:
    """Executes programs as processes of this host."""

    def __init__(self, host: Host, on_line: OnLine) -> None:
        self._host = host
        self._on_line = on_line
        self._cancelled = False
        self._process: Process | None = None

    def find(self, job: Job) -> Path | None:
        """A process ends with its worker, so there is none."""
        return None

    @contextmanager
    def interpreter(self, job: Job) -> Iterator[Interpreter]:
        """The worker's own Python, or one that is built; see :class:`Environments`."""
        environments = Environments(self._host.cache.absolute() / "environments", uv=self._host.uv)
        with environments.use(job.step.environment, self._on_line, where=job.step.label) as interpreter:
            yield interpreter

    def view(self, folders: Folders) -> View:
        """It sees what we see."""
        return View()

    def run(self, program: Program, folders: Folders) -> Ended:
        """See :meth:`Runner.run`."""
        self._process = process = Process(program, self._on_line)
        if self._cancelled:  # cancel() came before there was a process
            process.cancel()
        return process.run()

    def cancel(self) -> None:
        """See :meth:`Runner.cancel`."""
        self._cancelled = True  # no Event: its lock may be held by the code that a signal interrupted
        if (process := self._process) is not None:
            process.cancel()
