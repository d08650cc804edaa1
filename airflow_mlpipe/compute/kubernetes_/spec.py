"""From a step to the pod that runs it: pure functions, so that a file can show what a cluster is asked for.

Two containers share the folder ``/mlpipe``, the same for every attempt.  ``main`` is the user's: its image, its entry
point, its user.  ``mlpipe-agent`` is ours, a native sidecar: it has put the inputs there when ``main`` starts, and
publishes the outputs when ``main`` has ended.  Inputs are read-only for ``main``; only the agent sees the credentials
of datastores; nothing secret is in the pod itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_mlpipe.compute.kubernetes_.gpus import gpu_demand
from airflow_mlpipe.compute.kubernetes_.merge import merge
from airflow_mlpipe.compute.kubernetes_.names import ids_of, labels_of, name_of
from airflow_mlpipe.compute.kubernetes_.user import User, user_of
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.model.resources import Gpu, Resources, parse_bytes
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.plan import Planned
from airflow_mlpipe.runtime.remote import VOLUMES, ready_of
from airflow_mlpipe.store.layout import order_key

TOP = "/mlpipe"
AGENT_TOP = "/mlpipe-agent"
MAIN, AGENT = "main", "mlpipe-agent"
STORES = "stores.json"
"""The member of a secret that says how datastores are opened."""

_MODULE = ("python", "-m", "airflow_mlpipe.runtime.agent")
_CLOSED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_READY = f"import os, sys; sys.exit(not os.path.exists({str(ready_of(Layout(Path(TOP))))!r}))"
"""As the agent's own ``ready``, without what it imports: it is asked every few seconds."""

_DAY = 86_400
_PROBE_SECONDS = 2


def pod_of(job: Job, program: Planned, config: KubernetesConfig, *, workspace: str) -> dict[str, Any]:
    """The pod of a job, as the API takes it.

    :param workspace: a digest, which tells deployments apart that share a namespace.
    :raises DefinitionError: when the compute has no such GPUs.
    """
    ours = _pod(job, program, config, workspace)
    if not config.template:
        return ours
    merged = merge(merge(ours, {k: v for k, v in config.template.items() if k in ("metadata", "spec")}), _fixed(ours))
    merged["metadata"].pop("namespace", None)
    return merged


def secret_of(job: Job, config: KubernetesConfig, files: Mapping[str, bytes], *, workspace: str) -> dict[str, Any]:
    """The secret of an attempt: what the agent reads, and the secrets of the step.

    :param files: by key; those of the step's secrets are made by :func:`secret_key`.
    """
    import base64

    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": _metadata(job, config, workspace),
        "data": {name: base64.b64encode(data).decode() for name, data in sorted(files.items())},
    }


def secret_key(name: str) -> str:
    """Of a secret of the step."""
    return f"secret.{name}"


def _metadata(job: Job, config: KubernetesConfig, workspace: str) -> dict[str, Any]:
    return {
        "name": name_of(job),
        "labels": labels_of(job, workspace, config),
        "annotations": {**config.annotations, **ids_of(job)},
    }


def _pod(job: Job, program: Planned, config: KubernetesConfig, workspace: str) -> dict[str, Any]:
    assert job.image is not None
    user = user_of(job.image, config)
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": math.ceil(config.publish_seconds),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
            "fsGroup": user.group,
            "fsGroupChangePolicy": "OnRootMismatch",
        },
        "initContainers": [_agent(job, user, config)],
        "containers": [_main(job, program, user, config)],
        "volumes": _volumes(job, config),
    }
    optional = {
        "serviceAccountName": config.service_account,
        "priorityClassName": config.priority_class,
        "runtimeClassName": config.runtime_class,
        "imagePullSecrets": [{"name": name} for name in config.image_pull_secrets] or None,
        "activeDeadlineSeconds": _deadline(job, config),
        **_placement(job, config),
    }
    spec |= {name: value for name, value in optional.items() if value}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(job, config, workspace), "spec": spec}


def _deadline(job: Job, config: KubernetesConfig) -> int | None:
    """So that a program ends even if its worker died; a living worker's clock is exact, and earlier."""
    if job.timeout is None:
        return None
    return math.ceil(job.timeout + config.image_seconds + config.publish_seconds)


def _placement(job: Job, config: KubernetesConfig) -> dict[str, Any]:
    gpu = (job.step.resources or Resources()).gpu
    if not isinstance(gpu, Gpu):
        return {}
    demand = gpu_demand(gpu, config, where=job.step.label)
    found = {"nodeSelector": dict(demand.node_selector), "affinity": dict(demand.affinity)}
    return {**found, "tolerations": [dict(one) for one in demand.tolerations]}


def _main(job: Job, program: Planned, user: User, config: KubernetesConfig) -> dict[str, Any]:
    assert job.image is not None
    security = {**_CLOSED, **user.security}
    if config.read_only:
        security["readOnlyRootFilesystem"] = True
    container = {
        "name": MAIN,
        "image": job.image.reference,
        "args": [_literal(argument) for argument in program.argv],
        "workingDir": program.cwd,
        "env": [{"name": name, "value": _literal(value)} for name, value in sorted(program.environment.items())],
        "resources": _resources(job, config),
        "securityContext": security,
        "volumeMounts": _mounts(job, config),
    }
    return {name: value for name, value in container.items() if value}


def _literal(text: str) -> str:
    """A cluster replaces ``$(NAME)`` in arguments and values, and makes one of two dollars."""
    return text.replace("$", "$$")


