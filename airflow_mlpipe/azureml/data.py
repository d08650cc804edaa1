"""Data that exist already, by v1's names: DataReference, DataPath."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.warn import ignored
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import data as model
from airflow_mlpipe.model.names import check_port, port_from_path

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.datastore import Datastore

MODES = ("mount", "download", "direct")
_PLACED = "inputs lie in a folder of the step, whose path the program is given"


def check_mode(mode: object, *, where: str) -> None:
    """An input is there when the program starts, whatever the mode.

    :raises DefinitionError: for a mode that writes, or that is none.
    """
    if mode not in MODES:
        raise DefinitionError(
            "not a mode of an input",
            where=where,
            given=mode,
            valid=MODES,
            fix="to write to a path, let the step have an OutputFileDatasetConfig(destination=(datastore, path))",
        )


def check_store(value: Any, *, where: str) -> Datastore:
    """A datastore of v1.  :raises DefinitionError: for anything else."""
    from airflow_mlpipe.azureml.datastore import Datastore

    if not isinstance(value, Datastore):
        raise DefinitionError("datastore is a Datastore", where=where, given=value, valid="Datastore(workspace, name)")
    return value


class DataReference:
    """A file, a folder or a glob in a datastore.

    Its identity for reuse is its content, not its path as in v1.

    :param mode: ``mount``, ``download`` or ``direct``: all are complete, read-only files before the program starts.
    """

    def __init__(
        self,
        datastore: Datastore,
        data_reference_name: str | None = None,
        path_on_datastore: str | None = None,
        mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool = False,
    ) -> None:
        where = f"DataReference({data_reference_name or path_on_datastore!r})"
        self.datastore = check_store(datastore, where=where)
        self.path_on_datastore = (path_on_datastore or "").lstrip("/")
        name = data_reference_name or port_from_path(self.path_on_datastore or datastore.name)
        self.data_reference_name = check_port(name, where=where)
        check_mode(mode, where=where)
        ignored(where, {"path_on_compute": path_on_compute, "overwrite": overwrite}, why=_PLACED)

    @property
    def name(self) -> str:
        """The port's name."""
        return self.data_reference_name

    def to_model(self) -> model.DataReference:
        """The same in our model.  :raises PathError: for a path that leaves the datastore."""
        return model.DataReference(self.datastore.to_model(), self.path_on_datastore, name=self.name)

    def path(self, path: str | None = None, data_reference_name: str | None = None) -> DataReference:
        """Something below this."""
        below = "/".join(p for p in (self.path_on_datastore.rstrip("/"), path) if p)
        return DataReference(self.datastore, data_reference_name, below)

    def as_mount(self) -> DataReference:
        """The same: data are there when the program starts."""
        return self

    def as_download(self, path_on_compute: str | None = None, overwrite: bool = False) -> DataReference:
        """The same: data are there when the program starts."""
        ignored(f"{self.name}.as_download", {"path_on_compute": path_on_compute, "overwrite": overwrite}, why=_PLACED)
        return self

    def as_upload(self, *others: Any, **more: Any) -> DataReference:
        """An output in v1.  :raises DefinitionError: always."""
        check_mode("upload", where=f"{self.name}.as_upload()")
        return self

    def __repr__(self) -> str:
        return f"DataReference({self.datastore.name!r}, {self.path_on_datastore!r}, name={self.name!r})"


class DataPath:
    """A path in a datastore, as the default of a parameter or the value of one at submit."""

    def __init__(self, datastore: Datastore, path_on_datastore: str = "", name: str | None = None) -> None:
        self.datastore = check_store(datastore, where="DataPath(datastore)")
        self.path_on_datastore = path_on_datastore.lstrip("/")
        self.name = name

    def create_data_reference(
        self, data_reference_name: str | None = None, datapath_compute_binding: DataPathComputeBinding | None = None
    ) -> DataReference:
        """The data at this path."""
        return DataReference(self.datastore, data_reference_name or self.name, self.path_on_datastore)

    def __repr__(self) -> str:
        return f"DataPath({self.datastore.name!r}, {self.path_on_datastore!r})"


class DataPathComputeBinding:
    """How the data of a path arrive; all modes are the same here."""

    def __init__(self, mode: str = "mount", path_on_compute: str | None = None, overwrite: bool = False) -> None:
        check_mode(mode, where="DataPathComputeBinding(mode)")
        ignored("DataPathComputeBinding", {"path_on_compute": path_on_compute, "overwrite": overwrite}, why=_PLACED)
        self.mode = mode
