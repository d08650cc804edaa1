"""CommandStep: any program as a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.operators.base import StepOperator
from airflow_mlpipe.operators.ports import is_xcom


class CommandStep(StepOperator):
    """Runs a command: a list of the program and its arguments, which no shell reads.

    :param command: the program and its arguments; items as in ``arguments`` of
        :class:`~airflow_mlpipe.operators.base.StepOperator`.
    :param source_directory: a folder whose files the program finds in its working folder; ``include`` says which (by
        default all of them).
    """

    kind = "command"

    def __init__(
        self,
        *,
        command: Sequence[Any] | None = None,
        arguments: Sequence[Any] | None = None,
        source_directory: str | None = None,
        code: Any = "directory",
        **kwargs: Any,
    ) -> None:
        where = f"step {kwargs.get('task_id')!r}"
        if (command is None) == (arguments is None):
            raise DefinitionError("give command=[...]", where=where, fix="command=['program', 'argument', ...]")
        if isinstance(command, Sequence) and not isinstance(command, str) and not command:
            raise DefinitionError("the command is empty", where=where, fix="command=['program', 'argument', ...]")
        given = arguments if command is None else command
        if not is_xcom(given) and isinstance(given, str):
            raise DefinitionError(
                "command is a list, one item an argument; no shell reads it",
                where=where,
                given=given,
                fix="for a shell, say so: command=['bash', '-c', '...']",
            )
        super().__init__(arguments=given, source_directory=source_directory, code=code, **kwargs)
