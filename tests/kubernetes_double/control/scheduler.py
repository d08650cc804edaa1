"""The scheduler: gives a pod a node, or says why none will do."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from kubernetes_double.control.fit import is_resolvable, used_on, why_not
from kubernetes_double.kubelet.status import condition
from kubernetes_double.objects.events import Recorder
from kubernetes_double.objects.quantities import amounts
from kubernetes_double.objects.resources import CLAIMS, NODES, PODS, Object
from kubernetes_double.objects.store import Key, Store, key_of

_NAME = "default-scheduler"


class Scheduler:
    """Looks at all pods without a node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._events = Recorder(store, _NAME)

    def sync(self) -> None:
        """Place what can be placed: first what matters most, then what has waited longest."""
        pods = self._store.all(PODS)
        waiting = [pod for pod in pods if _waits(pod)]
        waiting.sort(key=lambda pod: (-pod["spec"]["priority"], int(pod["metadata"]["resourceVersion"])))
        for pod in waiting:
            nodes = self._store.all(NODES)
            used = used_on(self._store.all(PODS))
            refusals = {
                node["metadata"]["name"]: why_not(pod, node, used.get(node["metadata"]["name"], {})) for node in nodes
            }
            fitting = [node for node in nodes if not refusals[node["metadata"]["name"]]]
            trouble = self._volumes(pod)
            if fitting and not trouble:
                self._bind(pod, min(fitting, key=lambda node: _load(node, used))["metadata"]["name"])
            else:
                self._refuse(pod, _told(refusals, trouble))

    def _volumes(self, pod: Object) -> str:
        for volume in pod["spec"].get("volumes") or []:
            if "persistentVolumeClaim" in volume:
                name = volume["persistentVolumeClaim"]["claimName"]
                claim = self._store.find(Key(CLAIMS, pod["metadata"]["namespace"], name))
                if claim is None:
                    return f'persistentvolumeclaim "{name}" not found'
                if "deletionTimestamp" in claim["metadata"]:
                    return f'persistentvolumeclaim "{name}" is being deleted'
        return ""

    def _bind(self, pod: Object, node: str) -> None:
        def change(pod: Object) -> None:
            pod["spec"]["nodeName"] = node
            condition(pod["status"], "PodScheduled", True)

        bound = self._store.update(key_of(PODS, pod), change)
        metadata = pod["metadata"]
        told = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._events.normal(bound, "Scheduled", told)

    def _refuse(self, pod: Object, message: str) -> None:
        for known in pod["status"].get("conditions") or []:
            if known["type"] == "PodScheduled" and known.get("message") == message:
                return

        def change(pod: Object) -> None:
            condition(pod["status"], "PodScheduled", False, "Unschedulable", message)

        changed = self._store.update(key_of(PODS, pod), change)
        self._events.warning(changed, "FailedScheduling", message)


def _waits(pod: Object) -> bool:
    return (
        not pod["spec"].get("nodeName")
        and "deletionTimestamp" not in pod["metadata"]
        and pod["spec"]["schedulerName"] == _NAME
        and pod["status"].get("phase") == "Pending"
    )


def _load(node: Object, used: dict[str, dict[str, Decimal]]) -> tuple[Decimal, str]:
    """How full a node is; the emptiest is chosen."""
    name, there = node["metadata"]["name"], amounts(node["status"]["allocatable"])
    mine = used.get(name, {})
    full = [mine.get(kind, Decimal(0)) / there[kind] for kind in ("cpu", "memory") if there.get(kind)]
    return max([*full, Decimal(0)]), name


def _told(refusals: dict[str, list[str]], trouble: str) -> str:
    """As the scheduler says it."""
    total = len(refusals)
    if not total:
        return "no nodes available to schedule pods"
    if trouble:
        reasons, helpless = trouble, total
    else:
        counted = Counter(reason for found in refusals.values() for reason in found)
        reasons = ", ".join(sorted(f"{number} {reason}" for reason, number in counted.items()))
        helpless = sum(1 for found in refusals.values() if not all(map(is_resolvable, found)))
    parts = []
    if total - helpless:
        parts.append(f"{total - helpless} No preemption victims found for incoming pod")
    if helpless:
        parts.append(f"{helpless} Preemption is not helpful for scheduling")
    return f"0/{total} nodes are available: {reasons}. preemption: 0/{total} nodes are available: {', '.join(parts)}."
