"""From the name that an author wrote in ``compute_target=`` to a compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from airflow_mlpipe.compute.base import Compute
from airflow_mlpipe.compute.config import ComputeConfig, DockerConfig
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.compute.local import LocalCompute
from airflow_mlpipe.runtime.stores import EngineStores, Host


class HostSettings(Protocol):
    """The options of a deployment that a compute needs."""

    @property
    def workspace(self) -> str:
        """URL of the workspace."""
        ...

    @property
    def cache(self) -> Path:
        """See :class:`Host`."""
        ...

    @property
    def scratch(self) -> Path:
        """See :class:`Host`."""
        ...

    @property
    def keep_failed(self) -> bool:
        """See :class:`Host`."""
        ...

    @property
    def uv(self) -> str | None:
        """See :class:`Host`."""
        ...

    @property
    def allow_pickle(self) -> bool:
        """See :class:`Host`."""
        ...


class Deployment(EngineStores, Protocol):
    """Datastores, computes and options."""

    @property
    def settings(self) -> HostSettings:
        """The options."""
        ...

    def compute(self, name: str) -> ComputeConfig:
        """What is said of a compute.  :raises ConfigurationError: when there is none of this name."""
        ...

    def registry_login(self, connection: str | None) -> Callable[[], dict[str, str] | None]:
        """Gives user and password of a registry when they are needed."""
        ...

    def cluster_client(self, connection: str) -> Callable[[], tuple[Any, str | None]]:
        """Gives a client of a cluster, and its namespace, from a connection when they are needed."""
        ...


def find_compute(name: str, *, stores: Deployment) -> Compute:
    """The compute of this name.

    :raises ConfigurationError: when there is none, or its description is wrong.
    """
    settings, config = stores.settings, stores.compute(name)
    host = Host(
        cache=settings.cache,
        scratch=settings.scratch,
        keep_failed=settings.keep_failed,
        uv=settings.uv,
        allow_pickle=settings.allow_pickle,
    )
    if isinstance(config, DockerConfig):
        from airflow_mlpipe.compute.docker import DockerCompute

        login = stores.registry_login(config.login)
        return DockerCompute(name, config, stores, host, workspace=settings.workspace, login=login)
    if isinstance(config, KubernetesConfig):
        from airflow_mlpipe.compute.kubernetes_ import KubernetesCompute

        login = stores.registry_login(config.login)
        client = stores.cluster_client(config.connection) if config.connection else None
        return KubernetesCompute(name, config, stores, host, workspace=settings.workspace, login=login, client=client)
    # A place among Airflow's workers is where this runs by now.
    return LocalCompute(stores, host, name=name)
