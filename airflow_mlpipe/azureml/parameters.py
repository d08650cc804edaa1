"""PipelineParameter: a Param of the DAG, and where it is used, a template."""

from __future__ import annotations

from typing import Any

from airflow_mlpipe.azureml.data import DataPath, DataPathComputeBinding
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.names import check_port


class PipelineParameter:
    """A value that a run can replace.

    :param default_value: text, a number, a bool, or a :class:`DataPath`.
    :raises DefinitionError: for a name or a default that is none.
    """

    def __init__(self, name: str, default_value: Any) -> None:
        self.name = check_port(name, where="PipelineParameter(name)")
        if not isinstance(default_value, (str, int, float, bool, DataPath)):
            raise DefinitionError(
                "this cannot be the default of a parameter",
                where=f"PipelineParameter({name!r})",
                given=default_value,
                valid="text, a number, a bool, or a DataPath",
            )
        self.default_value = default_value

    @property
    def template(self) -> str:
        """What stands for the value where Airflow renders it."""
        return f"{{{{ params.{self.name} }}}}"

    @property
    def schema(self) -> tuple[Any, str]:
        """The default as JSON, and its type as JSON schema names it.

        Whole numbers take any number: in v1 every value became text.
        """
        default = self.default_value
        if isinstance(default, DataPath):
            return default.path_on_datastore, "string"
        if isinstance(default, bool):
            return default, "boolean"
        return (default, "number") if isinstance(default, (int, float)) else (default, "string")

    def __repr__(self) -> str:
        return f"PipelineParameter({self.name!r}, {self.default_value!r})"


def is_data_parameter(value: object) -> bool:
    """Whether a value is v1's pair of a parameter and how its data arrive."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and isinstance(value[0], PipelineParameter)
        and isinstance(value[1], DataPathComputeBinding)
    )
