"""How often the pods of jobs have ended, counted once each, though they may be deleted at any time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from kubernetes_double.api.status import ApiError
from kubernetes_double.kubelet.status import ENDED
from kubernetes_double.objects import deletion
from kubernetes_double.objects.resources import PODS, Object
from kubernetes_double.objects.store import Store, key_of

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"


@dataclass(slots=True)
class Count:
    """Of one job: the identities of the pods that have ended, and the indexes that are done."""

    succeeded: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    done: set[int | None] = field(default_factory=set)

    def add(self, pod: Object) -> None:
        """Count a pod that has ended."""
        if pod["status"]["phase"] == "Succeeded":
            self.succeeded.add(pod["metadata"]["uid"])
            self.done.add(index_of(pod))
        else:
            self.failed.add(pod["metadata"]["uid"])


def release(store: Store, pod: Object) -> None:
    """Let a pod go that has been counted, or whose job is no more."""

    def change(pod: Object) -> None:
        metadata = pod["metadata"]
        metadata["finalizers"] = [each for each in metadata.get("finalizers") or [] if each != FINALIZER]
        if not metadata["finalizers"]:
            del metadata["finalizers"]

    if FINALIZER not in (pod["metadata"].get("finalizers") or []):
        return
    with suppress(ApiError), store.locked():
        if deletion.is_ready_to_go(store.update(key_of(PODS, pod), change)):
            store.remove(key_of(PODS, pod))


def index_of(pod: Object) -> int | None:
    """The pod's number in an indexed job."""
    told = (pod["metadata"].get("annotations") or {}).get(INDEX)
    return None if told is None else int(told)


def is_ended(pod: Object) -> bool:
    """Whether the pod has ended, or is deleted without ever having had a node."""
    deleted = "deletionTimestamp" in pod["metadata"] and not pod["spec"].get("nodeName")
    return pod["status"].get("phase") in ENDED or deleted
