"""Wait: one look at a pod that nobody follows, for the triggerer.

A pod that has ended, or that will not start, is the worker's again: it says what that means.
"""

from __future__ import annotations

from airflow_mlpipe.compute.base import Polled
from airflow_mlpipe.compute.kubernetes_ import state, words
from airflow_mlpipe.compute.kubernetes_.client import Cluster, Object
from airflow_mlpipe.compute.kubernetes_.log import later, since_second, stamped
from airflow_mlpipe.compute.kubernetes_.names import PREFIX
from airflow_mlpipe.compute.kubernetes_.spec import AGENT, MAIN
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.runtime.lines import Lines


def poll_pod(cluster: Cluster, name: str, since: str, config: KubernetesConfig, *, where: str) -> Polled:
    """Whether it goes on, and its lines after a moment.  :raises ComputeError: when the cluster does not answer."""
    pod = cluster.read("pod", name)
    if pod is None:
        return Polled(running=False, since=since)
    lines: list[str] = []
    last = since
    if state.running_since(pod) is not None or state.terminated(pod) is not None:
        last = _read(cluster, name, since, lines)
    return Polled(running=_goes_on(pod, config, where), lines=tuple(lines), since=last)


def _goes_on(pod: Object, config: KubernetesConfig, where: str) -> bool:
    if state.phase(pod) in state.ENDED or state.is_going(pod) or state.restarts(pod, AGENT):
        return False
    if not state.has_node(pod) and state.age(pod["metadata"].get("creationTimestamp")) >= config.queue_seconds:
        return False
    timeout = (pod["metadata"].get("annotations") or {}).get(f"{PREFIX}timeout")
    if timeout is not None and state.age(state.running_since(pod)) >= float(timeout):
        return False
    return not any(
        reason in words.PULLING
        or words.image_trouble(container, reason, message, "", where)
        or words.container_trouble(container, reason, message, where)
        for container, reason, message in state.waiting(pod)
    )


def _read(cluster: Cluster, name: str, since: str, lines: list[str]) -> str:
    """Whole lines only: what has no end yet comes with the next look, or with the worker's."""
    from urllib3.exceptions import HTTPError

    cut, last = Lines(lines.append, lambda: 0.0), since
    try:
        for stamp, text in stamped(cluster.log(name, MAIN, since_second(since), follow=False), since):
            if text.endswith(b"\n"):
                cut.feed(text)
                last = later(last, stamp)
    except (MLPipeError, HTTPError, OSError):  # a log decides nothing
        return last
    return last
