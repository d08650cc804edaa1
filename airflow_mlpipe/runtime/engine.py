"""One attempt of a step, from an empty folder to published outputs: the journey's verbs in order.

Used by whatever process is to execute a step: an Airflow worker, or a container of ours beside the user's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from airflow_mlpipe.errors import ProgramFailedError, StepCancelledError
from airflow_mlpipe.runtime.cache import BlobCache
from airflow_mlpipe.runtime.command import command_line, working_folder
from airflow_mlpipe.runtime.environments import Environments, Interpreter
from airflow_mlpipe.runtime.function import check_pickles, read_returned, refused, typed, verify_returned, write_call
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.runtime.kernel import kernel_folder
from airflow_mlpipe.runtime.layout import Layout, Staged, remove
from airflow_mlpipe.runtime.outcome import read_metrics, read_result
from airflow_mlpipe.runtime.process import Process, Program
from airflow_mlpipe.runtime.publish import publish, verify
from airflow_mlpipe.runtime.stage import Stager
from airflow_mlpipe.runtime.stores import EngineStores, Host
from airflow_mlpipe.runtime.tidy import held, tidy_attempts
from airflow_mlpipe.runtime.variables import Surroundings, make_variables
from airflow_mlpipe.runtime.verdict import Ended, in_words
from airflow_mlpipe.store.layout import quote_id
from airflow_mlpipe.store.oserrors import os_errors

_DEAD_SECONDS = 86_400.0
OnLine = Callable[[str], object]
Recheck = Callable[[], object]
"""Raises :class:`~airflow_mlpipe.errors.InputChangedError` when an input is not what its fingerprint says any more."""


class Attempt:
    """Executes one job.

    :param on_line: gets each line for the task's log: the program's own, and the engine's few.
    """

    def __init__(self, job: Job, *, stores: EngineStores, host: Host, on_line: OnLine) -> None:
        self._job = job
        self._stores = stores
        self._host = host
        self._on_line = on_line
        self._cancelled = False
        self._process: Process | None = None

    def cancel(self) -> None:
        """End it; :meth:`run` raises ``StepCancelledError``.  May be called from a thread or a signal handler."""
        self._cancelled = True  # no Event: its lock may be held by the code that a signal interrupted
        if (process := self._process) is not None:
            process.cancel()

    def run(self, recheck: Recheck | None = None) -> JobResult:
        """Stage, run, verify, publish.

        :param recheck: called when the program has ended well, before anything is published.
        :raises StepError: the program's fault, see its kinds. :raises InputError: an input is gone, or changed.
        :raises EnvironmentBuildError: its Python could not be built. :raises StoreError: a datastore failed, or the
            disk is full. :raises ConfigurationError: the worker lacks something, or an input is a pickle and
            the deployment allows none.
        """
        job, host = self._job, self._host
        layout = Layout(host.scratch.absolute() / quote_id(job.attempt))
        environments = Environments(host.cache.absolute() / "environments", uv=host.uv)
        self._clear_dead()
        with held(layout.root):
            try:
                with environments.use(job.step.environment, self._on_line, where=job.step.label) as interpreter:
                    result = self._run(layout, interpreter, recheck)
            except BaseException:
                if host.keep_failed:
                    self._on_line(f"the attempt's folder is kept: {layout.root}")
                else:
                    self._remove(layout.root)
                raise
            self._remove(layout.root)
        return result

    def _clear_dead(self) -> None:
        """What killed workers left here goes with the next step that this host runs, a day later."""
        if not self._host.keep_failed:
            try:
                tidy_attempts(self._host.scratch.absolute(), _DEAD_SECONDS)
            except OSError as error:
                self._on_line(f"cannot remove what a killed worker left: {error}")

    def _remove(self, folder: Path) -> None:
        """What cannot be removed is no reason to lose a result, or to hide an error."""
        try:
            remove(folder)
        except OSError as error:
            self._on_line(f"cannot remove {error.filename}: {error.strerror}")

    def _run(self, layout: Layout, interpreter: Interpreter, recheck: Recheck | None) -> JobResult:
        job, step, where = self._job, self._job.step, self._job.step.label
        check_pickles(step, allowed=self._host.allow_pickle)
        cache = BlobCache(self._host.cache.absolute() / "blobs")
        stager = Stager(layout=layout, cache=cache, stores=self._stores)
        with os_errors(where, "stage the step", layout.root):
            layout.make()
            staged = stager.stage(step, job.snapshot)
            program = self._program(layout, staged, interpreter)
        if stager.linked or stager.fetched:
            self._on_line(f"staged {len(stager.linked)} files by links, fetched {in_words(stager.fetched)}")
        try:
            ended = self._execute(program)
        except ProgramFailedError as error:
            if step.function is not None and (told := refused(layout, where)) is not None:
                raise told from error
            raise
        stager.check_unchanged(where)
        if recheck is not None:
            recheck()
        result = read_result(layout.result, where=where)
        metrics = read_metrics(layout.metrics, self._on_line)
        with os_errors(where, "publish the outputs", layout.root):
            returned = read_returned(layout, where) if step.function is not None else None
            if returned is None:
                found = verify(step, staged, self._on_line)
            else:
                found = verify_returned(step, staged, returned)
            self._stop_if_cancelled()
            outputs = publish(found, job.fingerprint, self._stores, cache)
        self._remove(self._checkpoints)
        peak = ended.peak_bytes or None
        return JobResult(
            outputs=outputs if returned is None else typed(outputs, returned),
            result=result,
            values={} if returned is None else returned.inline,
            metrics=metrics,
            seconds=ended.seconds,
            peak_bytes=peak,
        )

    def _program(self, layout: Layout, staged: Staged, interpreter: Interpreter) -> Program:
        job, step = self._job, self._job.step
        caches = self._host.cache.absolute() / "xdg"
        for folder in (self._checkpoints, caches):
            folder.mkdir(parents=True, exist_ok=True)
        around = Surroundings(
            layout=layout,
            staged=staged,
            interpreter=interpreter,
            checkpoints=self._checkpoints,
            caches=caches,
            worker=os.environ,
            kernel=kernel_folder(self._host.cache.absolute()) if step.function is not None else None,
        )
        if step.function is not None:
            write_call(layout, step, staged, allow_pickle=self._host.allow_pickle)
        return Program(
            argv=command_line(step, layout, staged, interpreter),
            cwd=working_folder(step, layout),
            environment=make_variables(step, around, job.secrets),
            timeout=job.timeout,
            grace=job.grace,
            memory_limit=step.resources.memory_bytes if step.resources else None,
            where=step.label,
        )

    def _execute(self, program: Program) -> Ended:
        self._process = process = Process(program, self._on_line)
        if self._cancelled:  # cancel() came before there was a process
            process.cancel()
        return process.run()

    def _stop_if_cancelled(self) -> None:
        if self._cancelled:
            raise StepCancelledError(
                "the step was cancelled before its outputs were published", where=self._job.step.label, exit_code=0
            )

    @property
    def _checkpoints(self) -> Path:
        """The same for every attempt of a fingerprint on this host; removed when one succeeded."""
        return self._host.cache.absolute() / "checkpoints" / quote_id(self._job.fingerprint)


def run_job(
    job: Job, *, stores: EngineStores, host: Host, on_line: OnLine, recheck: Recheck | None = None
) -> JobResult:
    """Execute a job that nobody is going to cancel; see :meth:`Attempt.run`."""
    return Attempt(job, stores=stores, host=host, on_line=on_line).run(recheck)
