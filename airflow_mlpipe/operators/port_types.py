"""The types of a step's ports, beside the step; and the check of an edge between two that have one.

Only steps of modules have types.  Data that existed before, and outputs of other steps, may be anything: they are
accepted everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from airflow_mlpipe.errors import DefinitionError

if TYPE_CHECKING:
    from airflow_mlpipe.operators.ports import Port

_INPUTS = "mlpipe_input_types"
_OUTPUTS = "mlpipe_output_types"
_MANY = "mlpipe_many_inputs"


class TypedPort(Protocol):
    """A type, as :class:`airflow_mlpipe.modules.types.PortType`."""

    @property
    def kind(self) -> str | None:
        """``file`` or ``folder``; ``None``: either."""
        ...

    def accepts(self, given: Any) -> bool:
        """Whether something of the other type may come where this one is wanted."""
        ...


def declare_types(
    step: object, inputs: Mapping[str, TypedPort], outputs: Mapping[str, TypedPort], many: frozenset[str]
) -> None:
    """Write the types of its ports on a step, mapped or not.  :param many: inputs that take a list."""
    object.__setattr__(step, _MANY, many)
    object.__setattr__(step, _INPUTS, dict(inputs))
    object.__setattr__(step, _OUTPUTS, dict(outputs))


def output_types(step: object) -> Mapping[str, TypedPort]:
    """Types of a step's outputs; empty for a step without."""
    found: Mapping[str, TypedPort] = getattr(step, _OUTPUTS, {})
    return found


def check_edge(consumer: Any, port: str, producer: Any, output: str) -> None:
    """An output may come to an input.  :raises DefinitionError: naming both types."""
    wanted: TypedPort | None = getattr(consumer, _INPUTS, {}).get(port)
    given = output_types(producer).get(output)
    if wanted is not None and getattr(producer, "is_mapped", False) and port not in getattr(consumer, _MANY):
        raise DefinitionError(
            f"the input {port!r} takes one thing, and {producer.task_id!r} is mapped: it gives one for each instance",
            where=f"step {consumer.task_id!r}",
            fix="map this step, too, or ask the module's owner for a port with many: true",
        )
    if wanted is not None and given is None:
        _check_kind(wanted, consumer, port, producer, output)
    if wanted is None or given is None or wanted.accepts(given):
        return
    raise DefinitionError(
        f"the input {port!r} wants {wanted}, and the output {output!r} of {producer.task_id!r} is {given}",
        where=f"step {consumer.task_id!r}",
        fix="connect an output of that type, or put a step between that converts it",
    )


def _check_kind(wanted: TypedPort, consumer: Any, port: str, producer: Any, output: str) -> None:
    """The output of a program whose author said no type is a file or a folder all the same."""
    said = getattr(producer, "output_data", ()) if getattr(producer, "kind", "") in ("script", "command") else ()
    kind = next((data.kind for data in said if data.name == output), None)
    if kind is not None and wanted.kind not in (None, kind):
        raise DefinitionError(
            f"the input {port!r} takes a {wanted.kind}, and the output {output!r} of {producer.task_id!r} is a {kind}",
            where=f"step {consumer.task_id!r}",
            fix=f"if it is a {wanted.kind}, say so: PipelineData({output!r}, kind={wanted.kind!r})",
        )


def check_sources(consumer: Any, port: Port) -> None:
    """The edges of a port that are known when it is declared, ``step.outputs["x"]``; errors as :func:`check_edge`."""
    source = port.get("from")
    for one in source if isinstance(source, list) else (source,):
        producer, key = getattr(one, "operator", None), getattr(one, "key", None)
        if producer is not None and isinstance(key, str):
            check_edge(consumer, str(port["name"]), producer, key)
