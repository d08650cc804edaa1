"""Nodes: declared, lost, found again, removed."""

from __future__ import annotations

from contextlib import suppress

from kubernetes_double.api.status import ApiError
from kubernetes_double.kubelet.kubelet import Workers
from kubernetes_double.kubelet.status import ENDED, condition
from kubernetes_double.objects import clock, deletion
from kubernetes_double.objects.resources import NODES, PODS, Object
from kubernetes_double.objects.store import Key, Store, key_of
from kubernetes_double.options import Node

_UNREACHABLE = "node.kubernetes.io/unreachable"
_MANAGER = "Taint manager: deleting due to NoExecute taint"


def add(store: Store, node: Node) -> Object:
    """Declare a node."""
    labels = {
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        **node.labels,
    }
    allocatable = {"cpu": "4", "memory": "8Gi", "pods": "110", **node.allocatable}
    taints = [{"key": key, "value": value, "effect": effect} for key, value, effect in node.taints]
    status: Object = {
        "capacity": allocatable,
        "allocatable": allocatable,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": node.name}],
        "nodeInfo": _INFO,
    }
    condition(status, "Ready", True, "KubeletReady", "kubelet is posting ready status")
    obj = {
        "metadata": {"name": node.name, "labels": labels},
        "spec": {"taints": taints} if taints else {},
        "status": status,
    }
    return store.create(NODES, obj)


_INFO = {
    "architecture": "amd64",
    "bootID": "",
    "containerRuntimeVersion": "docker://0",
    "kernelVersion": "",
    "kubeProxyVersion": "",
    "kubeletVersion": "v1.34.2+double",
    "machineID": "",
    "operatingSystem": "linux",
    "osImage": "test double",
    "systemUUID": "",
}


def lose(store: Store, workers: Workers, name: str, *, crash: bool) -> None:
    """The node reports no more.  The five minutes that its pods are waited for are over at once."""
    for worker in workers.all():
        if worker.node == name:
            worker.lose(crash=crash)

    def change(node: Object) -> None:
        message = "Kubelet stopped posting node status."
        condition(node["status"], "Ready", False, "NodeStatusUnknown", message)
        for each in node["status"]["conditions"]:
            each["status"] = "Unknown" if each["type"] == "Ready" else each["status"]
        taints = node["spec"].setdefault("taints", [])
        taints += [{"key": _UNREACHABLE, "effect": effect, "timeAdded": clock.now()} for effect in _EFFECTS]

    store.update(Key(NODES, "", name), change)
    for pod in store.all(PODS):
        if pod["spec"].get("nodeName") == name:
            with suppress(ApiError):
                store.update(key_of(PODS, pod), _unready)
                deletion.delete(store, key_of(PODS, pod), {})


_EFFECTS = ("NoSchedule", "NoExecute")


def find_again(store: Store, workers: Workers, name: str) -> None:
    """The node reports again, and does what it has missed."""

    def change(node: Object) -> None:
        condition(node["status"], "Ready", True, "KubeletReady", "kubelet is posting ready status")
        taints = node["spec"].get("taints") or []
        node["spec"]["taints"] = [taint for taint in taints if taint["key"] != _UNREACHABLE]

    store.update(Key(NODES, "", name), change)
    for worker in workers.all():
        if worker.node == name:
            worker.lost = False
            worker.wake()


def _unready(pod: Object) -> None:
    status = pod["status"]
    if status.get("phase") in ENDED:
        return
    condition(status, "Ready", False, "NodeLost", "Node which was running the pod is unresponsive")
    condition(status, "DisruptionTarget", True, "DeletionByTaintManager", _MANAGER)
