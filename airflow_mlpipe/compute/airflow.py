"""A compute that is a place among Airflow's own workers: which executor, queue and pool a step's task goes to.

The program is then a process beside that worker, as with the local compute.  Unlike the others, these are known while a
DAG file is parsed, because Airflow places a task by what its DAG says; so they are named in ``[mlpipe] computes``, and
no connection is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.model.resources import Gpu, Resources, parse_bytes

Takes = Literal["kubernetes", "docker", "nothing"]
_GPU = '{"a100": {"node_selector": {"gpu": "a100"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNodes:
    """Nodes with GPUs of one model.

    :param node_selector: labels. :param tolerations: of Kubernetes, as in a pod. :param memory: of each GPU.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    memory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AirflowConfig:
    """A place among Airflow's workers.

    :param executor: name or alias of one of ``[core] executor``. :param queue: of Celery, or of another executor.
    :param pool: whose slots a step takes, one for each GPU.
    :param takes: in which form the executor takes a task's resources: a pod override, a DockerExecutor's config, or
        not at all; by default as the executor's name says.
    :param gpu_resource: what the cluster calls GPUs. :param gpus: nodes by model of their GPUs.
    """

    kind: ClassVar[str] = "airflow"
    executor: str | None = None
    queue: str | None = None
    pool: str | None = None
    takes: Takes | None = None
    gpu_resource: str = "nvidia.com/gpu"
    gpus: Mapping[str, GpuNodes] = field(default_factory=dict)

    @classmethod
    def read_member(cls, name: str, value: Any, where: str) -> Any:
        """Options that are no plain text, else ``NotImplemented``.  :raises ConfigurationError: for a wrong one."""
        if name == "takes":
            if value not in get_args(Takes):
                raise ConfigurationError("no such form", where=where, given=value, valid=get_args(Takes))
            return value
        if name == "gpus":
            if not isinstance(value, Mapping):
                raise ConfigurationError("not GPUs by model", where=where, given=value, valid=_GPU)
            return {str(kind): _nodes(one, f"{where}.{kind}") for kind, one in value.items()}
        return NotImplemented

    @property
    def form(self) -> Takes:
        """In which form the executor takes resources."""
        if self.takes is not None:
            return self.takes
        name = (self.executor or "").lower()
        return "kubernetes" if "kubernetes" in name else "docker" if "docker" in name else "nothing"

    def nodes(self, gpu: Gpu, *, where: str) -> GpuNodes:
        """The nodes for a step's GPUs.  :raises DefinitionError: when the deployment names none that fit."""
        if gpu.kind is None and gpu.memory is None:
            return GpuNodes()
        least = parse_bytes(gpu.memory, where=where) if gpu.memory else 0
        for name, nodes in self.gpus.items():
            enough = not least or (nodes.memory is not None and parse_bytes(nodes.memory, where=name) >= least)
            if gpu.kind in (None, name) and enough:
                return nodes
        raise DefinitionError("this compute does not have such GPUs", where=where, given=gpu, valid=sorted(self.gpus))


def _nodes(value: Any, where: str) -> GpuNodes:
    known = {"node_selector": dict, "tolerations": list, "memory": str}
    if not isinstance(value, Mapping) or any(
        name not in known or not isinstance(one, known[name]) for name, one in value.items()
    ):
        raise ConfigurationError("not nodes of a model", where=where, given=value, valid=_GPU)
    members = dict(value)
    return GpuNodes(**members | {"tolerations": tuple(members.get("tolerations", ()))})


def pod_override(config: AirflowConfig, resources: Resources, *, where: str) -> dict[str, Any]:
    """What a KubernetesExecutor's pod must have besides its template's, as JSON.

    Airflow merges it into the template by position, and replaces ``resources`` and ``tolerations`` whole.
    """
    limits: dict[str, str] = {}
    requests: dict[str, str] = {}
    if resources.cpu is not None:
        requests["cpu"] = f"{resources.cpu:g}"
    if resources.memory is not None:
        limits["memory"] = requests["memory"] = str(resources.memory)
    if resources.disk is not None:
        limits["ephemeral-storage"] = requests["ephemeral-storage"] = str(resources.disk)
    spec: dict[str, Any] = {}
    if isinstance(gpu := resources.gpu, Gpu):
        limits[config.gpu_resource] = str(gpu.count)
        nodes = config.nodes(gpu, where=where)
        spec |= {"nodeSelector": dict(nodes.node_selector)} if nodes.node_selector else {}
        spec |= {"tolerations": [dict(one) for one in nodes.tolerations]} if nodes.tolerations else {}
    base: dict[str, Any] = {"name": "base", "resources": {"limits": limits, "requests": requests}}
    if resources.shm is not None:
        base["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108 - the container's
        spec["volumes"] = [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(resources.shm)}}]
    return {"spec": {"containers": [base], **spec}}
