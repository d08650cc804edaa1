"""A ModuleStep as a record: what its author said, and not what its module says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.pipelines.kinds import with_dots
from airflow_mlpipe.pipelines.records import Step


def as_module(task: Any, step: Step, rebase: Callable[[str], str]) -> Step:
    """The step without what is its module's.  :param rebase: turns the path of a folder into the pipeline's."""
    definition = task.resolved.definition
    usual = Reuse() if definition.deterministic else Reuse(policy="never")
    outputs = {port: output for output in step.outputs if (port := output.name) in task.data_of_outputs}
    said = tuple(
        replace(output, kind="folder", filename=None, optional=False)
        for port, output in outputs.items()
        if any(getattr(output, name) for name in ("datastore", "path", "asset", "volatile"))
    )
    return replace(
        step,
        module=with_dots(rebase(task.module)) if task.module.startswith(".") else task.module,
        outputs=said,
        parameters=dict(task.raw_parameters or {}),
        environment=None if task.own_environment else step.environment,
        resources=None if step.resources == definition.resources else step.resources,
        reuse=None if task.reuse == usual else task.reuse,
    )
