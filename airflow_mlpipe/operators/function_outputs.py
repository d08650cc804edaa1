"""The outputs of a function step: their names from the function's annotation, what else is said of them by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.operators.ports import check_outputs
from airflow_mlpipe.operators.xcoms import VALUE
from airflow_mlpipe.values.outputs import declared


def outputs_of(function: Callable[..., Any], *, where: str) -> tuple[str, ...]:
    """Names of the outputs that a function declares in its annotation; empty for one value."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    try:
        return tuple(declared(annotation, getattr(function, "__globals__", {})) or ())
    except DefinitionError as error:
        raise DefinitionError(error.what, where=where, given=error.given, valid=error.valid, fix=error.fix) from error


def function_outputs(
    function: Callable[..., Any], said: Sequence[PipelineData] | None, *, where: str
) -> tuple[PipelineData, ...]:
    """The outputs of a function, in the order in which it declares them.

    Each is an object of this step's own: one decorated function may be called many times, and the edge is its result.

    :param said: options of some of them, by name; of a function that returns one value, the name is ``value``.
    :raises DefinitionError: for a name that the function does not declare, and for what its values decide.
    """
    names = outputs_of(function, where=where)
    named = {data.name: data for data in check_outputs(said, where=where)}
    for name, data in named.items():
        at = f"{where}: outputs"
        if name not in (names or (VALUE,)):
            raise DefinitionError(
                "the function declares no such output",
                where=at,
                given=name,
                valid=names or f"{VALUE!r}, its one result",
                fix=f"annotate the function, -> Outputs({name}=...), or name an output that it declares",
            )
        if data.kind != "folder" or data.filename is not None:
            raise DefinitionError(
                f"the type of what a function returns decides whether {name!r} is a file, and its name",
                where=at,
                given=f"kind={data.kind!r}, filename={data.filename!r}",
                fix="leave kind= and filename= out",
            )
        if data.optional and not names:
            raise DefinitionError(
                "a function's one result is not optional", where=at, given=name, fix="return None, or use -> Outputs()"
            )
    return tuple(replace(named[name]) if name in named else PipelineData(name) for name in names or (VALUE,))
