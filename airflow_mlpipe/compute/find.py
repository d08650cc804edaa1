"""From the name that an author wrote in ``compute_target=`` to a compute."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from airflow_mlpipe.compute.base import Compute
from airflow_mlpipe.compute.local import NAME as LOCAL
from airflow_mlpipe.compute.local import LocalCompute
from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.runtime.stores import EngineStores, Host


class HostSettings(Protocol):
    """The options of a deployment that a compute needs."""

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
    """Datastores and options."""

    @property
    def settings(self) -> HostSettings:
        """The options."""
        ...


def find_compute(name: str, *, stores: Deployment) -> Compute:
    """The compute of this name.

    :raises ConfigurationError: when there is none.
    """
    if name == LOCAL:
        settings = stores.settings
        host = Host(
            cache=settings.cache,
            scratch=settings.scratch,
            keep_failed=settings.keep_failed,
            uv=settings.uv,
            allow_pickle=settings.allow_pickle,
        )
        return LocalCompute(stores, host)
    raise ConfigurationError("there is no such compute", where="compute_target", given=name, valid=(LOCAL,))
