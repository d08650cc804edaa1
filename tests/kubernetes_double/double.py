"""The double as tests hold it: where clients find it, what they asked, and what a cluster does to them."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docker import DockerClient

from kubernetes_double.api.certificates import make
from kubernetes_double.api.journal import Fault, Journal, Request
from kubernetes_double.api.routes import Routes
from kubernetes_double.api.server import ApiServer
from kubernetes_double.api.status import ApiError
from kubernetes_double.api.users import User, Users, write_kubeconfig
from kubernetes_double.api.verbs import Verbs
from kubernetes_double.control import nodes
from kubernetes_double.control.garbage import Garbage
from kubernetes_double.control.jobs import Jobs
from kubernetes_double.control.loop import Loop
from kubernetes_double.control.pods import Pods
from kubernetes_double.control.scheduler import Scheduler
from kubernetes_double.kubelet.engine import Engine, remove_abandoned
from kubernetes_double.kubelet.kubelet import Kubelet
from kubernetes_double.objects import deletion
from kubernetes_double.objects.admission import Admission
from kubernetes_double.objects.resources import NAMESPACES, NODES, PODS, SERVICE_ACCOUNTS, Object
from kubernetes_double.objects.store import Key, Store, key_of
from kubernetes_double.options import Node, Options


class KubernetesDouble:
    """A cluster that is none.  Use it in a ``with`` statement, which removes whatever it made.

    :param client: of a Docker engine on this machine.
    """

    def __init__(self, client: DockerClient, options: Options) -> None:
        self.options = options
        self.namespace = options.namespace
        self.store = Store()
        self.journal = Journal()
        self._users = Users()
        self._folder = Path(tempfile.mkdtemp(prefix="kubernetes-double-"))
        remove_abandoned(client)
        self._engine = Engine(client, uuid.uuid4().hex[:8])
        self._admission = Admission(self.store, options.priorities)
        self._kubelet = Kubelet(self._engine, self.store, options)
        self._pods = Pods(self._engine, self.store, self._kubelet)
        self._verbs = Verbs(self.store, self._admission)
        jobs = Jobs(self.store, self._admission)
        self._loop = Loop(self.store, (Garbage(self.store), jobs, Scheduler(self.store)))
        context, self._trusted = make(self._folder)
        self._server = ApiServer(context, Routes(self._verbs, self._pods), self._users, self.journal)
        self.kubeconfig = self.write_kubeconfig("admin", self._users.add("kubernetes-admin"))

    def __enter__(self) -> KubernetesDouble:
        for namespace in dict.fromkeys(("default", "kube-system", self.namespace)):
            self.add_namespace(namespace)
        for node in self.options.nodes:
            self.add_node(node)
        self._kubelet.start()
        self._loop.start()
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._loop.stop()
        self._kubelet.stop()
        self._engine.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- clients ------------------------------------------------------------------------------------------------------

    @property
    def session(self) -> str:
        """What the labels of the double's containers and volumes tell it by."""
        return self._engine.session

    @property
    def url(self) -> str:
        """Of the API."""
        return self._server.url

    def add_user(
        self, name: str, allowed: tuple[tuple[str, str], ...], namespaces: tuple[str, ...] = ()
    ) -> tuple[User, Path]:
        """Someone who may do only this: ``(("get", "pods"), ("create", "secrets"))``; and their kubeconfig file."""
        user = self._users.add(name, allowed, namespaces)
        return user, self.write_kubeconfig(name.replace(":", "-"), user)

    def revoke(self, user: User) -> None:
        """Refuse the user's token from now on (401)."""
        self._users.revoke(user)

    def write_kubeconfig(self, name: str, user: User) -> Path:
        """The file that a client of the user reads."""
        path = self._folder / f"{name}.kubeconfig"
        return write_kubeconfig(path, server=self.url, trusted=self._trusted, user=user, namespace=self.namespace)

    def requests(self, method: str | None = None, path: str = "") -> list[Request]:
        """What was asked so far.  :param path: a regular expression, found anywhere in the path."""
        return self.journal.requests(method, path)

    # -- trouble of the API -------------------------------------------------------------------------------------------

    def fail_next(
        self,
        count: int,
        status: int,
        *,
        method: str | None = None,
        path: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Refuse the next requests that fit, before anything is done."""
        fault = Fault(left=count, method=method, path=re.compile(path), status=status, headers=headers or {})
        self.journal.plan(fault)

    def slow_next(self, count: int, seconds: float, *, method: str | None = None, path: str = "") -> None:
        """Let the next requests that fit wait, before anything is done."""
        self.journal.plan(Fault(left=count, method=method, path=re.compile(path), seconds=seconds))

    def lose_next_answers(self, count: int, *, method: str | None = None, path: str = "") -> None:
        """Do what the next requests that fit ask for, and break the connection instead of answering."""
        self.journal.plan(Fault(left=count, method=method, path=re.compile(path), lose=True))

    @contextmanager
    def outage(self) -> Iterator[None]:
        """Nobody is served meanwhile: connections break without an answer.  Pods run on."""
        self._server.out = True
        self._server.cut()
        try:
            yield
        finally:
            self._server.out = False

    def drop_watches(self) -> int:
        """Break the connections of all watches.  :returns: how many there were."""
        return self._server.cut("watch")

    def drop_logs(self) -> int:
        """Break the connections of all logs that are followed."""
        return self._server.cut("log")

    def send_bookmarks(self) -> None:
        """Let each watch that takes bookmarks send one now."""
        self._verbs.bookmarks.ask()

    def forget_versions(self) -> None:
        """As a compaction does: what watches from a version of before now gets ``410 Gone``."""
        self.store.forget_history()

    # -- nodes and namespaces -----------------------------------------------------------------------------------------

    def add_namespace(self, name: str, labels: dict[str, str] | None = None) -> str:
        """A namespace, with its default service account.

        With the label ``kubernetes-double/network=host`` its pods reach the servers on this machine's 127.0.0.1.
        """
        given = {"kubernetes.io/metadata.name": name, **(labels or {})}
        obj = {
            "metadata": {"name": name, "labels": given},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        self.store.create(NAMESPACES, obj)
        self.store.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default", "namespace": name}})
        return name

    def clear(self, namespace: str) -> None:
        """End a namespace and everything in it, without grace, whatever finalizers say."""
        for pod in self.store.all(PODS, namespace):
            with suppress(ApiError):
                self.store.update(key_of(PODS, pod), _without_finalizers)
                deletion.delete(self.store, key_of(PODS, pod), {"gracePeriodSeconds": 0})
        deletion.delete(self.store, Key(NAMESPACES, "", namespace), {})

    def add_node(self, node: Node) -> None:
        """Declare a node."""
        nodes.add(self.store, node)

    def nodes(self) -> list[Object]:
        """All nodes as they are now."""
        return self.store.all(NODES)

    def remove_node(self, name: str) -> None:
        """The node is gone for good; its pods fail and go (condition ``DisruptionTarget``, ``DeletionByPodGC``)."""
        for worker in self._kubelet.workers.all():
            if worker.node == name:
                worker.lose(crash=True)
        self.store.remove(Key(NODES, "", name))

    def lose_node(self, name: str, *, crash: bool = True) -> None:
        """The node is reached no more; its pods are deleted, and stay ``Terminating`` as nobody ends them.

        :param crash: whether their containers end too, or run on unseen.
        """
        nodes.lose(self.store, self._kubelet.workers, name, crash=crash)

    def find_node(self, name: str) -> None:
        """A lost node is back."""
        nodes.find_again(self.store, self._kubelet.workers, name)

    # -- pods ---------------------------------------------------------------------------------------------------------

    def pod(self, name: str, namespace: str | None = None) -> Object:
        """A pod as it is now."""
        return self.store.get(self._key(name, namespace))

    def evict(self, name: str, namespace: str | None = None, message: str = "") -> None:
        """The kubelet's eviction: the pod fails (``Evicted``), and its object stays."""
        self._pods.evict_by_kubelet(self._key(name, namespace), message)

    def preempt(self, name: str, namespace: str | None = None) -> None:
        """The scheduler's preemption: the pod is marked (``PreemptionByScheduler``) and deleted with its grace."""
        self._pods.preempt(self._key(name, namespace))

    def _key(self, name: str, namespace: str | None) -> Key:
        return Key(PODS, namespace or self.namespace, name)

    def failures(self) -> list[str]:
        """What went wrong in the double itself; empty, or the double has a fault."""
        return [repr(error) for error in self._loop.errors]


def _without_finalizers(obj: Object) -> None:
    obj["metadata"].pop("finalizers", None)
