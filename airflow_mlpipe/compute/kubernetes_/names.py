"""Names, labels and annotations of what a step has in a cluster.

A cluster takes few letters: names and the values of labels are made to fit, and stay different where the originals are.
Annotations hold the originals.
"""

from __future__ import annotations

import hashlib
import re

from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.runtime.job import Job

PREFIX = "mlpipe."
"""Of our labels and annotations."""

MANAGED_BY = "app.kubernetes.io/managed-by"
QUEUE = "kueue.x-k8s.io/queue-name"

_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?\Z")


def name_of(job: Job) -> str:
    """``mlpipe-<task>-<digest>``: the task for people, the digest of the attempt to be the only one."""
    task = job.producer.task_id if job.producer else "step"
    readable = re.sub(r"[^a-z0-9]+", "-", task.lower()).strip("-")[:40].strip("-") or "step"
    return f"mlpipe-{readable}-{_digest(job.attempt, 12)}"


def label_value(text: str) -> str:
    """The text itself where it may be a label's value, else what is left of it and a digest."""
    if _VALUE.match(text):
        return text
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", text)[:50].strip("-_.")
    return f"{readable}-{_digest(text, 8)}" if readable else _digest(text, 8)


def ids_of(job: Job) -> dict[str, str]:
    """Who runs there, in full: the annotations."""
    found = {"step": job.step.label, "same": job.same or "", "attempt": job.attempt, "fingerprint": job.fingerprint}
    found |= {"timeout": f"{job.timeout:g}"} if job.timeout is not None else {}
    if (who := job.producer) is not None:
        found |= {"dag": who.dag_id, "task": who.task_id, "run": who.run_id, "try": str(who.try_number)}
        found |= {"map_index": str(who.map_index)} if who.map_index >= 0 else {}
    return {PREFIX + name: value for name, value in found.items()}


def labels_of(job: Job, workspace: str, config: KubernetesConfig) -> dict[str, str]:
    """What pods are found by.  :param workspace: a digest, which tells deployments apart that share a namespace."""
    ours = {name: label_value(value) for name, value in ids_of(job).items()}
    queue = {QUEUE: config.queue} if config.queue else {}
    return {**config.labels, **queue, **ours, PREFIX + "workspace": workspace, MANAGED_BY: "airflow-mlpipe"}


def selector_of(job: Job, workspace: str) -> str:
    """Of what any try of the same task instance left."""
    return f"{PREFIX}workspace={workspace},{PREFIX}step={label_value(job.step.label)}"


def workspace_label(url: str) -> str:
    """The digest of a workspace's URL."""
    return _digest(url, 16)


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
