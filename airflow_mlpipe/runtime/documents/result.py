"""``result/1``: a finished attempt whose outputs are published, waiting for the worker to take it."""

from __future__ import annotations

from typing import Any

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.runtime.job import JobResult

_PLAIN = ("result", "values", "metrics", "seconds", "peak_bytes")


def result_to_bytes(result: JobResult, *, attempt: str) -> bytes:
    """The document.  :param attempt: whose result it is."""
    members: dict[str, Any] = {name: getattr(result, name) for name in _PLAIN}
    members |= {"values": dict(result.values), "metrics": dict(result.metrics)}
    return to_bytes(
        tag("result", 1) | members | {"attempt": attempt, "outputs": [output.to_json() for output in result.outputs]}
    )


def result_from_bytes(data: bytes, *, attempt: str | None = None, where: str = "result") -> JobResult:
    """Read :func:`result_to_bytes` back.

    :param attempt: whose result it has to be; ``None``: anybody's.
    :raises CorruptedError: when it is none, or another's. :raises WorkspaceVersionError: when it is newer.
    """
    members = parse(data, "result", 1, where=where)
    if attempt is not None and members.get("attempt") != attempt:
        raise CorruptedError("the result of another attempt", where=where, given=members.get("attempt"))
    try:
        return JobResult(
            outputs=tuple(map(OutputReference.from_json, members["outputs"])),
            result=members["result"],
            values=dict(members["values"]),
            metrics={str(name): float(value) for name, value in members["metrics"].items()},
            seconds=float(members["seconds"]),
            peak_bytes=None if members["peak_bytes"] is None else int(members["peak_bytes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptedError(f"not a result ({error!r})", where=where) from error
