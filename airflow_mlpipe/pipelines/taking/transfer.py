"""A DataTransferStep as a record."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

from airflow_mlpipe.operators.ports import data_from_plain
from airflow_mlpipe.pipelines.reading.transfer import OPTIONS
from airflow_mlpipe.pipelines.records import Output, Step
from airflow_mlpipe.pipelines.taking.values import DataNames


def as_transfer(task: Any, step: Step, data: DataNames) -> Step:
    """The step with what only a transfer has."""
    said = {name: getattr(task, name) for name in OPTIONS}
    options = {name: value for name, value in said.items() if value != _usual(type(task), name)}
    (output,) = step.outputs
    if output.datastore is None:  # a DataReference: then the step has made an output of its name
        reference = data_from_plain(output.name, task.destination)
        options["destination"] = data.of(reference)
        step = replace(step, outputs=(Output(name=output.name),))
    return replace(step, options=options, deferrable=None)


def _usual(kind: type, option: str) -> Any:
    value = inspect.signature(vars(kind)["__init__"]).parameters[option].default
    return list(value) if isinstance(value, tuple) else value
