"""The start of a container, and when it is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable

from docker.errors import APIError

from kubernetes_double.kubelet import images, starting
from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.sandbox import Sandbox
from kubernetes_double.kubelet.tracked import Tracked
from kubernetes_double.kubelet.trouble import Trouble
from kubernetes_double.objects import clock
from kubernetes_double.objects.events import Recorder
from kubernetes_double.objects.resources import Object
from kubernetes_double.objects.store import Store
from kubernetes_double.options import Options

_PULLING = ("ErrImagePull", "ImagePullBackOff")


class Launcher:
    """Starts the containers of one pod."""

    def __init__(self, engine: Engine, store: Store, options: Options, sandbox: Sandbox, events: Recorder) -> None:
        self._engine, self._store, self._options = engine, store, options
        self._sandbox, self._events = sandbox, events

    def start(self, pod: Object, each: Tracked, publish: Callable[[], None]) -> bool:
        """Whether it runs; if not, its state says why, and when it is tried again.

        :param publish: writes the pod's status, for what can be seen meanwhile.
        """

        def told(reason: str, message: str) -> None:
            self._events.normal(pod, reason, message, each.field)
            if reason == "Pulling":
                publish()

        try:
            image = starting.image(self._engine, each, told)
            each.image_id = images.identity(image)
            container = starting.create(self._engine, self._store, self._sandbox, pod, each, image)
        except Trouble as trouble:
            self._postpone(pod, each, trouble, publish)
            return False
        if each.attempt < 0:
            each.wait = 0  # that was for the image
        if each.previous:
            self._engine.remove(each.previous)  # a kubelet keeps one
        each.previous, each.id = each.id, container
        each.attempt += 1
        self._events.normal(pod, "Created", f"Created container: {each.name}", each.field)
        try:
            self._engine.start(container)
        except APIError as error:
            self._cannot_run(pod, each, str(error.explanation))
            return False
        self._events.normal(pod, "Started", f"Started container {each.name}", each.field)
        each.run(clock.written(clock.read(self._engine.inspect(container)["State"]["StartedAt"])))
        return True

    def back_off(self, pod: Object, each: Tracked) -> None:
        """Let a container that has ended wait before it starts again: at first not at all, then longer and longer."""
        each.last = each.ended()
        if each.wait:
            metadata = pod["metadata"]
            where = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
            each.retry_at = time.monotonic() + each.wait
            message = f"back-off {each.wait:g}s restarting failed container={each.name} pod={where}"
            each.wait_for("CrashLoopBackOff", message)
            told = f"Back-off restarting failed container {each.name} in pod {where}"
            self._events.warning(pod, "BackOff", told, each.field)
        else:
            each.wait_for("ContainerCreating")
        each.wait = min(each.wait * 2 or self._options.crash_seconds, self._options.crash_most)

    def _cannot_run(self, pod: Object, each: Tracked, why: str) -> None:
        reason, code = self._options.cannot_start
        each.run(clock.now())
        each.end(code, reason, why, clock.now())
        self._events.warning(pod, "Failed", f"Error: {why}", each.field)

    def _postpone(self, pod: Object, each: Tracked, trouble: Trouble, publish: Callable[[], None]) -> None:
        reason, message, options = trouble.reason, trouble.message, self._options
        seconds = options.mount_seconds
        if "Image" in reason:
            again = reason == "ErrImagePull" and each.reason in _PULLING
            each.wait = min(each.wait * 2, options.pull_most) if again else each.wait or options.pull_seconds
            seconds = each.wait
        each.retry_at = time.monotonic() + seconds
        each.wait_for(reason, message)
        if reason == "ErrImagePull":
            self._pull_back_off(pod, each, message, publish)
        elif reason == "InvalidImageName":
            self._events.warning(pod, "InspectFailed", message, each.field)
            self._events.warning(pod, "Failed", "Error: InvalidImageName", each.field)
        else:
            self._events.warning(pod, "Failed", f"Error: {message}", each.field)

    def _pull_back_off(self, pod: Object, each: Tracked, message: str, publish: Callable[[], None]) -> None:
        name = each.spec["image"]
        self._events.warning(pod, "Failed", f'Failed to pull image "{name}": {message}', each.field)
        self._events.warning(pod, "Failed", "Error: ErrImagePull", each.field)
        publish()
        each.wait_for("ImagePullBackOff", f'Back-off pulling image "{name}": ErrImagePull: {message}')
        self._events.normal(pod, "BackOff", f'Back-off pulling image "{name}"', each.field)
        self._events.warning(pod, "Failed", "Error: ImagePullBackOff", each.field)
