"""Run: a program in a container, from its creation to its removal.

Guarantees: the container that an earlier try of the same task started is followed to its end, or its finished result
is taken, if it does the same; any other that it left is removed.  When :meth:`ContainerRunner.run` returns or raises,
the container is gone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.devices import devices
from airflow_mlpipe.compute.docker.engine import explanation, open_engine, told
from airflow_mlpipe.compute.docker.following import Following
from airflow_mlpipe.compute.docker.moments import age_of
from airflow_mlpipe.compute.docker.spec import (
    PREFIX,
    ContainerSpec,
    container_spec,
    gpu_kind,
    in_short,
    is_foreign,
    to_engine,
    view_of,
)
from airflow_mlpipe.errors import ConfigurationError, StepCancelledError
from airflow_mlpipe.model.resources import Gpu
from airflow_mlpipe.runtime.environments import Interpreter
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.verdict import Ended, check
from airflow_mlpipe.runtime.view import View

if TYPE_CHECKING:
    from docker import APIClient

_FORGOTTEN_SECONDS = 86_400.0
_ROUND = 0.5  # seconds between looks at the clock while the program is silent


class ContainerRunner:
    """Executes the program of one attempt in a container.

    :param api: of the engine. :param cache: folder of this host for locks. :param workspace: tells deployments apart
        that share an engine.
    """

    def __init__(
        self,
        job: Job,
        config: DockerConfig,
        api: APIClient,
        *,
        cache: Path,
        workspace: str,
        on_line: Callable[[str], object],
    ) -> None:
        assert job.image is not None
        self._job, self._config, self._api = job, config, api
        self._cache, self._workspace, self._on_line = cache, workspace, on_line
        self._where = job.step.label
        self._worker = f"{os.geteuid()}:{os.getegid()}"
        self._foreign = is_foreign(job.image.user, config.user, self._worker)
        self._found: dict[str, Any] | None = None
        self._cancelled = False

    # ---- before ----------------------------------------------------------------------------------------------------

    def find(self, job: Job) -> Path | None:
        """What an earlier try of this task left: its folder, if it does the same and did not fail; else it goes."""
        with told(self._config, self._where):
            labels = [f"{PREFIX}workspace={self._workspace}", f"{PREFIX}step={job.step.label}"]
            for left in self._api.containers(all=True, filters={"label": labels}):
                inspected = self._api.inspect_container(left["Id"])
                if self._found is None and self._is_ours(inspected):
                    self._found = inspected
                else:
                    self._api.remove_container(left["Id"], v=True, force=True)
            self._sweep()
        if self._found is None:
            return None
        labels = self._found["Config"]["Labels"]
        state = "still runs" if self._found["State"]["Running"] else "has ended"
        self._on_line(f"going on with the container of try {labels.get(f'{PREFIX}try', '?')}, which {state}")
        return Path(labels[f"{PREFIX}root"])

    def _sweep(self) -> None:
        """What ended long ago, and nobody came back for, goes with the next step that this engine runs."""
        from docker.errors import NotFound

        labels = [f"{PREFIX}workspace={self._workspace}"]
        for left in self._api.containers(all=True, filters={"label": labels, "status": ["exited", "dead"]}):
            if self._found is not None and left["Id"] == self._found["Id"]:
                continue
            with contextlib.suppress(NotFound):  # another step was faster
                if self._is_forgotten(self._api.inspect_container(left["Id"])["State"]["FinishedAt"]):
                    self._api.remove_container(left["Id"], v=True, force=True)

    def _is_forgotten(self, moment: str) -> bool:
        return age_of(moment) > _FORGOTTEN_SECONDS

    def _is_ours(self, container: dict[str, Any]) -> bool:
        labels, state = container["Config"]["Labels"], container["State"]
        same = bool(self._job.same) and labels.get(f"{PREFIX}same") == self._job.same
        root = Path(labels.get(f"{PREFIX}root", "/nowhere"))
        ended = state["Status"] == "exited" and (state["ExitCode"] == 0 or self._job.resumed)
        well = state["Running"] or ended
        return bool(same and well and (root / "outputs").is_dir())

    @property
    def found(self) -> str:
        """The container that :meth:`find` found."""
        assert self._found is not None
        return str(self._found["Id"])

    @contextlib.contextmanager
    def interpreter(self, job: Job) -> Iterator[Interpreter]:
        """The image's own Python."""
        assert job.image is not None
        yield Interpreter(python=Path("python3"), is_of_host=False, path=job.image.python_path)

    def view(self, folders: Folders) -> View:
        """Everything is below one folder."""
        return view_of(folders, foreign=self._foreign)

    # ---- run -------------------------------------------------------------------------------------------------------

    def run(self, program: Program, folders: Folders) -> Ended:
        """See :meth:`airflow_mlpipe.runtime.runner.Runner.run`."""
        container = self._found["Id"] if self._found else None
        try:
            if container is None:
                container = self._start(program, folders)
            ended = self._follow(container, program)
        finally:
            if container is not None:
                self._remove(container, program.grace)
        check(ended, program.where, program.argv[0], program.timeout, program.memory_limit)
        return ended

    def start(self, program: Program, folders: Folders) -> str:
        """Start it, and leave it to itself; its name."""
        return self._start(program, folders)

    def cancel(self) -> None:
        """See :meth:`airflow_mlpipe.runtime.runner.Runner.cancel`."""
        self._cancelled = True  # the loop looks at it: a signal handler must not talk to the engine

    def _start(self, program: Program, folders: Folders) -> str:
        self._open_folders(folders)
        with self._with_devices(self._spec(program, folders)) as complete:
            if self._cancelled:
                self._raise_cancelled()
            return self._create(complete)

    def _spec(self, program: Program, folders: Folders) -> ContainerSpec:
        return container_spec(self._job, program, folders, self._config, workspace=self._workspace, worker=self._worker)

    def _before_start(self, container: str) -> None:
        """Of a container that was created."""

    @contextlib.contextmanager
    def _with_devices(self, spec: ContainerSpec) -> Iterator[ContainerSpec]:
        gpu = self._job.step.resources.gpu if self._job.step.resources else None
        fitting = gpu_kind(gpu, self._config, where=self._where) if isinstance(gpu, Gpu) else ()
        if not fitting or not isinstance(gpu, Gpu):
            yield spec
            return
        with devices(
            self._api,
            gpu.count,
            fitting,
            host=self._config.host or self._api.base_url,
            cache=self._cache,
            seconds=self._config.gpu_wait_seconds,
            wait=self._wait,
            on_line=self._on_line,
            where=self._where,
        ) as chosen:
            yield replace(spec, gpu_devices=chosen, labels={**spec.labels, f"{PREFIX}gpus": ",".join(chosen)})

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._cancelled:
                self._raise_cancelled()
            time.sleep(_ROUND)

    def _raise_cancelled(self) -> None:
        raise StepCancelledError("the step was cancelled before its program started", where=self._where, exit_code=0)

    def _create(self, spec: ContainerSpec) -> str:
        from docker.errors import APIError

        with told(self._config, self._where):
            try:
                container = str(self._api.create_container(**to_engine(spec, self._api))["Id"])
            except APIError as error:
                raise self._refused(error, spec) from error
            try:
                self._before_start(container)
                self._api.start(container)
            except APIError as error:
                self._remove(container, 0)
                raise self._refused(error, spec) from error
        self._on_line(f"started the container {spec.name}: {in_short(spec)}")
        return container

    def _refused(self, error: Exception, spec: ContainerSpec) -> Exception:
        """What the engine says of a container that it does not start, in words."""
        said = " ".join(explanation(error).split())
        if "could not select device driver" in said:
            return ConfigurationError(
                "the engine has no GPU, or no driver for it",
                where=self._where,
                given=said[:300],
                fix="install the NVIDIA Container Toolkit on its machine, or choose another compute_target",
            )
        if "bind source path does not exist" in said:
            return ConfigurationError(
                "the engine does not see the folders of this worker",
                where=self._where,
                given=said[:300],
                fix="where the worker itself runs in a container, give it the scratch and cache folders under the "
                "paths that they have on the engine's machine",
            )
        for words, number in (("executable file not found", errno.ENOENT), ("no such file", errno.ENOENT)):
            if words in said:
                return _not_started(number, spec, self._where)
        if "permission denied" in said or "exec format error" in said:
            return _not_started(errno.EACCES if "permission" in said else errno.ENOEXEC, spec, self._where)
        return error

    def _open_folders(self, folders: Folders) -> None:
        """To a container's user, who may be another one; the attempt's folder itself stays closed to this host's."""
        layout = folders.layout
        for folder in layout.root.iterdir():
            folder.chmod(0o755 if folder.name in ("inputs", "private") else 0o777)
        if not self._foreign:
            return
        folders.checkpoints.parent.chmod(0o700)
        folders.checkpoints.chmod(0o777)
        for path in (layout.root / "outputs").iterdir():
            path.chmod(0o777)
        for path in (*layout.private.iterdir(), *layout.params.parent.iterdir()):
            path.chmod(0o444 if path.parent == layout.private else 0o666)

    # ---- follow ----------------------------------------------------------------------------------------------------

    def _follow(self, container: str, program: Program) -> Ended:
        reader = open_engine(self._config, where=self._where)  # a connection is busy while it streams
        try:
            with told(self._config, self._where):
                following = Following(
                    self._api, reader, container, program, on_line=self._on_line, since=self._job.log_since
                )
                return following.run(lambda: self._cancelled)
        finally:
            reader.close()

    def _remove(self, container: str, grace: float) -> None:
        """Whatever happened: nothing of ours stays on the engine."""
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        try:
            if self._cancelled:
                self._api.stop(container, timeout=int(grace))
            self._api.remove_container(container, v=True, force=True)
        except (APIError, DockerException, RequestException) as error:
            if getattr(getattr(error, "response", None), "status_code", None) not in (404, 409):
                self._on_line(f"cannot remove the container {container[:12]}: {explanation(error)}")


def _not_started(number: int, spec: ContainerSpec, where: str) -> Exception:
    from airflow_mlpipe.errors import ProgramFailedError

    try:
        check(Ended(exit_code=127, start_error=number), where, spec.command[0], None, None)
    except ProgramFailedError as error:
        return error
    raise AssertionError
