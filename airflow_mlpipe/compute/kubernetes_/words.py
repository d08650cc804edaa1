"""What a pod's troubles mean, in words: whose fault they are, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from airflow_mlpipe.compute.kubernetes_ import state
from airflow_mlpipe.compute.kubernetes_.spec import AGENT
from airflow_mlpipe.errors import ComputeError, ConfigurationError, MLPipeError

_PERMANENT = (
    *("manifest unknown", "not found", "does not exist", "denied", "unauthorized", "invalid reference"),
    *("no basic auth", "authentication required"),
)
"""Words of registries that a second try does not change."""

PULLING = ("ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError")

_IMAGE_FIX = "correct its name, push it, or give the compute image_pull_secrets for its registry"

_DISRUPTIONS: Mapping[str, tuple[str, str]] = {
    "PreemptionByScheduler": ("preempted", "the pod was ended to make room for one of a higher priority"),
    "DeletionByTaintManager": ("lost", "the pod was ended because its node is lost, or was tainted"),
    "DeletionByPodGC": ("lost", "the pod's node is gone"),
    "EvictionByEvictionAPI": ("evicted", "the pod was evicted, as when its node is drained"),
    "TerminationByKubelet": ("evicted", "the pod was ended by its node"),
}


_ENDED_BY_NODE = ("Evicted", "Preempting", "NodeAffinity", "NodeShutdown", "Terminated")


def image_trouble(container: str, reason: str, message: str, image: str, where: str) -> MLPipeError | None:
    """Why an image will not come, if that is certain."""
    whose = "the agent's image" if container == AGENT else "the image"
    if reason in ("InvalidImageName", "ErrImageNeverPull"):
        return ConfigurationError(f"{whose} cannot be used: {message}", where=where, given=image, fix=_IMAGE_FIX)
    if reason in PULLING and any(words in message.lower() for words in _PERMANENT):
        what = f"there is no such image: {_short(message)}"
        return ConfigurationError(what, where=where, given=image, fix=_IMAGE_FIX)
    return None


def image_late(container: str, said: str, image: str, seconds: float, where: str) -> ComputeError:
    """An image did not come in time."""
    whose = "the agent's image" if container == AGENT else "the image"
    return ComputeError(
        f"{whose} could not be pulled in {seconds:g} seconds: {_short(said)}",
        reason="image",
        where=where,
        given=image,
        fix="see whether the nodes reach its registry, or raise image_seconds of the compute",
    )


def container_trouble(container: str, reason: str, message: str, where: str) -> MLPipeError | None:
    """Why a container will not start, if that is certain."""
    if "non-root" in message or "runAsNonRoot" in message:
        return ConfigurationError(
            f"the image may not run as its user: {_short(message)}",
            where=where,
            fix='give the compute "user": "1000:1000", or "image" where the cluster allows root',
        )
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return ComputeError(f"the container could not be created: {_short(message)}", reason="container", where=where)
    return None


def not_scheduled(said: str, seconds: float, where: str) -> ComputeError:
    """No node took the pod in time."""
    return ComputeError(
        f"no node had room for the pod in {seconds:g} seconds: {_short(said) or 'the cluster does not say why'}",
        reason="queue",
        where=where,
        fix="ask for less, add nodes, or raise queue_seconds of the compute",
    )


def ended_from_outside(pod: state.Pod, where: str) -> ComputeError | None:
    """What a cluster, or somebody, did to a pod, if anything."""
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    if (disruption := state.disruption(pod)) is not None:
        reason, what = _DISRUPTIONS.get(str(disruption.get("reason")), ("evicted", "the pod was ended by the cluster"))
        return ComputeError(f"{what}: {_short(disruption.get('message', ''))}", reason=reason, where=where, given=name)
    if status.get("reason") in _ENDED_BY_NODE:
        said = f"{status['reason']}: {status.get('message', '')}"
        return ComputeError(f"the pod's node ended it ({_short(said)})", reason="evicted", where=where, given=name)
    if status.get("reason") == "NodeLost":
        return ComputeError("the pod's node is lost", reason="lost", where=where, given=name)
    if state.is_going(pod):
        return ComputeError("somebody deleted the pod", reason="deleted", where=where, given=name)
    return None


def was_asked_to_end(pod: state.Pod, finished: str | None) -> bool:
    """Whether a program ended after its pod was told to: that it ended well then does not mean that it was done."""
    if pod.get("status", {}).get("reason") in _ENDED_BY_NODE:
        return True
    metadata = pod["metadata"]
    if not state.is_going(pod) or not finished:
        return False
    grace = float(metadata.get("deletionGracePeriodSeconds") or 0)
    asked = state.moment(metadata["deletionTimestamp"]).timestamp() - grace
    return int(state.moment(finished).timestamp()) >= int(asked)


def refused_by_node(pod: state.Pod, where: str) -> ComputeError | None:
    """A pod that failed before its program was started: its node did not admit it."""
    status = pod.get("status", {})
    if state.phase(pod) != "Failed" or state.terminated(pod) is not None:
        return None
    said = _short(f"{status.get('reason', '')}: {status.get('message', '')}".strip(": "))
    what = f"the pod failed before its program was started ({said or 'no reason is told'})"
    return ComputeError(what, reason="container", where=where, given=pod["metadata"]["name"])


def start_error(terminated: Mapping[str, object]) -> int:
    """The errno of a program that could not be started; 0 if it was."""
    if terminated.get("reason") not in ("ContainerCannotRun", "StartError"):
        return 0
    said = str(terminated.get("message", "")).lower()
    if "permission denied" in said:
        return errno.EACCES
    return errno.ENOEXEC if "exec format error" in said else errno.ENOENT


def _short(text: object) -> str:
    return " ".join(str(text).split())[:600]
