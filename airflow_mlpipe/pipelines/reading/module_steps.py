"""The steps of a module that is a pipeline: read like those of a pipeline, with the module's inputs around them.

They are modules themselves, commands without a source folder, and transfers: so that a DAG file which uses the module
needs no code of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.reading.steps import read_steps
from airflow_mlpipe.pipelines.records import OutputOf, Step
from airflow_mlpipe.pipelines.references import Reference, parts_of
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place

_HERE = ("steps",)


def read_module_steps(
    steps: Mapping[str, Any], mistakes: Mistakes, *, params: Mapping[str, Any], inputs: tuple[str, ...]
) -> tuple[Step, ...]:
    """Read the steps of a module; what is wrong with them is added to the mistakes.

    :param params: what ``${params.NAME}`` stands for. :param inputs: names of the module's inputs.
    """
    found = read_steps(steps, _HERE, Scope(mistakes=mistakes, params=params, inputs=inputs))
    for step in found:
        place = (*_HERE, step.task_id)
        if step.kind == "script" or (step.kind == "command" and step.source is not None):
            what = "the steps of a module have no source folders of their own"
            mistakes.add(place, what, fix="make a module of the script, and write module: NAME@VERSION", of_key=True)
        if step.group is not None or "." in step.task_id:
            mistakes.add(place, "the steps of a module have no groups: they are one", of_key=True)
        if (step.module or "").startswith((".", "/")):
            what = "the steps of a module name modules, which are where it is used, too"
            mistakes.add((*place, "module"), what, given=step.module, fix="write module: NAME@VERSION")
        if step.environment is not None and step.environment.requirements is not None:
            mistakes.add(
                (*place, "environment"), "a file of requirements would lie beside each DAG", fix="packages: [...]"
            )
    return found


def check_output(source: str | None, steps: tuple[Step, ...], place: Place, mistakes: Mistakes) -> None:
    """``from`` of an output names an output of a step; a misnamed one is a mistake."""
    if source is None or not steps:
        return
    names = [step.task_id for step in steps]
    output = output_of(source)
    if output is None:
        mistakes.add(
            place, "an output of a module of steps is one of theirs", given=source, valid="${steps.TASK.outputs.NAME}"
        )
    elif output.step not in names:
        mistakes.add(place, "there is no such step", given=output.step, valid=names)


def output_of(text: str) -> OutputOf | None:
    """The output that a text names, and nothing else."""
    parts = parts_of(text)
    if len(parts) != 1 or not isinstance(parts[0], Reference) or parts[0].kind != "output":
        return None
    return OutputOf(parts[0].step, parts[0].name)
