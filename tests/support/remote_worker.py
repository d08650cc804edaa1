"""A worker that starts one job on an engine of another machine and is killed: ``python -m support.remote_worker FILE``.

A process of its own, and no fork: a client in Rust does not survive one.  It writes the lines of the job.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker import DockerCompute
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.documents.stores import DocumentStores, configs_from_bytes, configs_to_bytes
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.stores import Host
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig


class RemoteStores(DocumentStores):
    """Datastores that another machine reaches, too."""

    @property
    def store(self) -> ObjectStore:
        """The workspace's."""
        return self.contents("").store


def compute_of(config: DockerConfig, configs: Mapping[str, StoreConfig], folder: Path) -> DockerCompute:
    """The compute of a test."""
    host = Host(cache=folder / "cache", scratch=folder / "scratch")
    return DockerCompute("far", config, RemoteStores(configs), host, workspace=str(folder))


def describe(config: DockerConfig, configs: Mapping[str, StoreConfig], folder: Path, job: Job) -> bytes:
    """The file that :func:`main` reads."""
    members: dict[str, Any] = {
        "config": {name: value for name, value in asdict(config).items() if value not in (None, {})},
        "stores": configs_to_bytes(configs).decode(),
        "folder": str(folder),
        "job": Order.of(job, code=None).to_bytes().decode(),
    }
    return to_bytes(tag("worker", 1) | members)


def main(file: str) -> None:
    """Run the job to its end, or that of this process."""
    members = parse(Path(file).read_bytes(), "worker", 1, where=file)
    compute = compute_of(
        DockerConfig(**members["config"]), configs_from_bytes(members["stores"].encode()), Path(members["folder"])
    )
    compute.run(Order.from_bytes(members["job"].encode()).job, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main(sys.argv[1])
