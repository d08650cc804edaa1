"""From a task, its configuration and the deployment's options to a container: a pure function, held by golden files.

What it makes is the document that the Engine API takes to create a container.  Nothing secret is in it: the workload,
with the task's token, goes into the container as a file (:func:`workload_archive`), which ``docker inspect`` does not
show.
"""

from __future__ import annotations

import io
import re
import tarfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.executors.config import MEMBER, DockerConfig
from airflow_mlpipe.executors.mount import Mount
from airflow_mlpipe.executors.options import SECTION, Options, is_secret

_PREFIX = "airflow_mlpipe.executor"
DEPLOYMENT = f"{_PREFIX}.deployment"
TASK_INSTANCE = f"{_PREFIX}.task_instance"
LOG = f"{_PREFIX}.log"
LOG_SIZE = f"{_PREFIX}.log_size"

WORKLOAD = "airflow-workload.json"
COMMAND = ("python", "-m", "airflow.sdk.execution_time.execute_workload", "--json-path", f"/{WORKLOAD}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The task instance that a container runs.

    :param id: the UUID of this try. :param log_path: of its log, below Airflow's log folder.
    :param log_size: bytes that the log has already, from before a deferral; tells whether the container wrote to it.
    """

    id: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    try_number: int
    log_path: str = ""
    log_size: int = 0

    def __str__(self) -> str:
        mapped = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}/{self.run_id}/{self.task_id}{mapped} (try {self.try_number})"


def container_name(task: Task, unique: str) -> str:
    """A name to recognise it by.

    :param unique: makes it one: a task that was deferred, or was stuck in a queue, has several containers.
    """
    words = re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{task.dag_id}.{task.task_id}")[:80]
    return f"airflow-{words}-{unique}"


def container_document(task: Task, config: DockerConfig, options: Options) -> dict[str, Any]:
    """The body of ``POST /containers/create``.

    :raises DefinitionError: when the task asks for what the deployment does not allow, or no image is named.
    """
    image = config.image or options.image
    if image is None:
        raise DefinitionError(
            "no image is named",
            where=f"executor_config[{MEMBER!r}]['image']",
            fix=f"name one there, or in [{SECTION}] image",
        )
    return {
        "Image": image,
        "Cmd": list(COMMAND),
        "Env": [f"{name}={value}" for name, value in sorted(_environment(config, options).items())],
        "Labels": _labels(task, options),
        "HostConfig": _host_config(config, options),
    }


def workload_archive(workload: bytes) -> bytes:
    """The file with the workload, as the engine takes files.

    Everyone in the container may read it, whoever the image's user is; nobody but the task is in the container.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(WORKLOAD)
        info.size, info.mode = len(workload), 0o444
        archive.addfile(info, io.BytesIO(workload))
    return buffer.getvalue()


def _environment(config: DockerConfig, options: Options) -> dict[str, str]:
    if secret := sorted(name for name in config.environment if is_secret(name)):
        raise DefinitionError(
            "whoever may inspect the container would see this secret",
            where=f"executor_config[{MEMBER!r}]['environment']",
            given=secret,
            fix="leave it out: a task gets its connections from the API server",
        )
    return {
        # Airflow refuses DAGs whose tasks name an executor that its own configuration does not.
        "AIRFLOW__CORE__EXECUTOR": options.executors,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": options.api_url,
        **options.environment,
        **config.environment,
    }


def _labels(task: Task, options: Options) -> dict[str, str]:
    return {
        **options.labels,
        DEPLOYMENT: options.deployment,
        TASK_INSTANCE: task.id,
        f"{_PREFIX}.dag": task.dag_id,
        f"{_PREFIX}.run": task.run_id,
        f"{_PREFIX}.task": task.task_id,
        f"{_PREFIX}.map_index": str(task.map_index),
        f"{_PREFIX}.try": str(task.try_number),
        LOG: task.log_path,
        LOG_SIZE: str(task.log_size),
    }


def _host_config(config: DockerConfig, options: Options) -> dict[str, Any]:
    host: dict[str, Any] = {
        # Its exit code is read after its end, and then it is removed.
        "AutoRemove": False,
        "Mounts": [mount.document() for mount in (*options.mounts, *_mounts(config, options))],
    }
    if network := _network(config, options):
        host["NetworkMode"] = network
    if urlsplit(options.api_url).hostname == "host.docker.internal":
        host["ExtraHosts"] = ["host.docker.internal:host-gateway"]
    if config.cpus is not None:
        host["NanoCpus"] = round(config.cpus * 10**9)
    if config.memory_bytes is not None:
        # The same number twice: Docker would add as much swap again.
        host |= {"Memory": config.memory_bytes, "MemorySwap": config.memory_bytes}
    if config.shm_bytes is not None:
        host["ShmSize"] = config.shm_bytes
    if config.gpus is not None:
        host["DeviceRequests"] = [_device_request(config.gpus)]
    return host


def _device_request(gpus: object) -> dict[str, Any]:
    """See ``DeviceRequest`` of the Engine API; a count of -1 is all."""
    ids = list(gpus) if isinstance(gpus, tuple) else []
    count = 0 if ids else -1 if gpus == "all" else gpus
    return {"Driver": "", "Count": count, "DeviceIDs": ids, "Capabilities": [["gpu"]], "Options": {}}


def _mounts(config: DockerConfig, options: Options) -> tuple[Mount, ...]:
    """A folder of the engine's machine is all that the engine's root may read: the deployment says which."""
    for mount in config.parsed_mounts:
        if not mount.is_below(options.allowed_mounts):
            raise DefinitionError(
                "tasks may not mount this",
                where=f"executor_config[{MEMBER!r}]['mounts']",
                given=mount.source,
                valid=options.allowed_mounts or f"nothing, [{SECTION}] allowed_mounts is empty",
            )
    return config.parsed_mounts


def _network(config: DockerConfig, options: Options) -> str | None:
    if config.network in (None, options.network) or config.network in options.allowed_networks:
        return config.network or options.network
    raise DefinitionError(
        "tasks may not use this network",
        where=f"executor_config[{MEMBER!r}]['network']",
        given=config.network,
        valid=options.allowed_networks or f"the deployment's, [{SECTION}] allowed_networks is empty",
    )
