"""One attempt of a step, from an empty folder to published outputs: the journey's verbs in order.

Used by whatever process is to execute a step: an Airflow worker, or a container of ours beside the user's.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import ProgramFailedError, StepCancelledError
from airflow_mlpipe.runtime.cache import BlobCache
from airflow_mlpipe.runtime.command import command_line, working_folder
from airflow_mlpipe.runtime.environments import Interpreter
from airflow_mlpipe.runtime.function import check_pickles, refused, write_call
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.runtime.kernel import PYSITE, kernel_folder
from airflow_mlpipe.runtime.layout import Layout, Staged, remove
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.results import publish_results
from airflow_mlpipe.runtime.runner import Folders, ProcessRunner, Runner
from airflow_mlpipe.runtime.stage import Stager
from airflow_mlpipe.runtime.stores import EngineStores, Host
from airflow_mlpipe.runtime.tidy import held, mark_detached, tidy_attempts
from airflow_mlpipe.runtime.variables import Surroundings, make_variables
from airflow_mlpipe.runtime.verdict import Ended, in_words
from airflow_mlpipe.runtime.view import View
from airflow_mlpipe.store.layout import quote_id
from airflow_mlpipe.store.oserrors import os_errors

_DEAD_SECONDS = 86_400.0
OnLine = Callable[[str], object]
Recheck = Callable[[], object]
"""Raises :class:`~airflow_mlpipe.errors.InputChangedError` when an input is not what its fingerprint says any more."""


class Attempt:
    """Executes one job.

    :param on_line: gets each line for the task's log: the program's own, and the engine's few.
    :param runner: executes the program; by default as a process of this host.
    """

    def __init__(
        self, job: Job, *, stores: EngineStores, host: Host, on_line: OnLine, runner: Runner | None = None
    ) -> None:
        self._job = job
        self._stores = stores
        self._host = host
        self._on_line = on_line
        self._cancelled = False
        self._runner = runner or ProcessRunner(host, on_line)
        self._cache = BlobCache(host.cache.absolute() / "blobs")

    def cancel(self) -> None:
        """End it; :meth:`run` raises ``StepCancelledError``.  May be called from a thread or a signal handler."""
        self._cancelled = True  # no Event: its lock may be held by the code that a signal interrupted
        self._runner.cancel()

    def run(self, recheck: Recheck | None = None) -> JobResult:
        """Stage, run, verify, publish.

        :param recheck: called when the program has ended well, before anything is published.
        :raises StepError: the program's fault, see its kinds. :raises InputError: an input is gone, or changed.
        :raises EnvironmentBuildError: its Python could not be built. :raises StoreError: a datastore failed, or the
            disk is full. :raises ConfigurationError: the worker lacks something, or an input is a pickle and
            the deployment allows none. :raises ComputeError: what should execute the program failed.
        """
        self._clear_dead()
        found = self._runner.find(self._job)
        layout = Layout(found or self._host.scratch.absolute() / quote_id(self._job.attempt))
        with held(layout.root):
            try:
                result = self._run(layout, recheck, new=found is None)
            except BaseException:
                if self._host.keep_failed:
                    self._on_line(f"the attempt's folder is kept: {layout.root}")
                else:
                    self._remove(layout.root)
                raise
            self._remove(layout.root)
        return result

    def start(self, start: Callable[[Program, Folders], str]) -> str:
        """Stage, and start a program that goes on by itself; :meth:`run` then finds it.

        :param start: starts it, and says what it is called. :returns: that. Errors as :meth:`run`.
        """
        self._clear_dead()
        check_pickles(self._job.step, allowed=self._host.allow_pickle)
        layout = Layout(self._host.scratch.absolute() / quote_id(self._job.attempt))
        stager = Stager(layout=layout, cache=self._cache, stores=self._stores)
        with held(layout.root):
            try:
                staged = self._stage(stager)
                with self._runner.interpreter(self._job) as interpreter:
                    folders = self._folders(stager)
                    program = self._program(layout, staged, interpreter, folders, self._runner.view(folders))
                    mark_detached(layout.root)
                    return start(program, folders)
            except BaseException:
                self._remove(layout.root)
                raise

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

    def _run(self, layout: Layout, recheck: Recheck | None, *, new: bool) -> JobResult:
        check_pickles(self._job.step, allowed=self._host.allow_pickle)
        stager = Stager(layout=layout, cache=self._cache, stores=self._stores)
        staged = self._stage(stager) if new else stager.find(self._job.step)
        with self._runner.interpreter(self._job) as interpreter:
            ended = self._execute(stager, staged, interpreter, new=new)
        stager.check_unchanged(self._job.step.label)
        if recheck is not None:
            recheck()
        result = self._publish(layout, staged, ended)
        self._remove(self._checkpoints)
        return result

    def _stage(self, stager: Stager) -> Staged:
        with os_errors(self._job.step.label, "stage the step", stager.layout.root):
            stager.layout.make()
            staged = stager.stage(self._job.step, self._job.snapshot)
        if stager.linked or stager.fetched:
            self._on_line(f"staged {len(stager.linked)} files by links, fetched {in_words(stager.fetched)}")
        return staged

    def _execute(self, stager: Stager, staged: Staged, interpreter: Interpreter, *, new: bool) -> Ended:
        step, layout = self._job.step, stager.layout
        with os_errors(step.label, "stage the step", layout.root):
            folders = self._folders(stager)
            view = self._runner.view(folders)
            program = self._program(layout, staged, interpreter, folders, view) if new else self._found(layout)
        try:
            return self._runner.run(program, folders)
        except ProgramFailedError as error:
            if step.function is not None and (told := refused(layout, step.label)) is not None:
                raise told from error
            raise

    def _folders(self, stager: Stager) -> Folders:
        step, caches = self._job.step, self._host.cache.absolute() / "xdg"
        for folder in (self._checkpoints, caches):
            folder.mkdir(parents=True, exist_ok=True)
        return Folders(
            layout=stager.layout,
            checkpoints=self._checkpoints,
            caches=caches,
            kernel=kernel_folder(self._host.cache.absolute()) if step.function is not None else None,
            pysite=PYSITE if step.sorted_listings else None,
            originals=frozenset(stager.originals),
        )

    def _program(
        self, layout: Layout, staged: Staged, interpreter: Interpreter, folders: Folders, view: View
    ) -> Program:
        step = self._job.step
        around = Surroundings(folders=folders, staged=staged, interpreter=interpreter, view=view, worker=os.environ)
        if step.function is not None:
            write_call(layout, step, staged, view, allow_pickle=self._host.allow_pickle)
        environment = make_variables(step, around, self._job.secrets)
        return self._found(
            layout,
            argv=command_line(step, layout, staged, interpreter, view),
            cwd=Path(view(working_folder(step, layout))),
            environment=environment,
        )

    def _found(self, layout: Layout, **members: Any) -> Program:
        """The limits under which the program runs, or which the one that runs already was given."""
        job, resources = self._job, self._job.step.resources
        limits: dict[str, Any] = {"argv": (job.step.label,), "cwd": layout.code, "environment": {}} | members
        return Program(
            timeout=job.timeout,
            grace=job.grace,
            memory_limit=resources.memory_bytes if resources else None,
            where=job.step.label,
            **limits,
        )

    def _publish(self, layout: Layout, staged: Staged, ended: Ended) -> JobResult:
        result = publish_results(
            self._job,
            layout,
            staged,
            self._stores,
            cache=self._cache,
            on_line=self._on_line,
            verified=self._stop_if_cancelled,
        )
        return replace(result, seconds=ended.seconds, peak_bytes=ended.peak_bytes or None)

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
