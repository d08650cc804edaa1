"""The status of a pod, from what is known of its containers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubernetes_double.kubelet.tracked import RUNNING, TERMINATED, WAITING, Tracked
from kubernetes_double.objects import clock
from kubernetes_double.objects.resources import Object

ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a status is made of.

    :param initialized: whether all init containers have done their part.
    :param ending: whether nothing will be started any more.
    :param phase: where it is decided; reason and message go with it.
    """

    containers: Sequence[Tracked]
    address: str
    started_at: str
    initialized: bool
    ending: bool
    phase: str | None = None
    reason: str = ""
    message: str = ""


def write(pod: Object, view: View) -> None:
    """Put the status into the pod."""
    status = pod.setdefault("status", {})
    if status.get("phase") in ENDED:
        return
    mains = [each for each in view.containers if not each.init]
    inits = [each for each in view.containers if each.init]
    status["phase"] = view.phase or _phase(mains, initialized=view.initialized)
    status["startTime"] = view.started_at
    status["hostIP"], status["hostIPs"] = "127.0.0.1", [{"ip": "127.0.0.1"}]
    if view.address:
        status["podIP"], status["podIPs"] = view.address, [{"ip": view.address}]
    status["containerStatuses"] = [each.document() for each in sorted(mains, key=lambda each: each.name)]
    if inits:
        status["initContainerStatuses"] = [each.document() for each in inits]
    for key, value in (("reason", view.reason), ("message", view.message)):
        if value:
            status[key] = value
    _conditions(status, view, mains, inits)


def _phase(mains: Sequence[Tracked], *, initialized: bool) -> str:
    if not initialized or all(each.state == WAITING and each.attempt < 0 for each in mains):
        return "Pending"
    return "Running"


def _conditions(status: Object, view: View, mains: Sequence[Tracked], inits: Sequence[Tracked]) -> None:
    condition(status, "PodReadyToStartContainers", bool(view.address) and status["phase"] not in ENDED)
    if view.initialized:
        done = status["phase"] == "Succeeded"
        condition(status, "Initialized", True, "PodCompleted" if done else "")
    else:
        left = [each.name for each in inits if not (each.started if each.sidecar else each.succeeded)]
        told = f"containers with incomplete status: [{' '.join(left)}]"
        condition(status, "Initialized", False, "ContainersNotInitialized", told)
    counted = [*mains, *(each for each in inits if each.sidecar)]
    unready = [each.name for each in counted if not each.ready]
    ready = view.initialized and not unready and status["phase"] == "Running"
    reason, told = "", ""
    if not ready:
        reason, told = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
        if status["phase"] in ENDED:
            reason, told = ("PodCompleted" if status["phase"] == "Succeeded" else "PodFailed"), ""
    for kind in ("Ready", "ContainersReady"):
        condition(status, kind, ready, reason, told)


def condition(status: Object, kind: str, value: bool, reason: str = "", message: str = "") -> None:
    """Set a condition; its time changes only when its value does."""
    conditions: list[dict[str, Any]] = status.setdefault("conditions", [])
    new: dict[str, Any] = {"type": kind, "status": str(value), "lastProbeTime": None}
    new |= {key: told for key, told in (("reason", reason), ("message", message)) if told}
    for number, old in enumerate(conditions):
        if old["type"] == kind:
            same = old["status"] == new["status"]
            conditions[number] = {**new, "lastTransitionTime": old["lastTransitionTime"] if same else clock.now()}
            return
    conditions.append({**new, "lastTransitionTime": clock.now()})


def outcome(mains: Sequence[Tracked]) -> str:
    """The phase of a pod whose containers have all ended."""
    return "Succeeded" if mains and all(each.succeeded for each in mains) else "Failed"


def are_ended(containers: Sequence[Tracked]) -> bool:
    """Whether none of them runs."""
    return all(each.state != RUNNING for each in containers)


__all__ = ["ENDED", "TERMINATED", "View", "are_ended", "condition", "outcome", "write"]
