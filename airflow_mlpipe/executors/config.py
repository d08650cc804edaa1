"""What one task asks of the executor: ``executor_config={"docker": {...}}``, checked member by member."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.executors.mount import Mount, parse_mount
from airflow_mlpipe.model.resources import parse_bytes

MEMBER = "docker"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# Docker's own least, and what it gives where nothing is said.
_LEAST_MEMORY = 6 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerConfig:
    """The container of one task.  Everything that is not given is the deployment's (section ``[mlpipe_docker]``).

    Give it to a task as ``executor_config=DockerConfig(gpus=1).executor_config()``; the plain dictionary that this
    returns may as well be written by hand.

    :param image: with the Airflow that the task needs, and what the task imports.
    :param cpus: cores, may be a fraction. :param memory: a Kubernetes quantity (``"16Gi"``); more ends the task.
    :param gpus: how many; ``"all"``; or the ids of certain ones, as ``nvidia-smi -L`` shows them.
    :param shm: size of ``/dev/shm``, a Kubernetes quantity; loaders of PyTorch need more than Docker's 64 MiB.
    :param mounts: ``"SOURCE:TARGET"`` (read-only) or ``"SOURCE:TARGET:rw"``, from what ``allowed_mounts`` names.
    :param network: one of ``allowed_networks``.
    :param environment: variables; whoever may inspect the container sees them, so no secrets.
    :raises DefinitionError: for a value of the wrong form, naming the member.
    """

    image: str | None = None
    cpus: float | None = None
    memory: str | int | None = None
    gpus: int | str | Sequence[str] | None = None
    shm: str | int | None = None
    mounts: Sequence[str] = ()
    network: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("image", "network"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value.strip()):
                raise _wrong(name, value, "a name")
        cpus: object = self.cpus
        if cpus is not None and not (type(cpus) in (int, float) and 0.01 <= cpus < 10_000):  # type: ignore[operator]
            raise _wrong("cpus", self.cpus, "a number of cores from 0.01")
        if self.memory is not None and parse_bytes(self.memory, where=_where("memory")) < _LEAST_MEMORY:
            raise _wrong("memory", self.memory, "6Mi or more, like 512Mi or 16Gi")
        if self.shm is not None:
            parse_bytes(self.shm, where=_where("shm"))
        object.__setattr__(self, "gpus", _gpus(self.gpus))
        object.__setattr__(self, "mounts", _mounts(self.mounts))
        object.__setattr__(self, "environment", _environment(self.environment))

    @property
    def memory_bytes(self) -> int | None:
        """``memory`` in bytes."""
        return None if self.memory is None else parse_bytes(self.memory, where=_where("memory"))

    @property
    def shm_bytes(self) -> int | None:
        """``shm`` in bytes."""
        return None if self.shm is None else parse_bytes(self.shm, where=_where("shm"))

    @property
    def parsed_mounts(self) -> tuple[Mount, ...]:
        """``mounts``, parsed."""
        return tuple(parse_mount(text, where=_where("mounts")) for text in self.mounts)

    def executor_config(self) -> dict[str, Any]:
        """The value of a task's ``executor_config``: plain, so that the DAG serialises to the same bytes each time."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return {MEMBER: {name: value for name, value in plain.items() if value not in (None, [], {})}}


def read_config(executor_config: Mapping[str, Any] | None) -> DockerConfig:
    """The member ``docker`` of a task's ``executor_config``; other members belong to other executors.

    :raises DefinitionError: for an unknown member or a wrong value, naming the member.
    """
    given = (executor_config or {}).get(MEMBER)
    if given is None:
        return DockerConfig()
    names = tuple(f.name for f in fields(DockerConfig))
    if not isinstance(given, Mapping):
        raise DefinitionError("not a dictionary", where=f"executor_config[{MEMBER!r}]", given=given, valid=names)
    if unknown := sorted(str(name) for name in set(given) - set(names)):
        raise DefinitionError("unknown member", where=f"executor_config[{MEMBER!r}]", given=unknown, valid=names)
    return DockerConfig(**given)


def _where(member: str) -> str:
    return f"executor_config[{MEMBER!r}][{member!r}]"


def _wrong(member: str, given: object, valid: str) -> DefinitionError:
    return DefinitionError("wrong value", where=_where(member), given=given, valid=valid)


def _gpus(value: object) -> object:
    """A number, ``"all"`` or a tuple of ids; 0 is none."""
    if value is None or value == "all" or (type(value) is int and value > 0):
        return value
    if type(value) is int and value == 0:
        return None
    if isinstance(value, (list, tuple)) and value and all(isinstance(one, str) and one for one in value):
        return tuple(value)
    raise _wrong("gpus", value, 'a number, "all", or a list of ids like ["0", "GPU-3faa8e21"]')


def _mounts(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise _wrong("mounts", value, 'a list like ["/data:/data:ro"]')
    for text in value:
        parse_mount(text, where=_where("mounts"))
    return tuple(value)


def _environment(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _wrong("environment", value, "a dictionary of texts by name")
    for name, text in value.items():
        if not (isinstance(name, str) and _NAME.match(name)):
            raise _wrong("environment", name, "names of environment variables")
        if not isinstance(text, str):
            raise DefinitionError(
                "the value is no text",
                where=f"{_where('environment')}[{name!r}]",
                given=type(text).__name__,
                valid="a text",
            )
    return dict(sorted(value.items()))
