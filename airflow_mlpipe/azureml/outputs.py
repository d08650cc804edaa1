"""Outputs of v1 - PipelineData, OutputFileDatasetConfig - and what binds data to a port of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.data import check_mode, check_store
from airflow_mlpipe.azureml.warn import ignored
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import data as model
from airflow_mlpipe.model.names import check_port

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.datastore import Datastore
    from airflow_mlpipe.azureml.steps import PipelineStep

_PUBLISHED = "an output is a folder of the step, published when the program ended with 0"


class StepOutput:
    """What PipelineData and OutputFileDatasetConfig have in common: one step writes it, others read it."""

    producer: PipelineStep | None = None
    name: str | None

    def to_model(self, name: str) -> model.PipelineData:
        """The same in our model, under the name that the step gives it."""
        raise NotImplementedError

    def as_input(self, name: str | None = None) -> InputPortBinding:
        """This as an input, under another name if one is given."""
        return InputPortBinding(name, self)

    as_named_input = as_input

    def as_mount(self, *others: Any, **more: Any) -> Any:
        """The same; data are there when the program starts."""
        ignored(f"{self!r}.as_mount", {"arguments": (*others, *more) or None}, why=_PUBLISHED)
        return self

    def as_download(self, input_name: str | None = None, path_on_compute: str | None = None, **more: Any) -> Any:
        """The same as an input; data are there when the program starts."""
        ignored(f"{self!r}.as_download", {"path_on_compute": path_on_compute, **more}, why=_PUBLISHED)
        return self.as_input(input_name) if input_name else self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class PipelineData(StepOutput):
    """An output of a step.

    :param output_name: the port's name; by default ``name``.
    :param is_directory: ``False`` for one file; else it is a folder, that exists, empty, when the program starts.
    :param pipeline_output_name: the name under which ``run.get_pipeline_output`` finds it.
    """

    def __init__(
        self,
        name: str,
        datastore: Datastore | None = None,
        output_name: str | None = None,
        output_mode: str = "mount",
        output_path_on_compute: str | None = None,
        output_overwrite: bool | None = None,
        data_type: str | None = None,
        is_directory: bool | None = None,
        pipeline_output_name: str | None = None,
        training_output: object = None,
        **others: Any,
    ) -> None:
        where = f"PipelineData({name!r})"
        self.name = check_port(output_name or name, where=where)
        self.datastore = None if datastore is None else check_store(datastore, where=where)
        self.is_directory = is_directory
        self.pipeline_output_name = pipeline_output_name
        if training_output is not None:
            raise DefinitionError("training_output belongs to HyperDriveStep and AutoMLStep", where=where)
        if output_mode not in ("mount", "upload"):
            raise DefinitionError("not a mode of an output", where=where, given=output_mode, valid=("mount", "upload"))
        given = {"output_path_on_compute": output_path_on_compute, "output_overwrite": output_overwrite}
        ignored(where, {**given, "data_type": data_type, **others}, why=_PUBLISHED)

    def to_model(self, name: str) -> model.PipelineData:
        """See :class:`StepOutput`."""
        place = self.datastore.of_output() if self.datastore else None
        return model.PipelineData(name, datastore=place, kind="file" if self.is_directory is False else "folder")

    def as_dataset(self) -> PipelineData:
        """The same: an output is a folder or a file, and nothing else."""
        return self

    def parse_delimited_files(self, *others: Any, **more: Any) -> None:
        """A table in v1.  :raises DefinitionError: always."""
        refuse_tables(f"{self!r}.parse_delimited_files")

    parse_parquet_files = parse_delimited_files


class OutputFileDatasetConfig(StepOutput):
    """An output of a step, with a copy at a path of a datastore if one is said.

    :param name: the port's name; without one it is named by its place in the step (in v1, at random).
    :param destination: ``(datastore, path)``; ``{run-id}`` and ``{output-name}`` in the path are replaced.
    """

    def __init__(
        self, name: str | None = None, destination: Any = None, source: str | None = None, **others: Any
    ) -> None:
        where = f"OutputFileDatasetConfig({name!r})"
        self.name = None if name is None else check_port(name, where=where)
        self.datastore: Datastore | None = None
        self.path: str | None = None
        if destination is not None:
            pair = destination if isinstance(destination, tuple) else (destination,)
            self.datastore = check_store(pair[0], where=f"{where}: destination")
            self.path = str(pair[1]).strip("/") if len(pair) > 1 and pair[1] else None
        ignored(where, {"source": source, **others}, why=_PUBLISHED)

    def to_model(self, name: str) -> model.PipelineData:
        """See :class:`StepOutput`."""
        place = self.datastore.of_output() if self.datastore else None
        if self.path is None:
            return model.PipelineData(name, datastore=place)
        path = self.path.replace("{output-name}", name).replace("{run-id}", "{run}")
        return model.PipelineData(name, datastore=place, path=path)

    def as_upload(self, overwrite: bool = False, source_globs: object = None) -> OutputFileDatasetConfig:
        """The same: all that the program wrote is published when it has ended."""
        if source_globs is not None:
            raise DefinitionError("only whole outputs are published", where=f"{self!r}.as_upload(source_globs)")
        ignored(f"{self!r}.as_upload", {"overwrite": overwrite}, why="an output is never overwritten")
        return self

    def register_on_complete(self, name: str, *others: Any, **more: Any) -> OutputFileDatasetConfig:
        """The same: there is no registry of data; a reference to what was written is in the step's XCom."""
        ignored(f"{self!r}.register_on_complete", {"name": name}, why="there is no registry of data; `pin` keeps one")
        return self

    def read_delimited_files(self, *others: Any, **more: Any) -> None:
        """A table in v1.  :raises DefinitionError: always."""
        refuse_tables(f"{self!r}.read_delimited_files")

    read_parquet_files = read_delimited_files


class InputPortBinding:
    """An output, or data that exist already, as an input with a name of its own."""

    def __init__(
        self,
        name: str | None = None,
        bind_object: Any = None,
        bind_mode: str = "mount",
        path_on_compute: str | None = None,
        overwrite: bool | None = None,
        is_resource: bool = False,
        **others: Any,
    ) -> None:
        where = f"InputPortBinding({name!r})"
        check_mode(bind_mode, where=where)
        self.name = None if name is None else check_port(name, where=where)
        self.bind_object = bind_object
        self.is_resource = is_resource
        given = {"path_on_compute": path_on_compute, "overwrite": overwrite, **others}
        ignored(where, given, why="inputs lie in a folder of the step")

    def as_mount(self, *others: Any, **more: Any) -> InputPortBinding:
        """The same; data are there when the program starts."""
        return self

    as_download = as_mount

    def __repr__(self) -> str:
        return f"InputPortBinding({self.name!r}, {self.bind_object!r})"


class OutputPortBinding:
    """v1's low-level output.  :raises DefinitionError: unless it binds a PipelineData."""

    def __new__(cls, name: str | None = None, bind_object: Any = None, **others: Any) -> Any:
        """The bound PipelineData itself."""
        if not isinstance(bind_object, StepOutput):
            raise DefinitionError("bind_object is a PipelineData", where="OutputPortBinding", given=bind_object)
        ignored("OutputPortBinding", {"name": name, **others}, why=_PUBLISHED)
        return bind_object


def refuse_tables(where: str) -> None:
    """Tabular datasets are read by the service in v1; here the program reads files.

    :raises DefinitionError: always.
    """
    raise DefinitionError(
        "tables are not read for the program",
        where=where,
        fix="pass the file or folder itself and read it in the script (pandas.read_csv, read_parquet)",
    )
