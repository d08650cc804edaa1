"""What a deployment says of a compute: its kind and that kind's options, checked when they are read.

An organisation names its computes once, in ``[mlpipe] computes`` or as Airflow connections of type ``mlpipe_compute``;
authors write the names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Literal, NoReturn, get_args

from airflow_mlpipe.compute.airflow import AirflowConfig
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.model.resources import parse_bytes

Pull = Literal["missing", "always", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Processes beside the Airflow worker.  It has no options."""

    kind: ClassVar[str] = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuKind:
    """GPUs of one model that an engine has.

    :param devices: their indexes or UUIDs. :param memory: of each, a Kubernetes quantity.
    """

    devices: tuple[str, ...]
    memory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """Containers of a Docker engine.

    :param host: ``unix:///...``, ``tcp://...``, ``ssh://user@host``; by default ``DOCKER_HOST``, else the usual socket.
    :param tls_ca, tls_cert, tls_key: files for a ``tcp`` engine.
    :param agent_image: of the agent, that moves data where the engine is on another machine.
    :param agent_network: that the agent joins, from which it reaches the datastores.
    :param network: that containers join. :param runtime: of the engine (``nvidia``).
    :param user: of containers whose image names none: ``worker`` (who runs the Airflow worker), ``image`` (root) or
        ``uid:gid``.
    :param read_only: whether the image's own files are read-only for the program.
    :param pull: when images are pulled. :param login: Airflow connection of type ``docker`` for the registry.
    :param gpus: by model name; without them, a step's GPUs are the engine's choice.
    :param gpu_wait_seconds: how long a step waits for GPUs that other containers use.
    """

    kind: ClassVar[str] = "docker"
    host: str | None = None
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    agent_image: str | None = None
    agent_network: str | None = None
    network: str | None = None
    runtime: str | None = None
    user: str = "worker"
    read_only: bool = False
    pull: Pull = "missing"
    login: str | None = None
    gpus: Mapping[str, GpuKind] = field(default_factory=dict)
    gpu_wait_seconds: float = 86_400.0

    @property
    def is_remote(self) -> bool:
        """Whether the engine's disk is another machine's."""
        host = self.host or os.environ.get("DOCKER_HOST", "")
        return bool(host) and not host.startswith("unix://")


ComputeConfig = LocalConfig | DockerConfig | AirflowConfig | KubernetesConfig
KINDS: Mapping[str, type[LocalConfig] | type[DockerConfig] | type[AirflowConfig] | type[KubernetesConfig]] = {
    k.kind: k for k in (LocalConfig, DockerConfig, AirflowConfig, KubernetesConfig)
}


def refuse_no_image(name: str, *, where: str) -> NoReturn:
    """Say that a compute that runs containers needs an image.

    :raises DefinitionError: always.
    """
    raise DefinitionError(
        "this compute runs containers, and the step names no image",
        where=where,
        given=name,
        fix="give it environment=Environment(image=...)",
    )


def parse_compute(document: Mapping[str, Any], *, where: str) -> ComputeConfig:
    """A compute from JSON: ``{"kind": "docker", "host": "ssh://gpu-box"}``.

    :param where: the option or connection, for messages.
    :raises ConfigurationError: for an unknown kind or option, and a value of the wrong type, naming each.
    """
    members = {name: value for name, value in document.items() if value is not None and value != ""}
    kind = KINDS.get(str(members.pop("kind", None)))
    if kind is None:
        raise ConfigurationError("no such kind of compute", where=where, given=document.get("kind"), valid=KINDS)
    known = {f.name: f for f in fields(kind)}
    if unknown := sorted(set(members) - set(known)):
        raise ConfigurationError("unknown option", where=f"{where} ({kind.kind})", given=unknown, valid=sorted(known))
    read = getattr(kind, "read_member", lambda *_: NotImplemented)
    values: dict[str, Any] = {}
    for name, value in members.items():
        found = read(name, value, f"{where}: {name}")
        values[name] = _value(name, value, known[name].default, where) if found is NotImplemented else found
    config = kind(**values)
    if isinstance(config, KubernetesConfig):
        config.check(where)
    return config


def _value(name: str, value: Any, default: Any, where: str) -> Any:
    at = f"{where}: {name}"
    if name == "gpus":
        return _gpus(value, at)
    if name == "pull" and value not in get_args(Pull):
        raise ConfigurationError("not a pull policy", where=at, given=value, valid=get_args(Pull))
    wanted = str if default is None or default is MISSING else type(default)
    if wanted is bool and isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower(), value)
    if wanted is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        try:
            value = float(value)
        except ValueError:
            pass
    if type(value) is not wanted:
        raise ConfigurationError("a value of the wrong type", where=at, given=value, valid=wanted.__name__)
    return value


def _gpus(value: Any, where: str) -> Mapping[str, GpuKind]:
    valid = '{"a100": {"devices": ["0", "1"], "memory": "40Gi"}}'
    if not isinstance(value, Mapping):
        raise ConfigurationError("not GPUs by model", where=where, given=value, valid=valid)
    found = {}
    for name, one in value.items():
        devices = one.get("devices") if isinstance(one, Mapping) else None
        if not isinstance(devices, (list, tuple)) or not devices or set(one) - {"devices", "memory"}:
            raise ConfigurationError("not GPUs of a model", where=f"{where}.{name}", given=one, valid=valid)
        if one.get("memory") is not None:
            parse_bytes(one["memory"], where=f"{where}.{name}.memory")
        found[str(name)] = GpuKind(devices=tuple(map(str, devices)), memory=one.get("memory"))
    return found
