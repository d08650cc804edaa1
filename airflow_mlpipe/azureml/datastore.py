"""Datastore: a name of v1 that ``config.json`` or Airflow says the place of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.data import DataReference
from airflow_mlpipe.azureml.warn import ignored, warn
from airflow_mlpipe.azureml.where import calling_file, parsing
from airflow_mlpipe.azureml.workspace import DEFAULT_DATASTORE
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import data as model

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.workspace import Workspace

_REGISTER = "create an Airflow connection of type mlpipe_datastore with this name, or name the place in config.json"


class Datastore:
    """A datastore by its name.

    :raises DefinitionError: for a name that cannot be a connection id.
    """

    def __init__(self, workspace: Workspace, name: str | None = None) -> None:
        self.workspace = workspace
        self.name = name or DEFAULT_DATASTORE
        self._model = workspace.config.datastore(self.name)

    @classmethod
    def get(cls, workspace: Workspace, datastore_name: str) -> Datastore:
        """A datastore by its name; whether it is there shows when it is read."""
        return cls(workspace, datastore_name)

    @classmethod
    def get_default(cls, workspace: Workspace) -> Datastore:
        """Where outputs go that name no datastore."""
        return workspace.get_default_datastore()

    def to_model(self) -> model.Datastore:
        """The same in our model."""
        return self._model

    def of_output(self) -> model.Datastore | None:
        """Where an output's bytes are kept; ``None``, our workspace, for v1's default datastore without a place."""
        return None if self.name == DEFAULT_DATASTORE and self._model.url is None else self._model

    def as_mount(self) -> DataReference:
        """All of it."""
        return self.path()

    as_download = as_mount

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Something in it."""
        return DataReference(self, data_reference_name, path)

    def upload(
        self,
        src_dir: str,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copy a folder into the datastore, when the script runs by itself; nothing while Airflow parses it.

        :param src_dir: relative to the script. :param overwrite: whether files that are there are written again.
        :raises DefinitionError: when there is no such folder. :raises StoreError: when the datastore refuses.
        """
        root = Path(os.path.dirname(calling_file()), src_dir)
        if not parsing():
            if not root.is_dir():
                raise DefinitionError("there is no such folder", where=f"{self.name}.upload", given=str(root))
            files = [(p, p.relative_to(root).as_posix()) for p in sorted(root.rglob("*")) if p.is_file()]
            self._put(files, target_path, overwrite, show_progress)
        return self.path(target_path)

    def upload_files(
        self,
        files: Sequence[str],
        relative_root: str | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> DataReference:
        """Copy files into the datastore, when the script runs by itself; nothing while Airflow parses it.

        :param relative_root: what of the files' paths is left out; by default everything but their names.
        :raises DefinitionError: when there is no such file. :raises StoreError: when the datastore refuses.
        """
        if not parsing():
            home = os.path.dirname(calling_file())
            found = [Path(home, name) for name in files]
            if missing := [str(p) for p in found if not p.is_file()]:
                raise DefinitionError("there is no such file", where=f"{self.name}.upload_files", given=missing)
            root = Path(home, relative_root) if relative_root else None
            named = [(p, os.path.relpath(p, root) if root else p.name) for p in found]
            self._put(named, target_path, overwrite, show_progress)
        return self.path(target_path)

    def _put(self, files: Sequence[tuple[Path, str]], target: str | None, overwrite: bool, show: bool) -> None:
        from airflow_mlpipe.hooks.workspace import Stores

        store = Stores().datastore(self._model)
        for path, name in files:
            key = model.check_relative("/".join(p for p in (target, name) if p), where=f"{self.name}.upload")
            if not overwrite and store.head(key) is not None:
                _say(f"{key} is there already", show)
                continue
            store.upload(path, key)
            _say(f"uploaded {path} to {store.url.rstrip('/')}/{key}", show)

    @classmethod
    def register_azure_blob_container(cls, workspace: Workspace, datastore_name: str, **others: Any) -> Datastore:
        """The datastore of that name.  It is not registered: credentials stay out of scripts."""
        if datastore_name not in workspace.config.datastores:
            warn(f"Datastore {datastore_name!r} is not registered by a script; {_REGISTER}")
        ignored("Datastore.register", dict.fromkeys(others, "..."), why=_REGISTER)
        return cls(workspace, datastore_name)

    register_azure_file_share = register_azure_blob_container
    register_azure_data_lake_gen2 = register_azure_blob_container

    def __repr__(self) -> str:
        return f"Datastore({self.name!r})"


def _say(text: str, show: bool) -> None:
    if show:
        import sys

        sys.stdout.write(f"{text}\n")
