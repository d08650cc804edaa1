"""DataTransferStep: ours, by v1's arguments.  No Data Factory has a part in it: the worker copies."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.data import DataReference
from airflow_mlpipe.azureml.outputs import PipelineData, StepOutput
from airflow_mlpipe.azureml.steps import PipelineStep
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import data as model

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.build import Built

_TYPES = (None, "file", "directory")


class DataTransferStep(PipelineStep):
    """Copies a file or a folder from one datastore to another.

    :param source_data_reference: data that exist, or an output of another step.
    :param destination_data_reference: a place in a datastore; its name is the output's.
    :param source_reference_type, destination_reference_type: ``file`` or ``directory``; the destination is by default
        what the source is, and without either a file if its path has an ending.
    :param compute_target: it has no meaning: the worker copies.
    """

    def __init__(
        self,
        name: str,
        source_data_reference: Any = None,
        destination_data_reference: Any = None,
        compute_target: Any = None,
        source_reference_type: str | None = None,
        destination_reference_type: str | None = None,
        allow_reuse: bool = True,
    ) -> None:
        super().__init__(name, inputs=[source_data_reference], allow_reuse=allow_reuse)
        for side, value in (("source", source_reference_type), ("destination", destination_reference_type)):
            if value not in _TYPES:
                raise DefinitionError(
                    "not a type", where=f"{self.where}: {side}_reference_type", given=value, valid=_TYPES[1:]
                )
        if not isinstance(destination_data_reference, DataReference):
            raise DefinitionError(
                "the destination is a place in a datastore",
                where=self.where,
                given=destination_data_reference,
                valid="DataReference(datastore, name, path)",
            )
        self.source_type = source_reference_type
        target = destination_data_reference
        if not target.path_on_datastore.strip("/"):
            raise DefinitionError("the destination is the datastore itself", where=self.where, fix="give it a path")
        kind = destination_reference_type or source_reference_type
        ending = posixpath.splitext(target.path_on_datastore)[1]
        self._output = _Delivered(target, is_file=kind == "file" if kind else bool(ending))
        self._output.producer = self
        self.outputs = {str(self._output.name): self._output}

    def get_output(self, name: str | None = None) -> StepOutput:
        """What was delivered, for steps that come after."""
        return self._output

    def add_task(self, built: Built, task_id: str) -> Any:
        """Make the task.  :raises DefinitionError: what the operator refuses."""
        from airflow_mlpipe.operators.transfer import DataTransferStep as Operator

        _, source = built.data(self.inputs[0], f"{self.where}: source_data_reference")
        if self.source_type == "directory" and isinstance(source, model.DataReference) and source.path:
            source = model.DataReference(source.datastore, f"{source.path.rstrip('/')}/", name=source.name)
        return Operator(
            task_id=task_id,
            dag=built.dag,
            source=source,
            destination=built.output(self._output, str(self._output.name)),
            **built.reuse(self),
        )


class _Delivered(PipelineData):
    """What lies at a place of a datastore once the step has ended."""

    def __init__(self, place: DataReference, *, is_file: bool) -> None:
        super().__init__(place.name, place.datastore, is_directory=not is_file)
        self.place = place

    def to_model(self, name: str) -> model.PipelineData:
        """See :class:`StepOutput`."""
        path = self.place.path_on_datastore.strip("/")
        store = self.place.datastore.to_model()
        return model.PipelineData(
            name, datastore=store, path=path, kind="file" if self.is_directory is False else "folder"
        )
