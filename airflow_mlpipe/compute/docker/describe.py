"""A container as an engine would be asked for it, for people."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.remote.spec import volume_spec
from airflow_mlpipe.compute.docker.spec import PREFIX, container_spec
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.stores import Host
from airflow_mlpipe.store.layout import quote_id


def describe(job: Job, config: DockerConfig, host: Host, *, workspace: str) -> Mapping[str, Any]:
    """The members of :class:`ContainerSpec` that are not empty, as JSON."""
    planned, cache = plan(job), host.cache.absolute()
    folders = Folders(
        layout=Layout(host.scratch.absolute() / quote_id(job.attempt)),
        checkpoints=cache / "checkpoints" / quote_id(job.fingerprint),
        caches=cache / "xdg",
    )
    program = Program(argv=planned.argv, cwd=Path(planned.cwd), environment=planned.environment)
    worker = f"{os.geteuid()}:{os.getegid()}"
    if config.is_remote:
        spec = volume_spec(job, program, config, workspace=workspace, worker=worker)
    else:
        spec = container_spec(job, program, folders, config, workspace=workspace, worker=worker)
    found = asdict(spec)
    found["binds"] = [f"{b.source}:{b.target}{':ro' if b.read_only else ''}" for b in spec.binds]
    found["volumes"] = [f"{v.name}:{v.target}" for v in spec.volumes]
    found["labels"] = {name: value for name, value in spec.labels.items() if name != f"{PREFIX}same" and value}
    return {name: value for name, value in found.items() if value not in (None, (), [], {}, False)}
