"""From the GPUs that a step asks for to the nodes that have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.compute.kubernetes_.merge import merge
from airflow_mlpipe.compute.kubernetes_config import GpuNodes, KubernetesConfig
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.resources import Gpu, parse_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuDemand:
    """What a pod says to get GPUs."""

    resource: str
    count: int
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()


def gpu_demand(gpu: Gpu, config: KubernetesConfig, *, where: str) -> GpuDemand:
    """The nodes that have such GPUs, where the deployment says which there are.

    :raises DefinitionError: when this compute has no such GPU.
    """
    if not config.gpus and (gpu.kind or gpu.memory):
        raise DefinitionError(
            "this compute does not say which GPUs it has",
            where=where,
            given=gpu,
            fix='name them in the option "gpus" of the compute, or ask for a number of GPUs only',
        )
    fitting = [nodes for name, nodes in config.gpus.items() if _fits(gpu, name, nodes)]
    if config.gpus and not fitting:
        shown = [name + (f" of {nodes.memory}" if nodes.memory else "") for name, nodes in config.gpus.items()]
        raise DefinitionError("this compute does not have such GPUs", where=where, given=gpu, valid=shown)
    resource = (fitting[0].resource if fitting else None) or config.gpu_resource
    fitting = [nodes for nodes in fitting if (nodes.resource or config.gpu_resource) == resource]
    tolerations = tuple(t for nodes in fitting for t in nodes.tolerations)
    if gpu.kind is None and gpu.memory is None:  # any will do, also one that nobody named
        return GpuDemand(resource=resource, count=gpu.count, tolerations=tolerations)
    if len(fitting) == 1:
        (one,) = fitting
        return GpuDemand(
            resource=resource,
            count=gpu.count,
            node_selector=one.node_selector,
            affinity=one.affinity,
            tolerations=tolerations,
        )
    return GpuDemand(resource=resource, count=gpu.count, affinity=_any_of(fitting), tolerations=tolerations)


def _fits(gpu: Gpu, name: str, nodes: GpuNodes) -> bool:
    if gpu.kind not in (None, name):
        return False
    least = parse_bytes(gpu.memory, where="Gpu(memory)") if gpu.memory else 0
    return not least or (nodes.memory is not None and parse_bytes(nodes.memory, where=name) >= least)


def _any_of(kinds: list[GpuNodes]) -> dict[str, Any]:
    """Nodes of the first kind, or of the second: the terms of node affinity are alternatives."""
    terms: list[Any] = []
    for one in kinds:
        selected = [
            {"key": key, "operator": "In", "values": [value]} for key, value in sorted(one.node_selector.items())
        ]
        affinity = merge(one.affinity, required([{"matchExpressions": selected}])) if selected else one.affinity
        found = (affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or {}
        if not found.get("nodeSelectorTerms"):
            return {}  # it is anywhere
        terms += found["nodeSelectorTerms"]
    return required(terms)


def required(terms: list[Any]) -> dict[str, Any]:
    """Node affinity that wants one of the terms."""
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
