"""One container of a pod, as the kubelet knows it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from kubernetes_double.objects.resources import Object

WAITING, RUNNING, TERMINATED = "waiting", "running", "terminated"


@dataclass(slots=True)
class Tracked:
    """What is known of a container.

    :param attempt: counts from 0; ``-1`` before the first.
    :param id: at the engine.
    :param previous: its id in the attempt before.
    :param last: how the attempt before ended, as in ``lastState``.
    :param retry_at: not before this is it tried again.
    :param kill_at: when the signal that asks becomes the one that does not.
    :param no_more: the probes of the running attempt end when it is set.
    """

    spec: dict[str, Any]
    init: bool = False
    state: str = WAITING
    reason: str = "ContainerCreating"
    message: str = ""
    attempt: int = -1
    id: str = ""
    previous: str = ""
    image_id: str = ""
    exit_code: int = 0
    started_at: str = ""
    finished_at: str = ""
    last: Object | None = None
    started: bool = False
    ready: bool = False
    wait: float = 0
    retry_at: float = 0
    signalled: bool = False
    kill_at: float | None = None
    no_more: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """Of the container."""
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        """Whether it is an init container that stays."""
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def field(self) -> str:
        """As events point to it."""
        return f"spec.{'initContainers' if self.init else 'containers'}{{{self.name}}}"

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.state == TERMINATED and self.exit_code == 0

    def restarts(self, policy: str) -> bool:
        """Whether the kubelet starts it again after it has ended.  :param policy: the pod's."""
        if self.sidecar:
            return True
        if self.init:
            return policy != "Never" and self.exit_code != 0
        return policy == "Always" or (policy == "OnFailure" and self.exit_code != 0)

    def wait_for(self, reason: str, message: str = "") -> None:
        """It does not run, and why."""
        self.state, self.reason, self.message = WAITING, reason, message

    def run(self, started_at: str) -> None:
        """It runs."""
        self.state, self.started_at = RUNNING, started_at
        self.no_more = threading.Event()
        self.signalled, self.kill_at = False, None
        self.started = "startupProbe" not in self.spec
        self.ready = self.started and "readinessProbe" not in self.spec

    def end(self, code: int, reason: str, message: str, finished_at: str) -> None:
        """It has ended."""
        self.no_more.set()
        self.state, self.exit_code, self.reason, self.message = TERMINATED, code, reason, message
        self.finished_at = finished_at
        self.started = self.ready = False

    def document(self) -> Object:
        """As in ``status.containerStatuses``."""
        found = {
            "name": self.name,
            "state": self._state(),
            "lastState": {TERMINATED: self.last} if self.last else {},
            "ready": self.succeeded if self.init and not self.sidecar else self.ready,
            "restartCount": max(0, self.attempt),
            "image": self.spec.get("image", ""),
            "imageID": self.image_id,
            "started": self.started,
        }
        return found | ({"containerID": f"docker://{self.id}"} if self.id else {})

    def _state(self) -> Object:
        if self.state == RUNNING:
            return {RUNNING: {"startedAt": self.started_at}}
        if self.state == TERMINATED:
            return {TERMINATED: self.ended()}
        told = {"reason": self.reason, "message": self.message}
        return {WAITING: {key: value for key, value in told.items() if value}}

    def ended(self) -> Object:
        """As in ``state.terminated``."""
        told = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "message": self.message,
            "startedAt": self.started_at,
            "finishedAt": self.finished_at,
            "containerID": f"docker://{self.id}",
        }
        return {key: value for key, value in told.items() if value != ""}
