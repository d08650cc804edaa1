"""Dataset: files of a datastore, consumed by name.  Tables are refused: the program reads its files itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.data import DataPath, DataPathComputeBinding, DataReference, check_store
from airflow_mlpipe.azureml.datastore import Datastore
from airflow_mlpipe.azureml.outputs import InputPortBinding, refuse_tables
from airflow_mlpipe.azureml.parameters import PipelineParameter
from airflow_mlpipe.azureml.warn import ignored
from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.model import data as model

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.workspace import Workspace


class UrlDatastore(Datastore):
    """The folder of a URL, of an object store.

    :raises DefinitionError: for a URL that is none.
    """

    def __init__(self, url: str) -> None:
        self.name = re.sub(r"[^\w.-]+", "_", url.partition("://")[2].partition("/")[0])[:90] or "web"
        self._model = model.Datastore(self.name, url=url)


class FileDataset(DataPath):
    """Files at one path of a datastore."""

    @property
    def path(self) -> str:
        """In the datastore."""
        return self.path_on_datastore

    def as_named_input(self, name: str) -> DataReference:
        """The files as an input of this name."""
        return DataReference(self.datastore, name, self.path)

    def as_mount(self, path_on_compute: str | None = None) -> DataReference:
        """The files as an input."""
        ignored("FileDataset.as_mount", {"path_on_compute": path_on_compute}, why="inputs lie in a folder of the step")
        return DataReference(self.datastore, None, self.path)

    as_download = as_mount

    def register(self, workspace: Workspace, name: str, *others: Any, **more: Any) -> FileDataset:
        """The same: there is no registry of data; ``config.json`` names data for scripts."""
        why = f'there is no registry of data; name it in config.json ("datasets": {{"{name}": "datastore:path"}})'
        ignored("Dataset.register", {"name": name}, why=why)
        return FileDataset(self.datastore, self.path, name)

    def to_path(self) -> list[str]:
        """The path, in a list as in v1."""
        return [f"/{self.path}"]

    def __repr__(self) -> str:
        return f"FileDataset({self.datastore.name!r}, {self.path!r})"


class DatasetConsumptionConfig:
    """A dataset, or a parameter whose default is one, as an input of this name."""

    def __new__(cls, name: str, dataset: Any, mode: str = "mount", **others: Any) -> Any:
        """The input.  :raises DefinitionError: for what is no dataset of files."""
        if isinstance(dataset, PipelineParameter) and isinstance(dataset.default_value, DataPath):
            return InputPortBinding(name, (dataset, DataPathComputeBinding()))
        if not isinstance(dataset, FileDataset):
            raise DefinitionError(
                "dataset is one of files",
                where=f"DatasetConsumptionConfig({name!r})",
                given=dataset,
                fix="for a path that a run can replace: PipelineParameter(name, DataPath(datastore, path))",
            )
        ignored(f"DatasetConsumptionConfig({name!r})", others, why="inputs lie in a folder of the step")
        return dataset.as_named_input(name)


class _Files:
    @staticmethod
    def from_files(path: Any, validate: bool = True, **others: Any) -> FileDataset:
        """Files of a datastore.

        :param path: ``(datastore, path)``, a DataPath, a URL, or a list of one of these.
        :raises DefinitionError: for several paths (a glob is one).
        """
        ignored("Dataset.File.from_files", others, why="files are taken as they are")
        if isinstance(path, Sequence) and not isinstance(path, (str, tuple)):
            if len(path) != 1:
                raise DefinitionError(
                    "a dataset here is one path",
                    where="Dataset.File.from_files",
                    given=path,
                    fix="use a glob, (datastore, 'raw/*.csv'), or an input for each",
                )
            path = path[0]
        if isinstance(path, DataPath):
            return FileDataset(path.datastore, path.path_on_datastore)
        if isinstance(path, tuple) and len(path) == 2:
            where = "Dataset.File.from_files(path)"
            return FileDataset(check_store(path[0], where=where), str(path[1]).lstrip("/"))
        if isinstance(path, str) and path.lower().startswith(("http://", "https://")):
            raise DefinitionError(
                "a web server is no datastore",
                where="Dataset.File.from_files",
                given=path,
                fix="download it to a datastore and give (datastore, path), or let a step download it",
            )
        if isinstance(path, str) and "://" in path:
            store, _, name = path.rpartition("/")
            return FileDataset(UrlDatastore(store), name)
        raise DefinitionError(
            "a dataset is a path in a datastore",
            where="Dataset.File.from_files",
            given=path,
            fix="name the place as a datastore in config.json and give (datastore, path)",
        )

    upload_directory = None


class _Tables:
    @staticmethod
    def _refuse(*others: Any, **more: Any) -> None:
        refuse_tables("Dataset.Tabular")

    from_delimited_files = from_parquet_files = from_json_lines_files = from_sql_query = _refuse


class Dataset:
    """Data by name, or files by path."""

    File = _Files
    Tabular = _Tables

    @staticmethod
    def get_by_name(workspace: Workspace, name: str, version: object = "latest") -> FileDataset:
        """Data that ``config.json`` names: ``"datasets": {"titanic": "lake:raw/titanic.csv"}``.

        :raises ConfigurationError: when it does not.
        """
        said = workspace.config.datasets.get(name)
        if said is None:
            raise ConfigurationError(
                "there is no registry of data, and config.json does not say where these are",
                where=f"Dataset.get_by_name({name!r})",
                valid=sorted(workspace.config.datasets) or "it names none",
                fix=f'add "datasets": {{"{name}": "datastore:path"}} to config.json beside the script',
            )
        unless = ("latest", None)
        ignored(f"Dataset.get_by_name({name!r})", {"version": version}, why="its content is its version", unless=unless)
        store, _, path = said.partition(":")
        return FileDataset(Datastore(workspace, store), path, name)

    get_by_id = None
