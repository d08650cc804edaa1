"""Whether a pod fits on a node, and if not, why, in the words of the scheduler."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from kubernetes_double.objects.quantities import amounts
from kubernetes_double.objects.resources import Object
from kubernetes_double.objects.selectors import expression

_AFFINITY = "node(s) didn't match Pod's node affinity/selector"


def why_not(pod: Object, node: Object, used: Mapping[str, Decimal]) -> list[str]:
    """The reasons of the first check that refuses the node; none if it fits.  :param used: by the pods on it."""
    spec = pod["spec"]
    if node["spec"].get("unschedulable") and not _tolerates(spec, _UNSCHEDULABLE):
        return ["node(s) were unschedulable"]
    for taint in node["spec"].get("taints") or []:
        if taint["effect"] != "PreferNoSchedule" and not _tolerates(spec, taint):
            return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
    if not _matches(spec, node):
        return [_AFFINITY]
    return list(_resources(pod, node, used))


def is_resolvable(reason: str) -> bool:
    """Whether the end of other pods could make room."""
    return reason.startswith("Insufficient") or reason == "Too many pods"


_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def _tolerates(spec: dict[str, Any], taint: Mapping[str, Any]) -> bool:
    return any(tolerates(toleration, taint) for toleration in spec.get("tolerations") or [])


def tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    """Whether a toleration is one of the taint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _matches(spec: dict[str, Any], node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    wanted = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return wanted is None or any(_term(term, labels, node) for term in wanted["nodeSelectorTerms"])


def _term(term: Mapping[str, Any], labels: Mapping[str, str], node: Object) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    name = {"metadata.name": node["metadata"]["name"]}
    return all(expression(labels, item) for item in expressions) and all(expression(name, item) for item in fields)


def _resources(pod: Object, node: Object, used: Mapping[str, Decimal]) -> Iterator[str]:
    there = amounts(node["status"]["allocatable"])
    if used.get("pods", Decimal(0)) + 1 > there.get("pods", Decimal(110)):
        yield "Too many pods"
    for name, amount in sorted(requested(pod).items()):
        if amount and used.get(name, Decimal(0)) + amount > there.get(name, Decimal(0)):
            yield f"Insufficient {name}"


def requested(pod: Object) -> dict[str, Decimal]:
    """What a pod needs at most at any time of its life.

    The main containers run together with all sidecars, each other init container with the sidecars before it.
    """
    spec = pod["spec"]
    staying: dict[str, Decimal] = {}
    most: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or []:
        needs = amounts((container.get("resources") or {}).get("requests"))
        if container.get("restartPolicy") == "Always":
            staying = _sum(staying, needs)
            most = _max(most, staying)
        else:
            most = _max(most, _sum(staying, needs))
    total = staying
    for container in spec["containers"]:
        total = _sum(total, amounts((container.get("resources") or {}).get("requests")))
    return _sum(_max(most, total), amounts(spec.get("overhead")))


def used_on(pods: list[Object]) -> dict[str, dict[str, Decimal]]:
    """What the pods that have not ended need, by node."""
    used: dict[str, dict[str, Decimal]] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and pod["status"].get("phase") not in ("Succeeded", "Failed"):
            used[node] = _sum(used.get(node, {}), {**requested(pod), "pods": Decimal(1)})
    return used


def _sum(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: left.get(name, Decimal(0)) + right.get(name, Decimal(0)) for name in {**left, **right}}


def _max(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: max(left.get(name, Decimal(0)), right.get(name, Decimal(0))) for name in {**left, **right}}
