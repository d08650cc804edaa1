"""What happens to pods from outside: their logs are read, they are evicted, they are preempted."""

from __future__ import annotations

from kubernetes_double.api.call import Answer, Call, Stream, Target
from kubernetes_double.api.status import ApiError
from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.kubelet import Kubelet
from kubernetes_double.kubelet.logs import log
from kubernetes_double.kubelet.status import condition
from kubernetes_double.objects import deletion
from kubernetes_double.objects.events import Recorder
from kubernetes_double.objects.resources import Object
from kubernetes_double.objects.store import Key, Store

_PRESSURE = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 96Mi. Container base was using 512Mi, "
    "request is 0, has larger consumption of memory. "
)


class Pods:
    """The actions that only pods have."""

    def __init__(self, engine: Engine, store: Store, kubelet: Kubelet) -> None:
        self._engine, self._store, self._kubelet = engine, store, kubelet
        self._scheduler = Recorder(store, "default-scheduler")

    def log(self, target: Target, call: Call) -> Answer | Stream:
        """The log of a container."""
        key = Key(target.resource, target.namespace, target.name)
        pod = self._store.get(key)
        worker = self._kubelet.workers.get(pod["metadata"]["uid"])
        if worker is not None and worker.lost:
            address = "https://127.0.0.1:10250/containerLogs"
            raise ApiError(500, "InternalError", f'Get "{address}": dial tcp 127.0.0.1:10250: i/o timeout')
        return log(self._engine, worker, pod, call)

    def evict(self, target: Target, call: Call) -> Answer:
        """As ``kubectl drain`` asks for: marked, and deleted with its grace."""
        key = Key(target.resource, target.namespace, target.name)
        self._mark(key, "EvictionByEvictionAPI", "Eviction API: evicting")
        body = call.body if isinstance(call.body, dict) else {}
        deletion.delete(self._store, key, body.get("deleteOptions") or {})
        return Answer(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})

    def preempt(self, key: Key) -> None:
        """The scheduler needs the room for a pod that matters more."""
        message = "default-scheduler: preempting to accommodate a higher priority pod"
        pod = self._mark(key, "PreemptionByScheduler", message)
        self._scheduler.normal(pod, "Preempted", f"Preempted by a pod on node {pod['spec'].get('nodeName', '')}")
        deletion.delete(self._store, key, {})

    def evict_by_kubelet(self, key: Key, message: str) -> None:
        """The node is short of something."""
        pod = self._store.get(key)
        message = message or _PRESSURE
        worker = self._kubelet.worker(key)
        assert worker is not None, "only a pod that has a node can be evicted by its kubelet"
        Recorder(self._store, "kubelet", worker.node).warning(pod, "Evicted", message)
        worker.evict(message)

    def _mark(self, key: Key, reason: str, message: str) -> Object:
        return self._store.update(key, lambda pod: condition(pod["status"], "DisruptionTarget", True, reason, message))
