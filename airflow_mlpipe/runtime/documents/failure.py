"""``error/1``: an error with its parts, so that the worker raises the one that was raised elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_mlpipe import errors
from airflow_mlpipe.errors import ComputeError, CorruptedError, MLPipeError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.runtime.function import FunctionError

_LONGEST = 4_000  # characters of a value that is shown


class _Shown:
    """A value of another process, as it was shown there."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def failure_to_bytes(error: BaseException) -> bytes:
    """The document.  What is no error of ours is one of the compute: the program is not at fault."""
    if not isinstance(error, MLPipeError):
        text = f"the agent failed: {type(error).__name__}: {error}"
        error = ComputeError(text[:_LONGEST], reason="agent", fix="its log says where")
    return to_bytes(
        tag("error", 1)
        | {
            "kind": type(error).__name__,
            "what": error.what,
            "where": error.where,
            "given": None if error.given is None else _shown(error.given),
            "valid": error.valid if error.valid is None or isinstance(error.valid, str) else _all_shown(error.valid),
            "fix": error.fix,
            "reason": error.reason if isinstance(error, ComputeError) else None,
        }
    )


def failure_from_bytes(data: bytes, *, where: str = "error") -> MLPipeError:
    """Read :func:`failure_to_bytes` back: an error of the same kind that says the same.

    An error whose kind takes more than these parts, or is not known here, is one of the compute.

    :raises CorruptedError: when it is none. :raises WorkspaceVersionError: when it is newer.
    """
    members = parse(data, "error", 1, where=where)
    try:
        valid = members["valid"]
        parts: dict[str, Any] = {
            "where": members["where"],
            "given": None if members["given"] is None else _value(members["given"]),
            "valid": valid if valid is None or isinstance(valid, str) else tuple(map(_value, valid)),
            "fix": members["fix"],
        }
        kind = _KINDS.get(members["kind"])
        if kind is not None:
            return kind(str(members["what"]), **parts)
        return ComputeError(str(members["what"]), reason=str(members["reason"] or "agent"), **parts)
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptedError(f"not an error ({error!r})", where=where) from error


def _kinds() -> Iterator[type[MLPipeError]]:
    """Those that are made of the common parts alone."""
    for kind in (*vars(errors).values(), FunctionError):
        if isinstance(kind, type) and issubclass(kind, MLPipeError) and kind.__init__ is MLPipeError.__init__:
            yield kind


_KINDS: Mapping[str, type[MLPipeError]] = {kind.__name__: kind for kind in _kinds()}


def _shown(value: object) -> dict[str, Any]:
    """A text or number as it is, anything else as people see it."""
    if isinstance(value, (str, bool, int)):
        return {"value": value}
    return {"shown": repr(value)[:_LONGEST]}


def _all_shown(values: tuple[object, ...]) -> list[dict[str, Any]]:
    return [_shown(value) for value in values]


def _value(shown: Mapping[str, Any]) -> object:
    return shown["value"] if "value" in shown else _Shown(str(shown["shown"]))
