"""The workspace and the datastores of this deployment, opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_mlpipe.compute.config import ComputeConfig
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.hooks.computes import client_of, config_of_compute, login_of
from airflow_mlpipe.hooks.datastore import config_of_datastore, config_of_url
from airflow_mlpipe.hooks.settings import Settings, load_settings
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig, contents_of
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.store.workspace import Workspace

if TYPE_CHECKING:
    from airflow_mlpipe.model.data import Datastore


class Stores:
    """Every datastore of a deployment by name, opened once each.

    :param settings: the options; read from Airflow's configuration when not given.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._datastores: dict[tuple[str, str | None, str | None], ObjectStore] = {}
        self._contents: dict[str, Contents] = {}

    @cached_property
    def index(self) -> LocalIndex:
        """Digests of local files, remembered on this host."""
        return LocalIndex(self.settings.cache / "index")

    @property
    def cache(self) -> Path:
        """Folder of this host for what is remembered."""
        return self.settings.cache

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace."""
        store = open_store(self.config(""))
        return Workspace(store, self._open_contents(store), lease_seconds=self.settings.lease_seconds)

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """The root of a datastore.  :raises ConfigurationError: when it is not known."""
        key = (datastore.name, datastore.url, datastore.connection)
        if key not in self._datastores:
            self._datastores[key] = open_store(config_of_datastore(datastore, self.settings))
        return self._datastores[key]

    def contents(self, spelling: str) -> Contents:
        """Contents kept in a datastore, by :attr:`Datastore.spelling`; of the workspace for the empty text."""
        if not spelling:
            return self.workspace.contents
        if spelling not in self._contents:
            self._contents[spelling] = self._open_contents(open_store(contents_of(self.config(spelling))))
        return self._contents[spelling]

    def local_root(self, datastore: Datastore) -> Path | None:
        """The folder of a datastore that is one; ``None`` for any other."""
        parts = urlsplit(self.datastore(datastore).url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    def config(self, spelling: str) -> StoreConfig:
        """What it takes to open a datastore, or the workspace; see :class:`EngineStores`."""
        from airflow_mlpipe.model.data import Datastore

        if not spelling:
            return config_of_url(self.settings.workspace, self.settings.workspace_connection)

        return config_of_datastore(Datastore.spelled(spelling), self.settings)

    def compute(self, name: str) -> ComputeConfig:
        """What is said of a compute.  :raises ConfigurationError: when there is none of this name."""
        return config_of_compute(name, self.settings)

    def registry_login(self, connection: str | None) -> Callable[[], dict[str, str] | None]:
        """Gives user and password of a registry, from an Airflow connection, when they are needed."""
        return login_of(connection)

    def cluster_client(self, connection: str) -> Callable[[], tuple[Any, str | None]]:
        """Gives a client of a Kubernetes cluster, and its namespace, from an Airflow connection."""
        return client_of(connection)

    def _open_contents(self, store: ObjectStore) -> Contents:
        return Contents(store, index=self.index)


def open_workspace() -> Workspace:
    """The workspace of this deployment, from ``[mlpipe] workspace``.

    :raises ConfigurationError: when it cannot be opened. :raises WorkspaceVersionError: when it is newer than this.
    """
    return Stores().workspace
