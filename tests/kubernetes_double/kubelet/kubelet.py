"""The kubelets of all nodes: a worker for each pod that has a node."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field

from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.pod import PodWorker
from kubernetes_double.kubelet.sandbox import claim_volume
from kubernetes_double.objects.resources import CLAIMS, CONFIG_MAPS, PODS, SECRETS
from kubernetes_double.objects.store import Change, Key, Store
from kubernetes_double.options import Options


@dataclass(slots=True)
class Workers:
    """The workers by the identities of their pods."""

    by_uid: dict[str, PodWorker] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, uid: str) -> PodWorker | None:
        """The one of a pod."""
        with self.lock:
            return self.by_uid.get(uid)

    def all(self) -> list[PodWorker]:
        """Every one."""
        with self.lock:
            return list(self.by_uid.values())


class Kubelet:
    """Gives each pod its worker, and tells workers of what concerns them."""

    def __init__(self, engine: Engine, store: Store, options: Options) -> None:
        self._engine, self._store, self._options = engine, store, options
        self.workers = Workers()
        self._changes = store.listen()
        self._stopped = threading.Event()
        self._garbage: set[str] = set()

    def start(self) -> None:
        """Follow the store and the engine."""
        self._engine.listen(self._ended)
        threading.Thread(target=self._run, name="kubernetes-double-kubelet", daemon=True).start()

    def stop(self) -> None:
        """Leave the pods to themselves."""
        self._stopped.set()
        for worker in self.workers.all():
            for each in worker.containers:
                each.no_more.set()
            worker.done.set()
            worker.wake()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._hear(self._changes.get(timeout=0.5))
            except queue.Empty:
                self._collect()

    def _hear(self, change: Change) -> None:
        if change.key.resource is PODS:
            self._pod(change)
        elif change.key.resource in (SECRETS, CONFIG_MAPS):
            for worker in self.workers.all():
                worker.wake()
        elif change.key.resource is CLAIMS and change.type == "DELETED":
            self._garbage.add(claim_volume(self._engine, change.new))
            self._collect()

    def _pod(self, change: Change) -> None:
        uid = change.new["metadata"]["uid"]
        worker = self.workers.get(uid)
        if worker is None and change.type != "DELETED" and change.new["spec"].get("nodeName"):
            current = self._store.find(change.key)
            if current is None or current["metadata"]["uid"] != uid:
                return
            worker = PodWorker(self._engine, self._store, self._options, change.key, current)
            with self.workers.lock:
                self.workers.by_uid[uid] = worker
            worker.start()
        elif worker is not None and _concerns(change):
            worker.wake()
        if change.type == "DELETED":
            with self.workers.lock:
                self.workers.by_uid.pop(uid, None)

    def _collect(self) -> None:
        """Remove the volumes of claims that are gone; a container that is just ending may still have one."""
        self._garbage = {name for name in self._garbage if not self._engine.remove_volume(name)}

    def _ended(self, labels: dict[str, str]) -> None:
        worker = self.workers.get(labels.get("mlpipe.kubernetes-double.pod", ""))
        if worker is not None:
            worker.wake()

    def worker(self, key: Key) -> PodWorker | None:
        """Of the pod that is there now."""
        pod = self._store.find(key)
        return self.workers.get(pod["metadata"]["uid"]) if pod else None


def _concerns(change: Change) -> bool:
    """Statuses are the worker's own words."""
    old = change.old or {}
    return (
        change.type == "DELETED"
        or any(old.get(part) != change.new.get(part) for part in ("spec",))
        or ((old.get("metadata") or {}).get("deletionTimestamp") != change.new["metadata"].get("deletionTimestamp"))
    )
