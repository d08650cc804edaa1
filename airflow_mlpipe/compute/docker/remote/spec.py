"""The program's container on another machine: its folders are volumes.  A pure function, as for a local engine."""

from __future__ import annotations

from dataclasses import replace

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker.remote.volumes import ROLE, Volumes
from airflow_mlpipe.compute.docker.spec import PREFIX, TOP, ContainerSpec, plain_spec
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.process import Program

PROGRAM = "program"
"""Role of the user's container."""


def volume_spec(job: Job, program: Program, config: DockerConfig, *, workspace: str, worker: str) -> ContainerSpec:
    """The container of a job; parameters as of :func:`~airflow_mlpipe.compute.docker.spec.container_spec`."""
    spec = plain_spec(job, program, config, workspace=workspace, worker=worker)
    labels = {**spec.labels, ROLE: PROGRAM, f"{PREFIX}root": str(TOP)}
    return replace(spec, labels=labels, volumes=Volumes.of(job, workspace).of_program)
