"""From a step to the container that runs it: pure functions, so that a file can show what an engine is asked for.

The program's folders are below ``/mlpipe``, the same for every attempt.  Its inputs, its code and what of the host it
reads are bound read-only; its outputs and its own folders are the only places where it can write, besides the image's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.resources import Gpu, Resources, parse_bytes
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.verdict import in_words
from airflow_mlpipe.runtime.view import View

TOP = PurePosixPath("/mlpipe")
PREFIX = "mlpipe."
"""Of our labels."""

_WRITABLE = ("outputs", "work", "home", "tmp", "exchange")
_READ_ONLY = ("inputs", "private")


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder or file of this host in the container."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of the engine in the container."""

    name: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """What an engine is asked for.

    :param image: by digest. :param command: arguments of the image's entry point, or the program if it has none.
    :param cpus: cores. :param memory, shm: bytes. :param gpu_count: ``None`` for none; :param gpu_devices: which ones,
        if the deployment says which there are.
    """

    name: str
    image: str
    command: tuple[str, ...]
    working_dir: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    binds: tuple[Bind, ...] = ()
    volumes: tuple[Volume, ...] = ()
    user: str | None = None
    network: str | None = None
    runtime: str | None = None
    read_only: bool = False
    cpus: float | None = None
    memory: int | None = None
    shm: int | None = None
    gpu_count: int | None = None
    gpu_devices: tuple[str, ...] = field(default=())


def view_of(folders: Folders, *, foreign: bool) -> View:
    """Where a program in a container sees the folders of its attempt.

    :param foreign: whether it runs as another user than the worker, to whom the host's caches are not opened.
    """
    places = [(folders.layout.root, TOP), (folders.checkpoints, TOP / "checkpoints")]
    places.append((folders.caches, TOP / "home" / ".cache" if foreign else TOP / "cache"))
    places += [(path, TOP / name) for name, path in (("kernel", folders.kernel), ("site", folders.pysite)) if path]
    return View(tuple(places))


def container_spec(
    job: Job, program: Program, folders: Folders, config: DockerConfig, *, workspace: str, worker: str
) -> ContainerSpec:
    """The container of a job, on an engine that shares this host's disk.

    :param workspace: tells deployments apart that share an engine. :param worker: ``uid:gid`` of the Airflow worker.
    """
    assert job.image is not None
    return replace(
        plain_spec(job, program, config, workspace=workspace, worker=worker),
        labels=labels_of(job, workspace) | {f"{PREFIX}root": str(folders.layout.root)},
        binds=tuple(_binds(folders, foreign=is_foreign(job.image.user, config.user, worker))),
    )


def plain_spec(job: Job, program: Program, config: DockerConfig, *, workspace: str, worker: str) -> ContainerSpec:
    """The container of a job without its folders."""
    assert job.image is not None
    resources = job.step.resources or Resources()
    gpu = resources.gpu if isinstance(resources.gpu, Gpu) else None
    return ContainerSpec(
        name=name_of(job),
        image=job.image.reference,
        command=program.argv,
        working_dir=str(program.cwd),
        environment=dict(program.environment),
        labels=labels_of(job, workspace),
        user=_user(job.image.user, config.user, worker),
        network=config.network,
        runtime=config.runtime,
        read_only=config.read_only,
        cpus=resources.cpu,
        memory=resources.memory_bytes,
        shm=parse_bytes(resources.shm, where="Resources(shm)") if resources.shm else None,
        gpu_count=gpu.count if gpu else None,
    )


def name_of(job: Job) -> str:
    """``mlpipe-<task>-<digest>``: the task for people, the digest of the attempt to be the only one."""
    task = job.producer.task_id if job.producer else "step"
    readable = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in task)[:40]
    return f"mlpipe-{readable}-{hashlib.sha256(job.attempt.encode()).hexdigest()[:12]}"


def labels_of(job: Job, workspace: str) -> dict[str, str]:
    """Who runs there; by ``step`` the next try finds what an earlier one left."""
    labels = {"workspace": workspace, "step": job.step.label, "same": job.same or "", "attempt": job.attempt}
    if (who := job.producer) is not None:
        labels |= {"dag": who.dag_id, "task": who.task_id, "run": who.run_id, "try": str(who.try_number)}
        labels |= {"map_index": str(who.map_index)} if who.map_index >= 0 else {}
    return {PREFIX + name: value for name, value in labels.items()}


