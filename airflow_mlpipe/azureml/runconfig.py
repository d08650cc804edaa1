"""RunConfiguration of v1: environment, compute and size of a step; and what they are here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from airflow_mlpipe.azureml.compute import compute_kind
from airflow_mlpipe.azureml.environment import Environment
from airflow_mlpipe.azureml.warn import ignored, warn
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import environment as model
from airflow_mlpipe.model.resources import Resources

_SEVERAL = "a step runs on one machine; let the program start its own processes there (mpirun, torchrun)"


@dataclass(slots=True)
class DockerConfiguration:
    """How a container is started."""

    use_docker: bool = False
    shared_volumes: bool = True
    arguments: Sequence[str] = ()
    shm_size: str | None = None


@dataclass(slots=True)
class MpiConfiguration:
    """Processes of MPI."""

    process_count_per_node: int = 1
    node_count: int = 1


@dataclass(slots=True)
class RunConfiguration:
    """What a step runs in and on.

    Attributes that are none of v1's cannot be set.  ``script``, ``arguments``, ``data`` and ``output_data`` belong to
    runs without a pipeline.
    """

    script: str | None = None
    conda_dependencies: Any = None
    framework: str | None = None
    communicator: str | None = None
    arguments: Sequence[Any] = ()
    target: Any = None
    node_count: int = 1
    priority: int | None = None
    max_run_duration_seconds: int | None = None
    auto_prepare_environment: bool = True
    environment: Environment = field(default_factory=Environment)
    docker: DockerConfiguration = field(default_factory=DockerConfiguration)
    mpi: MpiConfiguration = field(default_factory=MpiConfiguration)
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    history: Any = None
    credential_passthrough: bool = False
    amlcompute: Any = None
    source_directory_data_store: str | None = None
    data_references: Mapping[str, Any] = field(default_factory=dict)
    services: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.conda_dependencies is not None:
            self.environment.python.conda_dependencies = self.conda_dependencies


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What a run configuration says of an operator: arguments of its constructor that are not ``None``."""

    environment: model.Environment | None = None
    resources: Resources | None = None
    execution_timeout: timedelta | None = None


def translate(config: object, compute: str, folder: str, *, where: str) -> Runs:
    """A run configuration for a step.

    :param compute: the name of a compute of ours. :param folder: of the script, that files are relative to.
    :raises DefinitionError: for what no compute here can do, and for values that are none.
    """
    if config is None:
        return Runs()
    if isinstance(config, Environment):
        config = RunConfiguration(environment=config)
    if not isinstance(config, RunConfiguration):
        raise DefinitionError("runconfig is a RunConfiguration", where=where, given=config)
    if config.node_count != 1 or config.mpi.node_count != 1 or config.mpi.process_count_per_node != 1:
        raise DefinitionError("several nodes or MPI processes", where=f"{where}: runconfig", fix=_SEVERAL)
    ignored(
        f"{where}: runconfig",
        {
            "communicator": config.communicator if config.communicator not in ("None", "none") else None,
            "priority": config.priority,
            "services": config.services,
            "data_references": config.data_references,
            "arguments": config.arguments,
            "script": config.script,
            "docker.arguments": (*config.docker.arguments, *config.environment.docker.arguments),
        },
        why="the step and its compute say these",
    )
    shm = config.docker.shm_size or config.environment.docker.shm_size
    limit = config.max_run_duration_seconds
    return Runs(
        environment=_environment(config, compute, folder, where),
        resources=Resources(shm=_quantity(shm)) if shm else None,
        execution_timeout=timedelta(seconds=limit) if limit else None,
    )


def _quantity(docker: str) -> str:
    """``2g`` of Docker as ``2Gi`` of Kubernetes."""
    text = docker.strip()
    unit = text[-1:].lower()
    return f"{text[:-1]}{unit.upper() if unit != 'k' else 'K'}i" if unit in ("k", "m", "g") else text


def _environment(config: RunConfiguration, compute: str, folder: str, where: str) -> model.Environment | None:
    environment = config.environment
    if not isinstance(environment, Environment):
        raise DefinitionError("environment is an Environment", where=f"{where}: runconfig", given=environment)
    variables = {k: str(v) for k, v in {**environment.environment_variables, **config.environment_variables}.items()}
    plain = model.Environment(variables=variables)
    if environment.docker.base_dockerfile:
        raise DefinitionError(
            "images are not built here", where=f"{where}: base_dockerfile", fix="build it, push it, and name the image"
        )
    image, in_container = environment.docker.base_image, compute_kind(compute) in ("docker", "kubernetes", "unknown")
    packages, python, requirements = _packages(environment, folder)
    if image and in_container:
        if packages or requirements:
            warn(f"{where}: the image {image!r} is used as it is; the packages are not added to it")
        return replace(plain, image=image)
    if image:
        warn(
            f"{where}: image {image!r}: compute {compute!r} runs no containers, so the step runs in the worker's Python"
        )
    if environment.python.user_managed_dependencies or not (packages or requirements or python):
        return plain if variables else None
    return replace(plain, packages=packages, python=python, requirements=requirements)


def _packages(environment: Environment, folder: str) -> tuple[tuple[str, ...], str | None, str | None]:
    """Packages, the Python version, and the requirements file."""
    if environment.python.user_managed_dependencies:
        return (), None, None
    conda = environment.python.conda_dependencies
    if environment.requirements_file is not None:
        return (), conda.python, environment.requirements_file
    file = conda.file or environment.python.conda_dependencies_file
    if file is None:
        return conda.packages, conda.python, None
    from airflow_mlpipe.azureml.condafile import read_conda

    found = read_conda(os.path.join(folder, file))
    if left := (*found.options, *found.dropped):
        warn(f"{file}: not installed: {', '.join(left)}")
    return found.packages, found.python, None
