"""What the agent of a pod is given, and what of its answer only the worker knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_mlpipe.compute.kubernetes_.spec import STORES, data_path, secret_key
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.runtime.documents.stores import configs_of, configs_to_bytes, spellings
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.stores import EngineStores

WORKSPACE = "workspace"
"""What the workspace is called among the volumes of a compute."""

_LARGEST = 1_000_000
"""Bytes that a secret of a cluster holds, a little less than the MiB that it allows."""


def files_of(job: Job, stores: EngineStores, config: KubernetesConfig) -> dict[str, bytes]:
    """The members of an attempt's secret: how the agent opens datastores, and the secrets of the step.

    :raises ConfigurationError: for a datastore that cannot be opened in a pod, or when a secret is too large for one.
    """
    mounted = mounted_of(job, config)
    files = {STORES: configs_to_bytes(configs_of(job.step, stores, folders=False, mounted=mounted))}
    files |= {secret_key(name): value.encode() for name, value in job.secrets.items()}
    if sum(map(len, files.values())) > _LARGEST:
        raise ConfigurationError(
            "the secrets of the step are too large for a cluster",
            where=job.step.label,
            given=sorted(name for name, value in job.secrets.items() if len(value) > _LARGEST // 10),
            valid=f"{_LARGEST} bytes together",
            fix="keep what is large in a datastore",
        )
    return files


def mounted_of(job: Job, config: KubernetesConfig) -> Mapping[str, str]:
    """The folders of the datastores that are volumes of the pod, by their spelling."""
    found = {}
    for spelling in spellings(job.step):
        name = Datastore.spelled(spelling).name if spelling else WORKSPACE
        if name in config.volumes:
            found[spelling] = data_path(name)
    return found


def with_own_uris(outputs: tuple[OutputReference, ...], stores: EngineStores) -> tuple[OutputReference, ...]:
    """Where the outputs are as this deployment writes it; a pod may see the same datastore elsewhere."""
    found = []
    for one in outputs:
        key = blob_key(one.digest) if one.kind == "file" else tree_key(one.digest)
        found.append(replace(one, uri=stores.contents(one.datastore).store.uri(key)))
    return tuple(found)
