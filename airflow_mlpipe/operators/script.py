"""ScriptStep: a script of a source folder as a step."""

from __future__ import annotations

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.operators.base import StepOperator
from airflow_mlpipe.operators.program import Said


class ScriptStep(StepOperator):
    """Runs a script - Python by its ending ``.py``, anything else as an executable - with local paths as arguments.

    :param script_name: the script, relative to ``source_directory``.
    :param source_directory: folder of the code, relative to the DAG file; by default the DAG file's own folder.
    :param code: which files count; by default ``"closure"``, the script and what it imports.

    The other arguments are those of :class:`~airflow_mlpipe.operators.base.StepOperator` and of Airflow's BaseOperator.
    """

    kind = "script"

    @classmethod
    def complete(cls, said: Said, *, where: str) -> Said:
        """A script needs its name.  :raises DefinitionError: without one, and for a command."""
        if said.command is not None:
            raise DefinitionError(
                "a ScriptStep has no command", where=where, fix="give script_name= and arguments=, or use CommandStep"
            )
        if "script_name" not in said.mapped and (not isinstance(said.script_name, str) or not said.script_name):
            raise DefinitionError("script_name is the name of a script", where=where, given=said.script_name)
        folder, code = said.source_directory or ".", said.code or "closure"
        return Said(said.arguments, None, said.script_name, folder, code, said.mapped)
