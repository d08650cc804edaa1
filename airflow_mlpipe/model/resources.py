"""How much of a machine a step needs: Resources and Gpu.  Never part of a fingerprint."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_mlpipe.errors import DefinitionError

# Kubernetes quantities, https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti|)\Z")


def parse_bytes(value: str | int, *, where: str) -> int:
    """Bytes of a Kubernetes quantity: ``"16Gi"`` is 17179869184.

    :raises DefinitionError: when it is none.
    """
    if type(value) is int and value > 0:
        return value
    match = _QUANTITY.match(value) if isinstance(value, str) else None
    if match is None or (size := int(float(match[1]) * _UNITS[match[2]])) <= 0:
        raise DefinitionError("not an amount of memory", where=where, given=value, valid="like 512Mi, 16Gi or 2G")
    return size


@dataclass(frozen=True, slots=True)
class Gpu:
    """GPUs for a step.

    :param count: how many, at least 1.
    :param kind: the model, as the compute target names it (``"a100"``).
    :param memory: the least memory of each, a Kubernetes quantity.
    """

    count: int = 1
    kind: str | None = None
    memory: str | None = None

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 1:
            raise DefinitionError("GPU count must be a whole number from 1", where="Gpu(count)", given=self.count)
        if self.memory is not None:
            parse_bytes(self.memory, where="Gpu(memory)")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a step needs of a machine.

    :param cpu: cores, may be a fraction.
    :param memory: a Kubernetes quantity; the local compute ends a step that uses more.
    :param gpu: a :class:`Gpu`, or just how many.
    :param shm: shared memory, a Kubernetes quantity.
    :param disk: scratch space, a Kubernetes quantity.
    :raises DefinitionError: for a value that is no amount.
    """

    cpu: float | None = None
    memory: str | None = None
    gpu: Gpu | int | None = None
    shm: str | None = None
    disk: str | None = None

    def __post_init__(self) -> None:
        cpu: object = self.cpu
        if cpu is not None and not (isinstance(cpu, (int, float)) and cpu > 0):
            raise DefinitionError("cpu must be a positive number of cores", where="Resources(cpu)", given=self.cpu)
        for name in ("memory", "shm", "disk"):
            if (value := getattr(self, name)) is not None:
                parse_bytes(value, where=f"Resources({name})")
        if isinstance(self.gpu, int):
            object.__setattr__(self, "gpu", Gpu(self.gpu))
        elif self.gpu is not None and not isinstance(self.gpu, Gpu):
            raise DefinitionError("gpu must be a Gpu or a count", where="Resources(gpu)", given=self.gpu)

    @property
    def memory_bytes(self) -> int | None:
        """``memory`` in bytes."""
        return None if self.memory is None else parse_bytes(self.memory, where="Resources(memory)")
