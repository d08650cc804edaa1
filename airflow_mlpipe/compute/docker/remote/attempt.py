"""One attempt on an engine of another machine: the journey's verbs in order, each done there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlpipe.compute.base import OnLine, Recheck
from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.engine import told
from airflow_mlpipe.compute.docker.remote.helper import Helper
from airflow_mlpipe.compute.docker.remote.runner import VolumeRunner
from airflow_mlpipe.compute.docker.remote.tidy import remove_attempt, remove_volume
from airflow_mlpipe.compute.docker.remote.volumes import Volumes, make_volumes
from airflow_mlpipe.compute.docker.spec import labels_of
from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.runtime.candidates import Candidates
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.documents.stores import configs_of, configs_to_bytes
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.orders import make_order
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.remote import TOP, caches_of, checkpoints_of
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.stores import EngineStores, Host
from airflow_mlpipe.runtime.verdict import Ended

if TYPE_CHECKING:
    from docker import APIClient


class RemoteAttempt:
    """Executes one job.

    :param agent: image of the agent. :param workspace: tells deployments apart that share an engine.
    :param on_line: gets each line for the task's log: the program's own, and the agent's few.
    """

    def __init__(
        self,
        job: Job,
        config: DockerConfig,
        api: APIClient,
        *,
        stores: EngineStores,
        host: Host,
        agent: PinnedImage,
        workspace: str,
        on_line: OnLine,
    ) -> None:
        self._job, self._config, self._api = job, config, api
        self._stores, self._host, self._agent = stores, host, agent
        self._workspace, self._on_line = workspace, on_line
        self._where = job.step.label
        self._cancelled = False
        self._runner = VolumeRunner(
            job, config, api, cache=host.cache.absolute() / "docker", workspace=workspace, on_line=on_line
        )

    def cancel(self) -> None:
        """See :meth:`Compute.cancel`."""
        self._cancelled = True
        self._runner.cancel()

    def run(self, recheck: Recheck | None = None) -> JobResult:
        """See :meth:`Compute.run`."""
        with told(self._config, self._where), self._removed_at(lambda: True):
            container = self._find() or self._start()
            ended = self._runner.follow(container, self._program())
            self._runner.stop_if_cancelled()
            if recheck is not None:
                recheck()
            result = self._publish(ended)
        return result

    def start(self) -> str:
        """See :meth:`Detachable.start`."""
        started = False
        with told(self._config, self._where), self._removed_at(lambda: not started):
            container = self._find() or self._start()
            started = True
        return container

    # ---- the verbs -------------------------------------------------------------------------------------------------

    def _find(self) -> str | None:
        """The container of an earlier try, whose attempt is ours then."""
        self._runner.stop_if_cancelled()
        if self._runner.find(self._job) is None:
            return None
        self._job = replace(self._job, attempt=self._runner.attempt)
        return self._runner.found

    def _start(self) -> str:
        helper = self._helper()  # what cannot be reached from there is said before anything is made
        make_volumes(self._api, self._volumes, self._job, self._workspace)
        helper.do("stage", make_order(self._job, self._stores, allow_pickle=self._host.allow_pickle))
        return self._runner.start(self._program(), _FOLDERS)

    def _publish(self, ended: Ended) -> JobResult:
        self._helper().do("publish", Order.of(self._job, code=None, allow_pickle=self._host.allow_pickle))
        result = self._candidates.commit(
            self._job.attempt, where=self._where, seconds=ended.seconds, peak_bytes=ended.peak_bytes or None
        )
        remove_attempt(self._api, self._workspace, self._job.attempt, self._on_line)
        remove_volume(self._api, self._volumes.checkpoints)
        return result

    @contextlib.contextmanager
    def _removed_at(self, wanted: Callable[[], bool]) -> Iterator[None]:
        """Whatever happens in the block: nothing of the attempt stays on the engine, and no candidate."""
        try:
            yield
        finally:
            if wanted():
                remove_attempt(self._api, self._workspace, self._job.attempt, self._on_line)
                try:
                    self._candidates.forget(self._job.attempt)
                except StoreError as error:
                    self._on_line(f"cannot remove the attempt's candidate, gc will: {error}")

    # ---- what they are given ---------------------------------------------------------------------------------------

    @property
    def _volumes(self) -> Volumes:
        return Volumes.of(self._job, self._workspace)

    @property
    def _candidates(self) -> Candidates:
        return Candidates(self._stores.contents("").store)

    def _program(self) -> Program:
        job, resources = self._job, self._job.step.resources
        planned = plan(job)
        return Program(
            argv=planned.argv,
            cwd=Path(planned.cwd),
            environment=planned.environment,
            timeout=job.timeout,
            grace=job.grace,
            memory_limit=resources.memory_bytes if resources else None,
            where=self._where,
        )

    def _helper(self) -> Helper:
        return Helper(
            self._api,
            self._config,
            self._agent,
            self._volumes,
            stores=configs_to_bytes(configs_of(self._job.step, self._stores, folders=False)),
            labels=labels_of(self._job, self._workspace),
            where=self._where,
            on_line=self._on_line,
            cancelled=lambda: self._cancelled,
        )


_LAYOUT = Layout(TOP)
_FOLDERS = Folders(layout=_LAYOUT, checkpoints=checkpoints_of(_LAYOUT), caches=caches_of(_LAYOUT))
