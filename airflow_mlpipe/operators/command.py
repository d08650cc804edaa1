"""CommandStep: any program as a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.operators.base import StepOperator
from airflow_mlpipe.operators.program import Said


class CommandStep(StepOperator):
    """Runs a command: a list of the program and its arguments, which no shell reads.

    :param command: the program and its arguments; items as in ``arguments`` of
        :class:`~airflow_mlpipe.operators.base.StepOperator`.
    :param source_directory: a folder whose files the program finds in its working folder.
    :param code: which of them count; by default ``"directory"``, all that ``.mlpipeignore`` leaves.
    """

    kind = "command"

    @classmethod
    def complete(cls, said: Said, *, where: str) -> Said:
        """The command is the list of arguments.  :raises DefinitionError: without one, and for a shell string."""
        given = said.arguments if said.command is None else said.command
        if "arguments" not in said.mapped:
            if (said.command is None) == (said.arguments is None):
                raise DefinitionError("give command=[...]", where=where, fix="command=['program', 'argument', ...]")
            if isinstance(given, str):
                raise DefinitionError(
                    "command is a list, one item an argument; no shell reads it",
                    where=where,
                    given=given,
                    fix="for a shell, say so: command=['bash', '-c', '...']",
                )
            if isinstance(given, Sequence) and not given:
                raise DefinitionError("the command is empty", where=where, fix="command=['program', 'argument', ...]")
        return replace(said, arguments=given, command=None, code=said.code or "directory")
