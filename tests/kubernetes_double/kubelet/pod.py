"""One pod on a node: what is, compared again and again with what should be."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

from kubernetes_double.kubelet import probes, status
from kubernetes_double.kubelet.ending import Ending
from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.launching import Launcher
from kubernetes_double.kubelet.observing import how_it_ended
from kubernetes_double.kubelet.sandbox import Sandbox
from kubernetes_double.kubelet.tracked import RUNNING, TERMINATED, WAITING, Tracked
from kubernetes_double.kubelet.trouble import MountTrouble
from kubernetes_double.objects import clock, deletion
from kubernetes_double.objects.events import Recorder
from kubernetes_double.objects.resources import Object
from kubernetes_double.objects.store import Key, Store
from kubernetes_double.options import Options

_LOOK = 2.0  # the engine tells of ends; a kubelet looks all the same
_DEADLINE = "Pod was active on the node longer than the specified deadline"


class PodWorker:
    """Runs one pod, in a thread of its own, from its binding to a node until its object is gone."""

    def __init__(self, engine: Engine, store: Store, options: Options, key: Key, pod: Object) -> None:
        self._engine, self._store, self._options = engine, store, options
        self.key, self.uid, self.node = key, pod["metadata"]["uid"], pod["spec"]["nodeName"]
        self._pod = pod
        self._events = Recorder(store, "kubelet", self.node)
        self._sandbox = Sandbox(engine, store, pod, options.pause_image)
        self._launcher = Launcher(engine, store, options, self._sandbox, self._events)
        inits = [Tracked(spec, init=True) for spec in pod["spec"].get("initContainers") or []]
        mains = [Tracked(spec) for spec in pod["spec"]["containers"]]
        self.containers = [*inits, *mains]
        if inits:
            for each in self.containers:
                each.reason = "PodInitializing"
        self._started_at, self._began = clock.now(), time.monotonic()
        self._initialized = not inits
        self._ending: Ending | None = None
        self._over = False
        self._mount_at = 0.0
        self._woken = threading.Event()
        self._lock = threading.RLock()
        self.lost = False
        self.done = threading.Event()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name=f"kubernetes-double-pod-{self.key.name}", daemon=True).start()

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def evict(self, message: str) -> None:
        """The node needs what the pod uses."""
        with self._lock:
            self._ending = Ending(grace=0, phase="Failed", reason="Evicted", message=message)
        self.wake()

    def lose(self, *, crash: bool) -> None:
        """The node is no longer reached.  :param crash: its containers end, and not only its reports."""
        with self._lock:
            self.lost = True
            if crash:
                for each in self.containers:
                    if each.id:
                        self._engine.signal(each.id, "SIGKILL")

    def _run(self) -> None:
        while not self.done.is_set():
            try:
                with self._lock:
                    wait = self._sync()
            except Exception as error:  # noqa: BLE001 - a kubelet does not die of one pod
                self._events.warning(self._pod, "FailedSync", f"error syncing pod: {error!r}")
                wait = 1.0
            if any(each.state == RUNNING for each in self.containers):
                wait = min(wait or _LOOK, _LOOK)
            self._woken.wait(wait)
            self._woken.clear()

    def _sync(self) -> float | None:
        pod = self._store.find(self.key)
        if pod is None or pod["metadata"]["uid"] != self.uid:
            self._leave_nothing()
            return None
        if self.lost:
            return None
        self._pod = pod
        if self._over:
            if "deletionTimestamp" in pod["metadata"]:
                deletion.finish(self._store, self.key, self.uid)
            return None
        self._observe()
        self._decide_to_end()
        wait = self._end() if self._ending else self._go_on()
        return wait

    # -- what is ------------------------------------------------------------------------------------------------------

    def _observe(self) -> None:
        for each in self.containers:
            if each.state == RUNNING:
                info = self._engine.inspect(each.id)
                if not info["State"]["Running"]:
                    each.end(*how_it_ended(self._engine, self._sandbox, each, info))

    def _decide_to_end(self) -> None:
        spec, metadata = self._pod["spec"], self._pod["metadata"]
        usual = float(spec["terminationGracePeriodSeconds"])
        mains = [each for each in self.containers if not each.init]
        policy = spec["restartPolicy"]
        if "deletionTimestamp" in metadata:
            grace = float(metadata["deletionGracePeriodSeconds"])
            if self._ending is None:
                self._ending = Ending(grace=grace)
            self._ending.shorten(grace)
        if self._ending is not None:
            return
        limit = spec.get("activeDeadlineSeconds")
        if limit is not None and time.monotonic() - self._began >= limit:
            self._ending = Ending(grace=usual, phase="Failed", reason="DeadlineExceeded", message=_DEADLINE)
            self._events.normal(self._pod, "DeadlineExceeded", _DEADLINE)
        elif all(each.state == TERMINATED and not each.restarts(policy) for each in mains):
            self._ending = Ending(grace=usual)
        elif any(
            each.init and each.state == TERMINATED and each.exit_code and not each.restarts(policy)
            for each in self.containers
        ):
            self._ending = Ending(grace=usual, phase="Failed")

    # -- what should be -----------------------------------------------------------------------------------------------

    def _go_on(self) -> float | None:
        if not self._sandbox.address:
            self._publish()
            if not self._prepare():
                return max(0.05, self._mount_at - time.monotonic())
        self._advance()
        self._kill_late()
        self._publish()
        return self._next_look()

    def _prepare(self) -> bool:
        if time.monotonic() < self._mount_at:
            return False
        try:
            self._sandbox.make()
        except MountTrouble as trouble:
            self._sandbox.remove()
            self._events.warning(self._pod, "FailedMount", str(trouble))
            self._mount_at = time.monotonic() + self._options.mount_seconds
            return False
        return True

    def _advance(self) -> None:
        """Start whose turn it is: init containers one after the other, then all main containers."""
        for each in (each for each in self.containers if each.init):
            if each.sidecar:
                self._keep_running(each)
                if not self._initialized and not each.started:
                    return
            elif not self._initialized and not each.succeeded:
                self._keep_running(each)
                if not each.succeeded:
                    return
        self._initialized = True
        for each in (each for each in self.containers if not each.init):
            if each.reason == "PodInitializing" and each.state == WAITING:
                each.reason = "ContainerCreating"
            self._keep_running(each)

    def _keep_running(self, each: Tracked) -> None:
        if each.state == RUNNING:
            return
        if each.state == TERMINATED:
            if not each.restarts(self._pod["spec"]["restartPolicy"]):
                return
            self._launcher.back_off(self._pod, each)
        if time.monotonic() >= each.retry_at:
            self._start(each)

    def _start(self, each: Tracked) -> None:
        if self._launcher.start(self._pod, each, self._publish):
            self._post_start(each)
            probes.start(self._engine, each, self._sandbox.address, self._heard)
        self.wake()  # it may have ended already

    def _post_start(self, each: Tracked) -> None:
        hook = (each.spec.get("lifecycle") or {}).get("postStart")
        if hook:
            passed, said = probes.attempt(self._engine, each.id, each.spec, hook, self._sandbox.address)
            if not passed:
                self._events.warning(self._pod, "FailedPostStartHook", f"PostStartHook failed: {said}", each.field)
                self._restart(each, "FailedPostStartHook")

    # -- probes -------------------------------------------------------------------------------------------------------

    def _heard(self, each: Tracked, kind: str, passed: bool, said: str) -> None:
        """A probe of a running container has something to say."""
        with self._lock:
            if self._ending is not None or each.state != RUNNING:
                return
            if not kind:
                self._events.warning(self._pod, "Unhealthy", said, each.field)
            elif kind == "startupProbe" and passed:
                each.started, each.ready = True, "readinessProbe" not in each.spec
            elif kind == "readinessProbe":
                each.ready = passed
            elif not passed and not each.signalled:
                told = {"startupProbe": "startup", "livenessProbe": "liveness"}[kind]
                self._restart(each, f"failed {told} probe", each.spec[kind].get("terminationGracePeriodSeconds"))
        self.wake()

    def _restart(self, each: Tracked, why: str, grace: int | None = None) -> None:
        self._events.normal(self._pod, "Killing", f"Container {each.name} {why}, will be restarted", each.field)
        each.signalled = True
        usual = self._pod["spec"]["terminationGracePeriodSeconds"]
        each.kill_at = time.monotonic() + (usual if grace is None else grace)
        self._engine.signal(each.id, self._signal_of(each))

    def _kill_late(self) -> None:
        for each in self.containers:
            if each.state == RUNNING and each.kill_at is not None and time.monotonic() >= each.kill_at:
                self._engine.signal(each.id, "SIGKILL")

    def _next_look(self) -> float | None:
        now = time.monotonic()
        times = [each.retry_at for each in self.containers if each.state == WAITING and each.retry_at > now]
        times += [each.kill_at for each in self.containers if each.state == RUNNING and each.kill_at is not None]
        limit = self._pod["spec"].get("activeDeadlineSeconds")
        if limit is not None:
            times.append(self._began + limit)
        return max(0.02, min(times) - now) if times else None

    # -- the end ------------------------------------------------------------------------------------------------------

    def _end(self) -> float | None:
        assert self._ending is not None
        wait = self._ending.step(self.containers, self._stop)
        if wait is not None:
            self._publish()
            return wait
        self._over = True
        self._publish()
        self._sandbox.remove()
        if "deletionTimestamp" in self._pod["metadata"]:
            deletion.finish(self._store, self.key, self.uid)
        return None

    def _stop(self, each: Tracked, hard: bool) -> None:
        if hard:
            self._engine.signal(each.id, "SIGKILL")
            return
        self._events.normal(self._pod, "Killing", f"Stopping container {each.name}", each.field)
        hook = (each.spec.get("lifecycle") or {}).get("preStop")
        if hook:
            threading.Thread(target=self._pre_stop, args=(each, hook), daemon=True).start()
        else:
            self._engine.signal(each.id, self._signal_of(each))

    def _pre_stop(self, each: Tracked, hook: dict[str, Any]) -> None:
        if "sleep" in hook:
            each.no_more.wait(hook["sleep"]["seconds"])
        else:
            passed, said = probes.attempt(self._engine, each.id, each.spec, hook, self._sandbox.address)
            if not passed:
                self._events.warning(self._pod, "FailedPreStopHook", f"PreStopHook failed: {said}", each.field)
        self._engine.signal(each.id, self._signal_of(each))

    def _signal_of(self, each: Tracked) -> str:
        config = self._engine.inspect(each.id)["Config"]
        return str(config.get("StopSignal") or "SIGTERM")

    def _leave_nothing(self) -> None:
        """The object is gone, and so must everything be that it stood for."""
        for each in self.containers:
            each.no_more.set()
            for container in (each.id, each.previous):
                if container:
                    self._engine.remove(container)
        self._sandbox.remove()
        self._sandbox.remove_volumes()
        self.done.set()

    # -- telling ------------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        ending = self._ending
        view = status.View(
            containers=self.containers,
            address=self._sandbox.address,
            started_at=self._started_at,
            initialized=self._initialized,
            ending=ending is not None,
            phase=self._final_phase() if self._over else None,
            reason=ending.reason if ending and (self._over or ending.phase) else "",
            message=ending.message if ending and (self._over or ending.phase) else "",
        )

        def change(pod: Object) -> None:
            if pod["metadata"]["uid"] == self.uid:
                if ending is not None and ending.reason == "Evicted":
                    told = ending.message
                    status.condition(pod["status"], "DisruptionTarget", True, "TerminationByKubelet", told)
                status.write(pod, view)

        with suppress(Exception):  # the object may be gone by now
            self._pod = self._store.update(self.key, change)

    def _final_phase(self) -> str:
        if self._ending is not None and self._ending.phase is not None:
            return self._ending.phase
        return status.outcome([each for each in self.containers if not each.init])