def _resources(job: Job, config: KubernetesConfig) -> dict[str, Any]:
    resources = job.step.resources or Resources()
    both: dict[str, str] = {}
    if resources.memory_bytes is not None:
        both["memory"] = str(resources.memory_bytes)
    if resources.disk is not None:
        both["ephemeral-storage"] = str(parse_bytes(resources.disk, where="Resources(disk)"))
    if isinstance(resources.gpu, Gpu):
        demand = gpu_demand(resources.gpu, config, where=job.step.label)
        both[demand.resource] = str(demand.count)
    cpu = {"cpu": f"{math.ceil(resources.cpu * 1000)}m"} if resources.cpu else {}
    return {name: value for name, value in {"requests": cpu | both, "limits": both}.items() if value}


def _mounts(job: Job, config: KubernetesConfig) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "mlpipe", "mountPath": TOP},
        {"name": "mlpipe", "mountPath": f"{TOP}/inputs", "subPath": "inputs", "readOnly": True},
    ]
    if job.secrets:
        mounts.append({"name": "mlpipe-secrets", "mountPath": f"{TOP}/private", "readOnly": True})
    if job.step.resources and job.step.resources.shm:
        mounts.append({"name": "mlpipe-shm", "mountPath": "/dev/shm"})  # noqa: S108 - it is what it is for
    if config.read_only:
        mounts.append({"name": "mlpipe-tmp", "mountPath": "/tmp"})  # noqa: S108 - an empty folder of the pod's own
    return [*mounts, *_claims(config, read_only=True)]


def _claims(config: KubernetesConfig, *, read_only: bool) -> list[dict[str, Any]]:
    """The datastores that are volumes: the program reads them by links, the agent writes to them."""
    found = []
    for name, claim in sorted(config.volumes.items()):
        mount: dict[str, Any] = {"name": _volume_name(name, config), "mountPath": data_path(name)}
        mount |= {"subPath": claim.sub_path} if claim.sub_path else {}
        found.append(mount | ({"readOnly": True} if read_only or claim.read_only else {}))
    return found


def data_path(datastore: str) -> str:
    """Where a datastore that is a volume is, in both containers."""
    return str(VOLUMES / datastore)


def _volume_name(datastore: str, config: KubernetesConfig) -> str:
    return f"mlpipe-data-{sorted(config.volumes).index(datastore)}"


def _volumes(job: Job, config: KubernetesConfig) -> list[dict[str, Any]]:
    secret = {"secretName": name_of(job), "defaultMode": 0o440}
    stores = {**secret, "items": [{"key": STORES, "path": STORES}]}
    found: list[dict[str, Any]] = [
        {"name": "mlpipe", "emptyDir": {}},
        {"name": "mlpipe-stores", "secret": stores},
    ]
    if job.secrets:
        items = [{"key": secret_key(name), "path": name} for name in sorted(job.secrets)]
        found.append({"name": "mlpipe-secrets", "secret": {**secret, "items": items}})
    if job.step.resources and job.step.resources.shm:
        size = parse_bytes(job.step.resources.shm, where="Resources(shm)")
        found.append({"name": "mlpipe-shm", "emptyDir": {"medium": "Memory", "sizeLimit": str(size)}})
    if config.read_only:
        found.append({"name": "mlpipe-tmp", "emptyDir": {}})
    for name, claim in sorted(config.volumes.items()):
        source = {"claimName": claim.claim} | ({"readOnly": True} if claim.read_only else {})
        found.append({"name": _volume_name(name, config), "persistentVolumeClaim": source})
    return found


def _agent(job: Job, user: User, config: KubernetesConfig) -> dict[str, Any]:
    order = f"workspace:{order_key(job.fingerprint, job.attempt)}"
    files = ["--job", order, "--stores", f"{AGENT_TOP}/{STORES}", "--root", TOP]
    return {
        "name": AGENT,
        "image": config.agent_image,
        "restartPolicy": "Always",
        "command": [*_MODULE, "sidecar", *files],
        "startupProbe": {
            "exec": {"command": ["python", "-I", "-S", "-c", _READY]},
            "periodSeconds": _PROBE_SECONDS,
            "timeoutSeconds": 30,
            "failureThreshold": _DAY // _PROBE_SECONDS,
        },
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": _CLOSED
        | {"readOnlyRootFilesystem": True, "runAsUser": user.agent, "runAsGroup": user.group, "runAsNonRoot": True},
        "volumeMounts": [
            {"name": "mlpipe", "mountPath": TOP},
            {"name": "mlpipe-stores", "mountPath": AGENT_TOP, "readOnly": True},
            *_claims(config, read_only=False),
        ],
    }


def _fixed(ours: Mapping[str, Any]) -> dict[str, Any]:
    """What no template changes: what runs, what is found by, and what the step asks for."""
    (main,), (agent, *_) = ours["spec"]["containers"], ours["spec"]["initContainers"]
    names = ("name", "image", "args", "workingDir", "env", "resources", "volumeMounts")
    return {
        "metadata": ours["metadata"],
        "spec": {
            "restartPolicy": "Never",
            "volumes": ours["spec"]["volumes"],
            "containers": [{name: main[name] for name in names if name in main}],
            "initContainers": [
                {name: agent[name] for name in ("name", "image", "restartPolicy", "command", "volumeMounts")}
            ],
        },
    }
