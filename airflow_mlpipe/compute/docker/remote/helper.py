"""The agent in a container beside the program's: one verb from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.remote.archive import archive_of
from airflow_mlpipe.compute.docker.remote.tidy import remove_container
from airflow_mlpipe.compute.docker.remote.volumes import ROLE, Volumes
from airflow_mlpipe.compute.docker.spec import TOP
from airflow_mlpipe.errors import ComputeError, CorruptedError, MLPipeError, StepCancelledError
from airflow_mlpipe.runtime.documents.failure import failure_from_bytes
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.job import PinnedImage

if TYPE_CHECKING:
    from docker import APIClient

AGENT = ("python3", "-m", "airflow_mlpipe.runtime.agent")
_DOCUMENTS = "run/mlpipe"
_ROUND = 0.3  # seconds between looks
_GRACE = 5  # seconds that a cancelled agent gets


class Helper:
    """Runs the agent's verbs for one attempt.

    It is root in its container, without the rights of root but those over files: what the program wrote belongs to
    whomever the image's user is.

    :param stores: ``stores/1``, with credentials; it goes into a file of the container, and with it.
    :param labels: of the attempt. :param cancelled: asked now and then.
    """

    def __init__(
        self,
        api: APIClient,
        config: DockerConfig,
        image: PinnedImage,
        volumes: Volumes,
        *,
        stores: bytes,
        labels: Mapping[str, str],
        where: str,
        on_line: Callable[[str], object],
        cancelled: Callable[[], bool],
    ) -> None:
        self._api, self._config, self._image, self._volumes = api, config, image, volumes
        self._stores, self._labels, self._where = stores, labels, where
        self._on_line, self._cancelled = on_line, cancelled

    def do(self, verb: str, order: Order) -> None:
        """Run a verb to its end.

        :raises MLPipeError: the error that it ended with. :raises ComputeError: when it ended without one.
        :raises StepCancelledError: when the step was cancelled meanwhile.
        :raises docker.errors.APIError: as the engine does.
        """
        container = str(self._api.create_container(**self._wanted(verb))["Id"])
        try:
            documents = {f"{_DOCUMENTS}/job.json": order.to_bytes(), f"{_DOCUMENTS}/stores.json": self._stores}
            self._api.put_archive(container, "/", archive_of(documents, mode=0o400))
            self._api.start(container)
            code = self._wait(container)
            said = self._api.logs(container, stdout=True, stderr=False).decode("utf-8", "replace")
            for line in said.splitlines() if code == 0 else ():
                self._on_line(line)
            if code:
                raise self._failed(container, verb, code)
        finally:
            remove_container(self._api, container)

    def _wanted(self, verb: str) -> dict[str, Any]:
        from docker.types import LogConfig, Mount

        mounts = [Mount(v.target, v.name, no_copy=True) for v in self._volumes.of_agent]
        host = self._api.create_host_config(
            mounts=mounts,
            network_mode=self._config.agent_network,
            cap_drop=["ALL"],
            cap_add=["DAC_OVERRIDE", "FOWNER"],
            security_opt=["no-new-privileges"],
            log_config=LogConfig(type="json-file"),
        )
        command = [
            verb,
            "--root",
            str(TOP),
            "--job",
            f"/{_DOCUMENTS}/job.json",
            "--stores",
            f"/{_DOCUMENTS}/stores.json",
        ]
        return {
            "image": self._image.reference,
            "entrypoint": list(AGENT),
            "command": command,
            "labels": {**self._labels, ROLE: verb},
            "user": "0:0",
            "working_dir": "/",
            "host_config": host,
        }

    def _wait(self, container: str) -> int:
        while True:
            state = self._api.inspect_container(container)["State"]
            if not state["Running"]:
                return int(state["ExitCode"])
            if self._cancelled():
                self._api.stop(container, timeout=_GRACE)
                raise StepCancelledError(
                    "the step was cancelled while its data were moved", where=self._where, exit_code=0
                )
            time.sleep(_ROUND)

    def _failed(self, container: str, verb: str, code: int) -> MLPipeError:
        said = self._api.logs(container).decode("utf-8", "replace").splitlines()
        for line in reversed(said[-3:]):
            try:
                return failure_from_bytes(line.encode(), where=self._where)
            except CorruptedError:
                continue
        return ComputeError(
            f"the agent's {verb} ended with exit code {code}",
            reason="agent",
            where=self._where,
            given=" | ".join(said[-5:])[-500:] or None,
            fix='the option "agent_image" of the compute must name an image with this version of the agent',
        )
