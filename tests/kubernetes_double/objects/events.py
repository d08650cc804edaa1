"""Events: what happened to an object, in words."""

from __future__ import annotations

import random

from kubernetes_double.api.status import ApiError
from kubernetes_double.objects import clock
from kubernetes_double.objects.resources import EVENTS, Object
from kubernetes_double.objects.store import Key, Store


class Recorder:
    """Writes the events of one component; the same event again only raises its count."""

    def __init__(self, store: Store, component: str, host: str = "") -> None:
        self._store, self._component, self._host = store, component, host

    def normal(self, obj: Object, reason: str, message: str, field: str = "") -> None:
        """Something that is as it should be."""
        self._record(obj, "Normal", reason, message, field)

    def warning(self, obj: Object, reason: str, message: str, field: str = "") -> None:
        """Something that is not."""
        self._record(obj, "Warning", reason, message, field)

    def _record(self, obj: Object, kind: str, reason: str, message: str, field: str) -> None:
        involved = _reference(obj, field)
        namespace = involved.get("namespace", "default")
        with self._store.locked():
            for event in self._store.all(EVENTS, namespace):
                if (event["involvedObject"]["uid"], event["reason"], event["message"]) == (
                    involved["uid"],
                    reason,
                    message,
                ):
                    self._again(Key(EVENTS, namespace, event["metadata"]["name"]))
                    return
            self._new(involved, namespace, kind, reason, message)

    def _again(self, key: Key) -> None:
        def change(event: Object) -> None:
            event["count"] += 1
            event["lastTimestamp"] = clock.now()

        self._store.update(key, change)

    def _new(self, involved: Object, namespace: str, kind: str, reason: str, message: str) -> None:
        time = clock.now()
        source = {"component": self._component} | ({"host": self._host} if self._host else {})
        event = {
            "metadata": {"name": f"{involved['name']}.{random.getrandbits(64):016x}", "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
            "type": kind,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        try:
            self._store.create(EVENTS, event)
        except ApiError:  # a name that is there already: two events of one moment
            return


def _reference(obj: Object, field: str) -> Object:
    metadata = obj["metadata"]
    reference = {
        "kind": obj["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata["uid"],
        "apiVersion": obj["apiVersion"],
        "resourceVersion": metadata["resourceVersion"],
        "fieldPath": field or None,
    }
    return {key: value for key, value in reference.items() if value is not None}
