"""A bench of the Kubernetes compute: its workspace in an object store, its pods in a namespace of the test's own."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlpipe.compute.config import parse_compute
from airflow_mlpipe.compute.kubernetes_ import KubernetesCompute
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.documents.stores import DocumentStores
from airflow_mlpipe.runtime.stores import Host
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig


@dataclass
class BucketStores(DocumentStores):
    """Every datastore is a prefix of one bucket, made when it is asked for."""

    configs: Mapping[str, StoreConfig] = field(default_factory=dict)
    url: str = ""
    options: Mapping[str, object] = field(default_factory=dict)

    def config(self, spelling: str) -> StoreConfig:
        """Of the workspace, and beside it."""
        return StoreConfig(url=f"{self.url}/{spelling or 'workspace'}", options=dict(self.options))

    @property
    def store(self) -> ObjectStore:
        """Of the workspace."""
        return self.contents("").store


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """What a worker process needs to run a job in a pod."""

    config: KubernetesConfig
    url: str
    options: Mapping[str, object]
    root: Path

    def compute(self, stores: BucketStores | None = None) -> KubernetesCompute:
        """A new one."""
        host = Host(cache=self.root / "cache", scratch=self.root / "scratch")
        found = stores or BucketStores(url=self.url, options=self.options)
        return KubernetesCompute("pods", self.config, found, host, workspace=self.url)


def kubernetes_config(**members: object) -> KubernetesConfig:
    """As a deployment would write it."""
    found = parse_compute({"kind": "kubernetes", **members}, where="test")
    assert isinstance(found, KubernetesConfig)
    return found


if __name__ == "__main__":  # a worker: its place and its job in a file, its lines on stdout
    place, job = pickle.loads(Path(sys.argv[1]).read_bytes())
    place.compute().run(Order.from_bytes(job).job, lambda line: print(line, flush=True))
