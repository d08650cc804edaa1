"""What the engine needs of a deployment: its datastores, and the folders of this host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.contents import Contents


class EngineStores(Protocol):
    """Opens datastores."""

    def contents(self, spelling: str) -> Contents:
        """What is kept by digest in a datastore (see :attr:`Datastore.spelling`; empty: the workspace)."""
        ...

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """The root of a datastore."""
        ...

    def local_root(self, datastore: Datastore) -> Path | None:
        """The folder of a datastore that is one; ``None`` for any other."""
        ...

    def config(self, spelling: str) -> StoreConfig:
        """What it takes to open a datastore elsewhere (empty: the workspace), credentials included."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """This host's folders and programs.

    :param cache: blobs, environments, checkpoints, the programs' ``XDG_CACHE_HOME``: may be removed at any time when
        no step runs. :param scratch: attempts; on the file system of ``cache``, so that links can be made.
    :param keep_failed: whether the folder of a failed attempt is kept.
    :param uv: the uv program; ``None``: from PATH or the Python package.
    :param allow_pickle: whether function steps may write and read pickles.
    """

    cache: Path
    scratch: Path
    keep_failed: bool = False
    uv: str | None = None
    allow_pickle: bool = False
