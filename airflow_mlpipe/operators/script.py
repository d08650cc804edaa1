"""ScriptStep: a script of a source folder as a step."""

from __future__ import annotations

from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.operators.base import StepOperator


class ScriptStep(StepOperator):
    """Runs a script - Python by its ending ``.py``, anything else as an executable - with local paths as arguments.

    :param script_name: the script, relative to ``source_directory``.
    :param source_directory: folder of the code, relative to the DAG file; by default the DAG file's own folder.

    The other arguments are those of :class:`~airflow_mlpipe.operators.base.StepOperator` and of Airflow's BaseOperator.
    """

    kind = "script"

    def __init__(self, *, script_name: str, source_directory: str = ".", **kwargs: Any) -> None:
        name: object = script_name
        if not isinstance(name, str) or not name:
            raise DefinitionError(
                "script_name is the name of a script", where=f"step {kwargs.get('task_id')!r}", given=script_name
            )
        super().__init__(script_name=script_name, source_directory=source_directory, **kwargs)
