"""What a pod's status says, as plain questions: pure functions on the JSON of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from airflow_mlpipe.compute.kubernetes_.spec import AGENT, MAIN

Pod = Mapping[str, Any]

ENDED = ("Succeeded", "Failed")


def phase(pod: Pod) -> str:
    """``Pending``, ``Running``, ``Succeeded``, ``Failed``."""
    return str(pod.get("status", {}).get("phase", "Pending"))


def status_of(pod: Pod, container: str) -> Mapping[str, Any]:
    """Of one container; empty before it has one."""
    status = pod.get("status", {})
    every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return next((one for one in every if one["name"] == container), {})


def terminated(pod: Pod, container: str = MAIN) -> Mapping[str, Any] | None:
    """How a container ended, if it has."""
    return (status_of(pod, container).get("state") or {}).get("terminated")


def running_since(pod: Pod, container: str = MAIN) -> str | None:
    """Since when a container runs, if it does."""
    running = (status_of(pod, container).get("state") or {}).get("running")
    return None if running is None else str(running.get("startedAt") or "")


def waiting(pod: Pod) -> Iterator[tuple[str, str, str]]:
    """Containers that wait: name, reason, message."""
    for name in (AGENT, MAIN):
        found = (status_of(pod, name).get("state") or {}).get("waiting") or {}
        if found.get("reason"):
            yield name, str(found["reason"]), str(found.get("message") or "")


def condition(pod: Pod, kind: str) -> Mapping[str, Any]:
    """A condition; empty if the pod has none of this kind."""
    every = pod.get("status", {}).get("conditions") or ()
    return next((one for one in every if one["type"] == kind), {})


def disruption(pod: Pod) -> Mapping[str, Any] | None:
    """Why a cluster ends a pod before its time, if it does."""
    found = condition(pod, "DisruptionTarget")
    return found if found.get("status") == "True" else None


def is_going(pod: Pod) -> bool:
    """Whether it is being deleted."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def has_node(pod: Pod) -> bool:
    """Whether the scheduler found one."""
    return bool(pod.get("spec", {}).get("nodeName"))


def restarts(pod: Pod, container: str = AGENT) -> int:
    """How often a container was started again."""
    return int(status_of(pod, container).get("restartCount") or 0)


def seconds_between(start: str | None, end: str | None) -> float:
    """Between two moments as the API writes them; 0 where one is missing."""
    if not start or not end:
        return 0.0
    return max(0.0, (moment(end) - moment(start)).total_seconds())


def moment(text: str) -> datetime:
    """As the API writes it, with or without a fraction of a second."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").replace(microsecond=int(fraction[:6].ljust(6, "0")))


def age(text: str | None) -> float:
    """Seconds since a moment of the API, by this machine's clock; 0 for one to come, or none."""
    return max(0.0, (datetime.now(timezone.utc) - moment(text)).total_seconds()) if text else 0.0
