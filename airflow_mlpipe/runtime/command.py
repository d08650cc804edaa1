"""Run: a step's command line, with real paths where its arguments name ports.

- A script whose name ends in ``.py`` runs in the step's Python; any other script runs directly, by its ``#!`` line.
- A command runs as it is; its program is looked for on the PATH, the environment's programs first.
- A function runs in the step's Python, called by our :mod:`~airflow_mlpipe.values.call`.
- All run in the code folder (an empty folder when there is no code).
- The path of an optional input that its producer did not write is an empty argument.
"""

from __future__ import annotations

from pathlib import Path

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.step import Argument, InputPath, StepSpec, Text
from airflow_mlpipe.runtime.environments import Interpreter
from airflow_mlpipe.runtime.exchange import as_text
from airflow_mlpipe.runtime.layout import Layout, Staged, below
from airflow_mlpipe.runtime.view import View


def command_line(
    step: StepSpec, layout: Layout, staged: Staged, interpreter: Interpreter, view: View
) -> tuple[str, ...]:
    """Program and arguments of a step.

    :param view: how the program sees paths.
    :raises DefinitionError: for an empty command, or an argument that names no output of the step.
    """
    if step.function is not None:
        return (str(interpreter.python), "-m", "airflow_mlpipe.values.call", view(layout.call))
    arguments = tuple(_argument(argument, step, staged, view) for argument in step.command)
    if step.code is not None and step.code.entry is not None:
        script = below(layout.code, step.code.entry)
        if script.suffix == ".py":
            return (str(interpreter.python), view(script), *arguments)
        return (view(script), *arguments)
    if not arguments or not arguments[0]:
        raise DefinitionError("the command is empty", where=step.label, fix="give a program and its arguments")
    return arguments


def working_folder(step: StepSpec, layout: Layout) -> Path:
    """Where the program starts."""
    return layout.code if step.code is not None or step.function is not None else layout.work


def _argument(argument: Argument, step: StepSpec, staged: Staged, view: View) -> str:
    if isinstance(argument, Text):
        return as_text(argument.value)
    if isinstance(argument, InputPath):
        return view(staged.inputs[argument.name]) if argument.name in staged.inputs else ""
    if argument.name in staged.outputs:
        return view(staged.outputs[argument.name])
    raise DefinitionError(
        "an argument names an output that the step does not have",
        where=step.label,
        given=argument.name,
        valid=sorted(staged.outputs),
    )
