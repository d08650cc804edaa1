"""What goes because something else has gone: dependants of owners, contents of namespaces, claims in use no more."""

from __future__ import annotations

from contextlib import suppress

from kubernetes_double.api.status import ApiError
from kubernetes_double.objects import deletion
from kubernetes_double.objects.resources import ALL, BY_PATH, CLAIMS, NAMESPACES, NODES, PODS, Object, Resource
from kubernetes_double.objects.store import Key, Store, key_of

PROTECTED = "kubernetes.io/pvc-protection"
_BACKGROUND = {"propagationPolicy": "Background"}


class Garbage:
    """The garbage collector, the namespace controller, the protection of claims, the collector of lost pods."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sync(self) -> None:
        """Let go what nothing holds any more."""
        everything = [(resource, obj) for resource in ALL for obj in self._store.all(resource)]
        uids = {obj["metadata"]["uid"] for _, obj in everything}
        deleting = {
            obj["metadata"]["uid"]
            for _, obj in everything
            if deletion.FOREGROUND in (obj["metadata"].get("finalizers") or [])
        }
        for resource, obj in everything:
            owners = obj["metadata"].get("ownerReferences") or []
            going = bool(owners) and all(owner["uid"] not in uids or owner["uid"] in deleting for owner in owners)
            if going and "deletionTimestamp" not in obj["metadata"] and not self._owned(obj):
                self._delete(key_of(resource, obj))
        self._release_owners(everything)
        self._namespaces()
        self._claims()
        self._lost_pods()

    def _owned(self, obj: Object) -> bool:
        """Whether an owner has come since the list was made, or is one of a kind that the double has not."""
        namespace = obj["metadata"].get("namespace", "")
        for owner in obj["metadata"]["ownerReferences"]:
            resource = _kind(owner)
            if resource is None:
                return True
            found = self._store.find(Key(resource, namespace if resource.namespaced else "", owner["name"]))
            if found is not None and found["metadata"]["uid"] == owner["uid"]:
                return deletion.FOREGROUND not in (found["metadata"].get("finalizers") or [])
        return False

    def _delete(self, key: Key) -> None:
        with suppress(ApiError):
            deletion.delete(self._store, key, dict(_BACKGROUND))

    def _release_owners(self, everything: list[tuple[Resource, Object]]) -> None:
        """An owner that goes last can go when nothing belongs to it any more."""
        owned = {
            owner["uid"]
            for resource in ALL
            for obj in self._store.all(resource)
            for owner in obj["metadata"].get("ownerReferences") or []
        }
        for resource, obj in everything:
            if deletion.FOREGROUND in (obj["metadata"].get("finalizers") or []) and obj["metadata"]["uid"] not in owned:
                self._drop_finalizer(key_of(resource, obj), deletion.FOREGROUND)

    def _drop_finalizer(self, key: Key, name: str) -> None:
        def change(obj: Object) -> None:
            metadata = obj["metadata"]
            metadata["finalizers"] = [each for each in metadata.get("finalizers") or [] if each != name]
            if not metadata["finalizers"]:
                del metadata["finalizers"]

        with suppress(ApiError), self._store.locked():
            if deletion.is_ready_to_go(self._store.update(key, change)):
                self._store.remove(key)

    def _namespaces(self) -> None:
        for namespace in self._store.all(NAMESPACES):
            if "deletionTimestamp" not in namespace["metadata"]:
                continue
            name = namespace["metadata"]["name"]
            left = [(res, obj) for res in ALL if res.namespaced for obj in self._store.all(res, name)]
            for resource, obj in left:
                if "deletionTimestamp" not in obj["metadata"]:
                    self._delete(key_of(resource, obj))
            if not left:
                with suppress(ApiError):
                    self._store.remove(key_of(NAMESPACES, namespace))
            elif namespace["status"]["phase"] != "Terminating":
                self._store.update(key_of(NAMESPACES, namespace), _terminating)

    def _claims(self) -> None:
        """Bind new claims, and let those go that no pod uses."""
        used = {
            (pod["metadata"]["namespace"], volume["persistentVolumeClaim"]["claimName"])
            for pod in self._store.all(PODS)
            for volume in pod["spec"].get("volumes") or []
            if "persistentVolumeClaim" in volume and pod["status"].get("phase") not in ("Succeeded", "Failed")
        }
        for claim in self._store.all(CLAIMS):
            key = key_of(CLAIMS, claim)
            if "deletionTimestamp" in claim["metadata"]:
                if (key.namespace, key.name) not in used:
                    self._drop_finalizer(key, PROTECTED)
            elif claim["status"]["phase"] == "Pending":
                with suppress(ApiError):
                    self._store.update(key, _bind)

    def _lost_pods(self) -> None:
        """Pods of nodes that are no more."""
        nodes = {node["metadata"]["name"] for node in self._store.all(NODES)}
        for pod in self._store.all(PODS):
            node = pod["spec"].get("nodeName")
            if node and node not in nodes:
                with suppress(ApiError):
                    self._store.update(key_of(PODS, pod), _failed_with_node)
                    deletion.delete(self._store, key_of(PODS, pod), {"gracePeriodSeconds": 0})


def _kind(owner: Object) -> Resource | None:
    for resource in BY_PATH.values():
        if (resource.api_version, resource.kind) == (owner["apiVersion"], owner["kind"]):
            return resource
    return None


def _terminating(namespace: Object) -> None:
    namespace["status"]["phase"] = "Terminating"


def _bind(claim: Object) -> None:
    spec = claim["spec"]
    spec["volumeName"] = f"pvc-{claim['metadata']['uid']}"
    spec.setdefault("storageClassName", "standard")
    claim["metadata"]["finalizers"] = list(dict.fromkeys([*(claim["metadata"].get("finalizers") or []), PROTECTED]))
    capacity = {"storage": spec["resources"]["requests"]["storage"]}
    claim["status"] = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity}


def _failed_with_node(pod: Object) -> None:
    from kubernetes_double.kubelet.status import ENDED, condition

    status = pod["status"]
    if status.get("phase") not in ENDED:
        status["phase"] = "Failed"
    message = "PodGC: node no longer exists"
    condition(status, "DisruptionTarget", True, "DeletionByPodGC", message)
