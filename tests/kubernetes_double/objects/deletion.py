"""How objects go: at once, after a grace period, or when their last finalizer is gone."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from kubernetes_double.api import status
from kubernetes_double.objects import clock
from kubernetes_double.objects.resources import Object
from kubernetes_double.objects.store import Key, Store

FOREGROUND = "foregroundDeletion"
ENDED = ("Succeeded", "Failed")


def delete(store: Store, key: Key, options: Object) -> tuple[Object, bool]:
    """Begin or complete a deletion.

    :param options: ``DeleteOptions``: grace period, preconditions, what becomes of dependants.
    :returns: the object, and whether it is gone.
    """
    with store.locked():
        obj = store.get(key)
        _preconditions(key, obj, options.get("preconditions") or {})
        _propagate(store, key, obj, options)
        grace = _grace(key, obj, options)
        kept = store.get(key)["metadata"].get("finalizers")
        if grace == 0 and not kept and key.resource.kind != "Namespace":
            return store.remove(key), True
        return store.update(key, lambda obj: _mark(obj, grace)), False


def _preconditions(key: Key, obj: Object, wanted: Object) -> None:
    for member, told in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        actual = obj["metadata"].get(member)
        if member in wanted and wanted[member] != actual:
            why = f"Precondition failed: {told} in precondition: {wanted[member]}, {told} in object meta: {actual}"
            raise status.conflict(key.resource, key.name, why)


def _grace(key: Key, obj: Object, options: Object) -> int:
    if key.resource.kind != "Pod":
        return 0
    if "nodeName" not in obj["spec"] or obj["status"].get("phase") in ENDED:
        return 0
    asked = options.get("gracePeriodSeconds")
    return int(obj["spec"]["terminationGracePeriodSeconds"] if asked is None else asked)


def _propagate(store: Store, key: Key, obj: Object, options: Object) -> None:
    policy = options.get("propagationPolicy")
    if policy is None and key.resource.kind == "Job":
        policy = "Orphan"  # what an apiserver does with jobs, for the sake of old clients
    if policy == "Orphan":
        orphan(store, obj["metadata"]["uid"])
    elif policy == "Foreground":

        def hold(obj: Object) -> None:
            finalizers = obj["metadata"].setdefault("finalizers", [])
            if FOREGROUND not in finalizers:
                finalizers.append(FOREGROUND)

        store.update(key, hold)


def orphan(store: Store, uid: str) -> None:
    """Let nothing belong to the object any more."""
    from kubernetes_double.objects.resources import ALL
    from kubernetes_double.objects.store import key_of

    def release(obj: Object) -> None:
        metadata = obj["metadata"]
        metadata["ownerReferences"] = [o for o in metadata["ownerReferences"] if o["uid"] != uid]
        if not metadata["ownerReferences"]:
            del metadata["ownerReferences"]

    for resource in ALL:
        for obj in store.all(resource):
            if any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or []):
                store.update(key_of(resource, obj), release)


def _mark(obj: Object, grace: int) -> None:
    metadata = obj["metadata"]
    before = metadata.get("deletionGracePeriodSeconds")
    if before is not None and before <= grace:
        return
    time = datetime.now(timezone.utc) + timedelta(seconds=grace)
    metadata["deletionTimestamp"] = clock.written(time)
    metadata["deletionGracePeriodSeconds"] = grace


def finish(store: Store, key: Key, uid: str) -> None:
    """The last word of whoever had to clean up: the object goes, unless a finalizer holds it."""
    with store.locked():
        obj = store.find(key)
        if obj is None or obj["metadata"]["uid"] != uid:
            return
        if obj["metadata"].get("finalizers"):
            store.update(key, lambda obj: _mark(obj, 0))
        else:
            store.remove(key)


def is_ready_to_go(obj: Object) -> bool:
    """Whether nothing holds an object that is being deleted."""
    metadata = obj["metadata"]
    return (
        "deletionTimestamp" in metadata
        and metadata.get("deletionGracePeriodSeconds") == 0
        and not metadata.get("finalizers")
    )
