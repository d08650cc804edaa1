"""The logs of containers, as clients of the API get them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from docker.errors import APIError, NotFound

from kubernetes_double.api.call import Answer, Call, Stream
from kubernetes_double.api.status import bad_request
from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.pod import PodWorker
from kubernetes_double.objects import clock
from kubernetes_double.objects.resources import Object

_PULLING = ("ErrImagePull", "ImagePullBackOff")
_DEFAULT = "kubectl.kubernetes.io/default-container"


def log(engine: Engine, worker: PodWorker | None, pod: Object, call: Call) -> Answer | Stream:
    """What a container has written.  :raises ApiError: 400 if it has not begun."""
    name = _chosen(pod, call.query.get("container", ""))
    told = pod["metadata"]["name"]
    if worker is None:
        return Answer(204, "")  # nobody can be asked before the pod has a node
    tracked = next(each for each in worker.containers if each.name == name)
    if not tracked.id and not call.flag("previous"):
        reason = "trying and failing to pull image" if tracked.reason in _PULLING else tracked.reason
        raise bad_request(f'container "{name}" in pod "{told}" is waiting to start: {reason}')
    container = tracked.previous if call.flag("previous") else tracked.id
    if not container:
        raise bad_request(f'previous terminated container "{name}" in pod "{told}" not found')
    arguments = _arguments(call)
    if call.flag("follow"):
        return Stream("log", "text/plain", _follow(engine, container, arguments))
    text = bytes(engine.logs(container, **arguments))  # type: ignore[arg-type]
    limit = call.query.get("limitBytes")
    return Answer(200, text[: int(limit) if limit else None].decode(errors="replace"))


def _chosen(pod: Object, asked: str) -> str:
    spec, metadata = pod["spec"], pod["metadata"]
    names = [each["name"] for each in spec["containers"]]
    inits = [each["name"] for each in spec.get("initContainers") or []]
    if not asked:
        asked = names[0] if len(names) == 1 else (metadata.get("annotations") or {}).get(_DEFAULT, "")
    if not asked:
        more = f" or one of the init containers: [{' '.join(inits)}]" if inits else ""
        raise bad_request(
            f"a container name must be specified for pod {metadata['name']}, choose one of: [{' '.join(names)}]{more}"
        )
    if asked not in (*names, *inits):
        raise bad_request(f"container {asked} is not valid for pod {metadata['name']}")
    return asked


def _arguments(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {"timestamps": call.flag("timestamps")}
    if "tailLines" in call.query:
        found["tail"] = int(call.query["tailLines"])
    if "sinceSeconds" in call.query:
        found["since"] = _since(datetime.now(timezone.utc) - timedelta(seconds=int(call.query["sinceSeconds"])))
    if "sinceTime" in call.query:
        found["since"] = _since(clock.read(call.query["sinceTime"]))
    return found


def _since(time: datetime) -> float:
    return time.timestamp()


def _follow(engine: Engine, container: str, arguments: dict[str, Any]) -> Iterator[bytes]:
    try:
        yield from engine.logs(container, stream=True, follow=True, **arguments)  # type: ignore[misc]
    except (NotFound, APIError, OSError):
        return
