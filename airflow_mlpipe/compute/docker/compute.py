"""The Docker compute: a container runs the program.

The data of a local engine are moved by the worker, those of an engine on another machine by the agent there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.base import OnLine, Polled, Recheck
from airflow_mlpipe.compute.config import DockerConfig, refuse_no_image
from airflow_mlpipe.compute.docker.describe import describe
from airflow_mlpipe.compute.docker.engine import open_engine, told
from airflow_mlpipe.compute.docker.follow import latest, lines_of, messages
from airflow_mlpipe.compute.docker.images import pin_image
from airflow_mlpipe.compute.docker.remote import RemoteAttempt, kill_remote
from airflow_mlpipe.compute.docker.runner import ContainerRunner
from airflow_mlpipe.compute.docker.spec import gpu_kind
from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model.resources import Gpu
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.engine import Attempt
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage
from airflow_mlpipe.runtime.stores import EngineStores, Host

if TYPE_CHECKING:
    from docker import APIClient


class DockerCompute:
    """Runs steps in containers of an engine.

    :param workspace: URL of the workspace, which tells deployments apart that share an engine.
    :param login: user and password for the registry of a connection; called when an image is pulled.
    """

    def __init__(
        self,
        name: str,
        config: DockerConfig,
        stores: EngineStores,
        host: Host,
        *,
        workspace: str,
        login: Callable[[], dict[str, str] | None] = lambda: None,
    ) -> None:
        self._name = name
        self._config = config
        self._stores = stores
        self._host = host
        self._workspace = hashlib.sha256(workspace.encode()).hexdigest()[:16]
        self._login = login
        self._attempt: Attempt | RemoteAttempt | None = None
        self._cancelled = False

    @property
    def name(self) -> str:
        """See :attr:`Compute.name`."""
        return self._name

    @cached_property
    def _api(self) -> APIClient:
        return open_engine(self._config, where=self._where)

    @property
    def _where(self) -> str:
        return f"compute {self._name!r}"

    def check(self, spec: StepSpec) -> None:
        """See :meth:`Compute.check`."""
        if spec.environment.image is None:
            refuse_no_image(self._name, where=spec.label)
        if spec.resources and isinstance(gpu := spec.resources.gpu, Gpu):
            gpu_kind(gpu, self._config, where=spec.label)
        if self._config.is_remote and self._config.agent_image is None:
            raise ConfigurationError(
                "its engine is on another machine, and it names no image of the agent, which moves the data there",
                where=f"compute {self._name!r}",
                given=self._config.host,
                fix='build one from Dockerfile.agent and set the option "agent_image" of the compute to its name',
            )

    def pin(self, image: str, *, where: str) -> PinnedImage:
        """See :meth:`Compute.pin`."""
        return pin_image(self._api, image, self._config, where=where, auth=self._login())

    def describe(self, job: Job) -> Mapping[str, Any]:
        """See :meth:`Compute.describe`: the container, with its variables."""
        self.check(job.step)
        return describe(job, self._config, self._host, workspace=self._workspace)

    def run(self, job: Job, on_line: OnLine, recheck: Recheck | None = None) -> JobResult:
        """See :meth:`Compute.run`."""
        if self._config.is_remote:
            return self._remote(job, on_line).run(recheck)
        return self._attempt_of(job, on_line)[0].run(recheck)

    def start(self, job: Job, on_line: OnLine) -> str:
        """See :meth:`Detachable.start`.  What an earlier try left of this task, and does the same, is gone on with."""
        if self._config.is_remote:
            return self._remote(job, on_line).start()
        attempt, runner = self._attempt_of(job, on_line)
        if runner.find(job) is not None:
            return runner.found
        return attempt.start(runner.start)

    def poll(self, handle: str, since: str) -> Polled:
        """See :meth:`Detachable.poll`."""
        with told(self._config, self._where):
            running = bool(self._api.inspect_container(handle)["State"]["Running"])
            pieces = list(messages(self._api, handle, since, follow=False))
        last = latest(since, *(moment for moment, _ in pieces))
        return Polled(running=running, lines=tuple(lines_of(text for _, text in pieces)), since=last)

    def kill(self, handle: str) -> None:
        """See :meth:`Detachable.kill`.  Its folder goes with what killed workers leave."""
        if self._config.is_remote:
            kill_remote(self._api, handle, self._config, where=self._where)
            return
        with told(self._config, self._where):
            self._api.remove_container(handle, v=True, force=True)

    def _remote(self, job: Job, on_line: OnLine) -> RemoteAttempt:
        self.check(job.step)
        assert self._config.agent_image is not None
        agent = self.pin(self._config.agent_image, where=self._where)
        self._attempt = attempt = RemoteAttempt(
            job,
            self._config,
            self._api,
            stores=self._stores,
            host=self._host,
            agent=agent,
            workspace=self._workspace,
            on_line=on_line,
        )
        if self._cancelled:
            attempt.cancel()
        return attempt

    def _attempt_of(self, job: Job, on_line: OnLine) -> tuple[Attempt, ContainerRunner]:
        self.check(job.step)
        runner = ContainerRunner(
            job,
            self._config,
            self._api,
            cache=self._host.cache.absolute() / "docker",
            workspace=self._workspace,
            on_line=on_line,
        )
        self._attempt = attempt = Attempt(job, stores=self._stores, host=self._host, on_line=on_line, runner=runner)
        if self._cancelled:
            attempt.cancel()
        return attempt, runner

    def cancel(self) -> None:
        """See :meth:`Compute.cancel`."""
        self._cancelled = True
        if self._attempt is not None:
            self._attempt.cancel()
