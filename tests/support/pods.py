"""Pods for tests of a cluster: short ways to say what runs, and to wait for what comes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tools.base_image import TAG

T = TypeVar("T")
_SECONDS = 120


def until(look: Callable[[], T | None]) -> T:
    """What the function returns, once that is something."""
    deadline = time.monotonic() + _SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"this did not happen within {_SECONDS} seconds; last seen: {found!r}"
        time.sleep(0.05)
    return found


def container(script: str = "true", name: str = "base", **more: Any) -> dict[str, Any]:
    """One that runs a script of the shell."""
    return {"name": name, "image": TAG, "command": ["/bin/sh", "-c", script], **more}


def sidecar(script: str, name: str = "side", **more: Any) -> dict[str, Any]:
    """An init container that stays."""
    return container(script, name, restartPolicy="Always", **more)


def pod(name: str, *containers: dict[str, Any], labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    """One that runs once; its containers do nothing unless they are given."""
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, **spec}
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"containers": list(containers) or [container()], **spec},
    }


class Cluster:
    """A client of the cluster, in one namespace."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        from kubernetes import client, config

        self.api = config.new_client_from_config(str(kubeconfig))
        self.core, self.batch, self.namespace = client.CoreV1Api(self.api), client.BatchV1Api(self.api), namespace

    def close(self) -> None:
        """Hang up."""
        self.api.close()

    def run(self, body: dict[str, Any]) -> Any:
        """Create a pod."""
        return self.core.create_namespaced_pod(self.namespace, body)

    def get(self, name: str) -> Any:
        """A pod as it is now."""
        return self.core.read_namespaced_pod(name, self.namespace)

    def ended(self, name: str) -> Any:
        """A pod that has ended."""
        return until(lambda: found if (found := self.get(name)).status.phase in ("Succeeded", "Failed") else None)

    def running(self, name: str, container: str = "base") -> Any:
        """A pod, one of whose containers runs."""
        return until(lambda: found if (found := self.get(name)) and state(found, container).running else None)

    def waiting(self, name: str, reason: str, container: str = "base") -> Any:
        """Why a container waits, once that is the reason."""

        def look() -> Any:
            found = state(self.get(name), container)
            return found.waiting if found and found.waiting and found.waiting.reason == reason else None

        return until(look)

    def done(self, body: dict[str, Any]) -> Any:
        """Create a pod, and wait for its end."""
        self.run(body)
        return self.ended(body["metadata"]["name"])

    def begun(self, name: str, container: str = "base") -> Any:
        """A pod, one of whose containers runs or has run."""

        def look() -> Any:
            found = self.get(name)
            return found if state(found, container).running or state(found, container).terminated else None

        return until(look)

    def log(self, name: str, **options: Any) -> str:
        """What a pod has written."""
        answer = self.core.read_namespaced_pod_log(name, self.namespace, _preload_content=False, **options)
        return str(answer.data.decode())

    def events(self, name: str) -> dict[str, str]:
        """The messages of what happened to an object, a line each, by their reasons."""
        found = self.core.list_namespaced_event(self.namespace, field_selector=f"involvedObject.name={name}").items
        reasons = {event.reason for event in found}
        return {each: "\n".join(event.message for event in found if event.reason == each) for each in reasons}

    def is_gone(self, name: str) -> bool:
        """Whether there is no pod of that name."""
        return not self.core.list_namespaced_pod(self.namespace, field_selector=f"metadata.name={name}").items


def status(pod: Any, container: str = "base") -> Any:
    """Of one container."""
    every = [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]
    return next((each for each in every if each.name == container), None)


def state(pod: Any, container: str = "base") -> Any:
    """Of one container: ``waiting``, ``running`` or ``terminated``."""
    from kubernetes.client import V1ContainerState

    found = status(pod, container)
    return found.state if found else V1ContainerState()


def condition(pod: Any, kind: str) -> Any:
    """One of the conditions of a pod or of a job."""
    return next((each for each in pod.status.conditions or [] if each.type == kind), None)


def refused(call: Callable[..., Any], *arguments: Any, **options: Any) -> dict[str, Any]:
    """The Status that a call of the client is refused with."""
    from kubernetes.client import ApiException

    with pytest.raises(ApiException) as caught:
        call(*arguments, **options)
    answer: dict[str, Any] = json.loads(caught.value.body)
    assert answer["code"] == caught.value.status
    return answer
