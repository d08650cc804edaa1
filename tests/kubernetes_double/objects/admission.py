"""The way of an object into the store: types, defaults, rules, and what the cluster forbids."""

from __future__ import annotations

import base64
import copy
import random
from typing import Any

from kubernetes_double.api import status
from kubernetes_double.api.status import ApiError
from kubernetes_double.objects import defaults, names, pod_security, rules, schema, uncovered
from kubernetes_double.objects.resources import NAMESPACES, SERVICE_ACCOUNTS, Object, Resource
from kubernetes_double.objects.store import Key, Store

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
# What an update of a pod may touch in its specification.
_MUTABLE = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds")
_ONLY = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


class Admission:
    """Who may come in.  :param priorities: the values of the cluster's priority classes."""

    def __init__(self, store: Store, priorities: dict[str, int]) -> None:
        self._store = store
        self._priorities = priorities

    def create(self, resource: Resource, namespace: str, document: Any) -> Object:
        """The object as it is kept.

        :raises ApiError: 400, 403, 404 or 422; 501 for what the double does not cover.
        """
        obj = copy.deepcopy(schema.check_types(resource, document))
        metadata = obj.setdefault("metadata", {})
        self._namespace(resource, namespace, metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = generated(metadata["generateName"])
        for member in ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "selfLink"):
            metadata.pop(member, None)
        self._fill(resource, obj)
        if causes := rules.check(resource, obj):
            raise status.invalid(resource, metadata.get("name", ""), causes)
        if resource.kind == "Pod":
            self._admit_pod(resource, namespace, obj)
        uncovered.refuse(resource, obj)
        return obj

    def _namespace(self, resource: Resource, namespace: str, metadata: Object) -> None:
        if not resource.namespaced:
            return
        given = metadata.setdefault("namespace", namespace)
        if given != namespace:
            raise status.bad_request(
                f"the namespace of the provided object does not match the namespace sent on the request: {given}"
            )
        found = self._store.find(Key(NAMESPACES, "", namespace))
        if found is None:
            raise status.not_found(NAMESPACES, namespace)
        if found["metadata"].get("deletionTimestamp"):
            raise status.forbidden(
                resource,
                metadata.get("name", ""),
                f"unable to create new content in namespace {namespace} because it is being terminated",
            )

    def _fill(self, resource: Resource, obj: Object) -> None:
        match resource.kind:
            case "Pod":
                obj.setdefault("spec", {})
                self._priority(resource, obj)
                defaults.pod(_with_containers(obj))
            case "Job":
                spec = obj.setdefault("spec", {})
                inner = spec.setdefault("template", {}).setdefault("spec", {})
                inner.setdefault("containers", [])
                defaults.job(obj)
            case "Secret":
                obj.setdefault("type", "Opaque")
                written = obj.pop("stringData", {})
                encoded = {key: base64.b64encode(value.encode()).decode() for key, value in written.items()}
                if encoded:
                    obj["data"] = {**(obj.get("data") or {}), **encoded}
            case "PersistentVolumeClaim":
                obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
                obj["status"] = {"phase": "Pending"}
            case "Namespace":
                obj["spec"], obj["status"] = {"finalizers": ["kubernetes"]}, {"phase": "Active"}
                labels = obj["metadata"].setdefault("labels", {})
                labels["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")

    def _priority(self, resource: Resource, obj: Object) -> None:
        name = obj["spec"].get("priorityClassName")
        if name and name not in self._priorities:
            raise status.forbidden(
                resource, obj["metadata"].get("name", ""), f"no PriorityClass with name {name} was found"
            )
        obj["spec"]["priority"] = self._priorities.get(name, 0)

    def _admit_pod(self, resource: Resource, namespace: str, obj: Object) -> None:
        name, account = obj["metadata"]["name"], obj["spec"]["serviceAccountName"]
        if self._store.find(Key(SERVICE_ACCOUNTS, namespace, account)) is None:
            why = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise status.forbidden(resource, name, why)
        labels = self._store.get(Key(NAMESPACES, "", namespace))["metadata"].get("labels") or {}
        if violated := pod_security.violations(obj["spec"], labels):
            raise status.forbidden(resource, name, violated)

    def update(self, resource: Resource, old: Object, document: Any) -> Object:
        """The object as it is kept after a replacement or a patch of all but its status."""
        new = copy.deepcopy(schema.check_types(resource, document))
        name, metadata = old["metadata"]["name"], new.setdefault("metadata", {})
        for member in ("uid", "name", "namespace"):
            if metadata.get(member, old["metadata"].get(member)) != old["metadata"].get(member):
                cause = names.wrong(f"metadata.{member}", metadata[member], "field is immutable")
                raise status.invalid(resource, name, [cause])
        for member in ("uid", "name", "namespace", "creationTimestamp", "deletionTimestamp", "generation"):
            metadata.pop(member, None)
            if member in old["metadata"]:
                metadata[member] = old["metadata"][member]
        if "status" in old:
            new["status"] = old["status"]
        new["apiVersion"], new["kind"] = old["apiVersion"], old["kind"]
        error = self._change(resource, old, new)
        if error is not None:
            raise error
        if causes := rules.check(resource, new):
            raise status.invalid(resource, name, causes)
        return new

    def _change(self, resource: Resource, old: Object, new: Object) -> ApiError | None:
        name = old["metadata"]["name"]
        if resource.kind == "Pod" and _immutable(old["spec"]) != _immutable(new.get("spec") or {}):
            return status.invalid(resource, name, [names.not_allowed("spec", _ONLY)])
        if resource.kind == "Job" and old["spec"].get("template") != (new.get("spec") or {}).get("template"):
            cause = names.wrong("spec.template", "", "field is immutable")
            return status.invalid(resource, name, [cause])
        if old.get("immutable") and (old.get("data") != new.get("data") or not new.get("immutable")):
            return status.invalid(
                resource, name, [names.not_allowed("data", "field is immutable when `immutable` is set")]
            )
        return None


def _with_containers(obj: Object) -> Object:
    obj["spec"].setdefault("containers", [])
    return obj


def _immutable(spec: Object) -> Object:
    kept = {key: value for key, value in spec.items() if key not in _MUTABLE}
    for kind in ("containers", "initContainers"):
        kept[kind] = [{k: v for k, v in container.items() if k != "image"} for container in spec.get(kind) or []]
    return kept


def generated(prefix: str) -> str:
    """A name that nothing has yet, very likely."""
    return prefix[:58] + suffix()


def suffix() -> str:
    """Five letters or digits that make no word."""
    return "".join(random.choices(_LETTERS, k=5))
