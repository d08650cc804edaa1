"""The objects of the cluster, each with its version, and the history that watches are answered from."""

from __future__ import annotations

import copy
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kubernetes_double.api import status
from kubernetes_double.objects import clock
from kubernetes_double.objects.resources import Object, Resource

_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Key:
    """Which object.  :param namespace: empty for what is in none."""

    resource: Resource
    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the history.

    :param old: ``None`` where the object was made.
    :param new: after the change; the last state where it was deleted.
    """

    version: int
    type: str
    key: Key
    old: Object | None
    new: Object


class Store:
    """Objects by key.  What goes in and what comes out are copies."""

    def __init__(self) -> None:
        self._lock = threading.Condition(threading.RLock())
        self._objects: dict[Key, Object] = {}
        self._history: list[Change] = []
        self._version = 1000
        self._floor = 1000
        self._listeners: list[queue.SimpleQueue[Change]] = []

    @property
    def version(self) -> int:
        """Of the newest change."""
        with self._lock:
            return self._version

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nothing else changes meanwhile."""
        with self._lock:
            yield

    def listen(self) -> queue.SimpleQueue[Change]:
        """All changes from now on."""
        listener: queue.SimpleQueue[Change] = queue.SimpleQueue()
        with self._lock:
            self._listeners.append(listener)
        return listener

    def find(self, key: Key) -> Object | None:
        """The object, if there is one."""
        with self._lock:
            return copy.deepcopy(self._objects.get(key))

    def get(self, key: Key) -> Object:
        """The object; a refusal if there is none."""
        found = self.find(key)
        if found is None:
            raise status.not_found(key.resource, key.name)
        return found

    def all(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All of a kind, by namespace and name."""
        return self.snapshot(resource, namespace)[0]

    def snapshot(self, resource: Resource, namespace: str = "") -> tuple[list[Object], int]:
        """All of a kind, and the version that this is the state of."""
        with self._lock:
            found = [
                (key.namespace, key.name, obj)
                for key, obj in self._objects.items()
                if key.resource is resource and namespace in ("", key.namespace)
            ]
            return [copy.deepcopy(obj) for _, _, obj in sorted(found, key=lambda item: item[:2])], self._version

    def create(self, resource: Resource, obj: Object) -> Object:
        """Keep a new object; it gets its identity here."""
        obj = copy.deepcopy(obj)
        metadata = obj.setdefault("metadata", {})
        key = key_of(resource, obj)
        with self._lock:
            if key in self._objects:
                raise status.already_exists(resource, key.name)
            metadata["uid"] = str(uuid.uuid4())
            metadata["creationTimestamp"] = clock.now()
            metadata.pop("deletionTimestamp", None)
            obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
            return self._record("ADDED", key, None, obj)

    def update(self, key: Key, change: Callable[[Object], Object | None]) -> Object:
        """Change an object in place, or replace it by what the function returns; equal objects make no version."""
        with self._lock:
            old = self._objects.get(key)
            if old is None:
                raise status.not_found(key.resource, key.name)
            new = copy.deepcopy(old)
            new = change(new) or new
            if new == old:
                return copy.deepcopy(old)
            return self._record("MODIFIED", key, old, new)

    def remove(self, key: Key) -> Object:
        """Forget an object."""
        with self._lock:
            old = self._objects.get(key)
            if old is None:
                raise status.not_found(key.resource, key.name)
            return self._record("DELETED", key, old, copy.deepcopy(old))

    def _record(self, kind: str, key: Key, old: Object | None, new: Object) -> Object:
        self._version += 1
        new["metadata"]["resourceVersion"] = str(self._version)
        if kind == "DELETED":
            del self._objects[key]
        else:
            self._objects[key] = new
        change = Change(self._version, kind, key, old, new)
        self._history.append(change)
        if len(self._history) > _KEPT:
            self._floor = self._history[-_KEPT].version
            del self._history[:-_KEPT]
        for listener in self._listeners:
            listener.put(change)
        self._lock.notify_all()
        return copy.deepcopy(new)

    def after(self, version: int, timeout: float) -> list[Change]:
        """The changes after a version; waits for the first, and may return none.

        A version that nothing is remembered of is refused (410).
        """
        with self._lock:
            if version < self._floor:
                raise status.gone(f"{version} ({self._floor})")
            if self._version <= version:
                self._lock.wait(timeout)
            first = next((i for i, change in enumerate(self._history) if change.version > version), len(self._history))
            return self._history[first:]

    def forget_history(self) -> None:
        """As a compaction does: older versions can no longer be watched from."""
        with self._lock:
            self._history.clear()
            self._version += 1
            self._floor = self._version

    def wake(self) -> None:
        """Let waiting watches look at their surroundings."""
        with self._lock:
            self._lock.notify_all()


def key_of(resource: Resource, obj: Object) -> Key:
    """Where an object is kept."""
    metadata = obj.get("metadata", {})
    return Key(resource, metadata.get("namespace", "") if resource.namespaced else "", metadata.get("name", ""))