def _binds(folders: Folders, *, foreign: bool) -> Iterable[Bind]:
    root = folders.layout.root
    yield Bind(folders.layout.code, str(TOP / "code"), False)  # a program may write beside its code, as it may locally
    for name in _WRITABLE:
        yield Bind(root / name, str(TOP / name), False)
    for name in _READ_ONLY:
        yield Bind(root / name, str(TOP / name), True)
    yield Bind(folders.checkpoints, str(TOP / "checkpoints"), False)
    if not foreign:
        yield Bind(folders.caches, str(TOP / "cache"), False)
    for name, path in (("kernel", folders.kernel), ("site", folders.pysite)):
        if path is not None:
            yield Bind(path, str(TOP / name), True)
    for original in sorted(folders.originals):  # inputs are links to these, by their own paths
        yield Bind(original, str(original), True)


def _user(image: str, wanted: str, worker: str) -> str | None:
    """``None`` for the image's own."""
    if image or wanted == "image" or (wanted == "worker" and worker.startswith("0:")):
        return None
    return worker if wanted == "worker" else wanted


def is_foreign(image: str, wanted: str, worker: str) -> bool:
    """Whether a container's user is neither the worker's nor root, so that folders have to be opened to it."""
    user = _user(image, wanted, worker) or image or "0"
    return user.partition(":")[0] not in ("0", "root", worker.partition(":")[0])


def gpu_kind(gpu: Gpu, config: DockerConfig, *, where: str) -> tuple[str, ...]:
    """The devices that fit a step's demand; empty where the deployment does not say which there are.

    :raises DefinitionError: when this compute has no such GPU, or not so many.
    """
    if not config.gpus:
        if gpu.kind is None and gpu.memory is None:
            return ()
        raise DefinitionError(
            "this compute does not say which GPUs it has",
            where=where,
            given=gpu,
            fix='name them in the option "gpus" of the compute, or ask for a number of GPUs only',
        )
    least = parse_bytes(gpu.memory, where="Gpu(memory)") if gpu.memory else 0
    fitting = [
        kind
        for name, kind in config.gpus.items()
        if gpu.kind in (None, name) and (not least or (kind.memory and parse_bytes(kind.memory, where=name) >= least))
    ]
    devices = tuple(device for kind in fitting for device in kind.devices)
    if len(devices) < gpu.count:
        raise DefinitionError(
            "this compute does not have such GPUs",
            where=where,
            given=gpu,
            valid=[f"{len(k.devices)} x {n}" + (f" of {k.memory}" if k.memory else "") for n, k in config.gpus.items()],
        )
    return devices


def in_short(spec: ContainerSpec) -> str:
    """What a log shows of a container: image, user, limits; ``airflow mlpipe spec`` shows all."""
    gpus = ",".join(spec.gpu_devices) or spec.gpu_count
    parts = {
        "image": spec.image,
        "user": spec.user,
        "cpus": spec.cpus,
        "memory": in_words(spec.memory) if spec.memory else None,
        "shm": in_words(spec.shm) if spec.shm else None,
        "gpus": gpus,
        "network": spec.network,
    }
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)


def to_engine(spec: ContainerSpec, api: Any) -> dict[str, Any]:
    """The body of the engine's ``POST /containers/create``, as its Python client makes it."""
    from docker.types import DeviceRequest, LogConfig, Mount

    mounts = [Mount(b.target, str(b.source), type="bind", read_only=b.read_only) for b in spec.binds]
    # Without the files that the image has there: these folders were filled by us.
    mounts += [Mount(v.target, v.name, read_only=v.read_only, no_copy=True) for v in spec.volumes]
    devices = None
    if spec.gpu_devices:
        devices = [DeviceRequest(device_ids=list(spec.gpu_devices), capabilities=[["gpu"]])]
    elif spec.gpu_count is not None:
        devices = [DeviceRequest(count=spec.gpu_count, capabilities=[["gpu"]])]
    host = api.create_host_config(
        mounts=mounts,
        nano_cpus=int(spec.cpus * 1e9) if spec.cpus else None,
        mem_limit=spec.memory,
        memswap_limit=spec.memory,
        shm_size=spec.shm,
        device_requests=devices,
        network_mode=spec.network,
        runtime=spec.runtime,
        read_only=spec.read_only or None,
        # Whatever the engine's default is: these can be read back, also by who adopts the container.
        log_config=LogConfig(type="json-file"),
    )
    return {
        "image": spec.image,
        "command": list(spec.command),
        "environment": dict(spec.environment),
        "labels": dict(spec.labels),
        "name": spec.name,
        "user": spec.user,
        "working_dir": spec.working_dir,
        "host_config": host,
    }
