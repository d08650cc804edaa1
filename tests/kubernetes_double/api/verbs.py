"""The verbs on objects: get, list, watch, create, update, patch, delete."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from kubernetes_double.api import patch, status
from kubernetes_double.api.call import Answer, Call, Stream, Target
from kubernetes_double.api.watches import Bookmarks, watch
from kubernetes_double.objects import defaults, deletion
from kubernetes_double.objects.admission import Admission
from kubernetes_double.objects.resources import NODES, Object, Resource
from kubernetes_double.objects.selectors import Matches, by_fields, by_labels
from kubernetes_double.objects.store import Key, Store, key_of

# Kinds whose deletion answers with the object, and not with a Status.
_RETURNED = ("Pod", "PersistentVolumeClaim", "ServiceAccount")


class Verbs:
    """What can be done with any kind."""

    def __init__(self, store: Store, admission: Admission) -> None:
        self._store, self._admission = store, admission
        self.bookmarks = Bookmarks()

    def get(self, target: Target) -> Answer:
        """One object."""
        return Answer(200, self._store.get(_key(target)))

    def list_or_watch(self, target: Target, call: Call) -> Answer | Stream:
        """Many objects, or their changes."""
        matches = _selected(target.resource, call)
        if call.flag("watch"):
            return watch(self._store, self.bookmarks, target.resource, target.namespace, call, matches)
        objects, version = self._store.snapshot(target.resource, target.namespace)
        page, more = _page([obj for obj in objects if matches(obj)], call)
        metadata: Object = {"resourceVersion": str(version), **more}
        kind = f"{target.resource.kind}List"
        return Answer(
            200, {"kind": kind, "apiVersion": target.resource.api_version, "metadata": metadata, "items": page}
        )

    def create(self, target: Target, call: Call) -> Answer:
        """A new object."""
        obj = self._admission.create(target.resource, target.namespace, call.body)
        if call.query.get("dryRun"):
            return Answer(201, obj)
        made = self._store.create(target.resource, obj)
        if target.resource.kind == "Job":
            made = self._store.update(key_of(target.resource, made), defaults.job_identity)
        return Answer(201, made)

    def replace(self, target: Target, call: Call) -> Answer:
        """Another object in the place of one."""
        return self._change(target, lambda _old: call.body)

    def patch(self, target: Target, call: Call) -> Answer:
        """Some of an object changed."""
        return self._change(target, lambda old: patch.apply(call.content_type, old, call.body))

    def _change(self, target: Target, change: Callable[[Object], Any]) -> Answer:
        key = _key(target)

        def update(old: Object) -> Object:
            wanted = change(old)
            given = (wanted.get("metadata") or {}).get("resourceVersion") if isinstance(wanted, dict) else None
            if given not in (None, "", old["metadata"]["resourceVersion"]):
                raise status.conflict(key.resource, key.name, status.MODIFIED)
            if target.subresource == "status" or key.resource is NODES:
                return {**old, **(_node(wanted) if key.resource is NODES else {}), "status": wanted.get("status", {})}
            new = self._admission.update(key.resource, old, wanted)
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
            return new

        with self._store.locked():
            changed = self._store.update(key, update)
            if deletion.is_ready_to_go(changed):
                self._store.remove(key)
        return Answer(200, changed)

    def delete(self, target: Target, call: Call) -> Answer:
        """An object less, sooner or later."""
        obj, gone = deletion.delete(self._store, _key(target), _options(call))
        if target.resource.kind in _RETURNED or not gone:
            return Answer(200, obj)
        details = {"name": target.name, "kind": target.resource.plural, "uid": obj["metadata"]["uid"]}
        return Answer(200, {**_SUCCESS, "details": details})

    def delete_many(self, target: Target, call: Call) -> Answer:
        """All that the selectors let through."""
        matches = _selected(target.resource, call)
        for obj in self._store.all(target.resource, target.namespace):
            if matches(obj):
                deletion.delete(self._store, key_of(target.resource, obj), _options(call))
        return Answer(200, dict(_SUCCESS))


_SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def _key(target: Target) -> Key:
    return Key(target.resource, target.namespace, target.name)


def _node(wanted: Object) -> Object:
    """Nodes are what tests declare: labels and taints may be changed, unchecked."""
    return {"metadata": wanted["metadata"], "spec": wanted.get("spec", {})}


def _selected(resource: Resource, call: Call) -> Matches:
    labels = by_labels(call.query.get("labelSelector", ""))
    fields = by_fields(call.query.get("fieldSelector", ""), resource)
    return lambda obj: labels(obj) and fields(obj)


def _options(call: Call) -> Object:
    options = dict(call.body) if isinstance(call.body, dict) else {}
    if "gracePeriodSeconds" in call.query:
        options.setdefault("gracePeriodSeconds", int(call.query["gracePeriodSeconds"]))
    if "propagationPolicy" in call.query:
        options.setdefault("propagationPolicy", call.query["propagationPolicy"])
    return {key: value for key, value in options.items() if value is not None}


def _page(objects: list[Object], call: Call) -> tuple[list[Object], Object]:
    limit = int(call.query.get("limit") or 0)
    token = call.query.get("continue")
    start = json.loads(base64.urlsafe_b64decode(token))["start"] if token else 0
    if not limit or start + limit >= len(objects):
        return objects[start:], {}
    following = base64.urlsafe_b64encode(json.dumps({"start": start + limit}).encode()).decode()
    left = len(objects) - start - limit
    return objects[start : start + limit], {"continue": following, "remainingItemCount": left}
