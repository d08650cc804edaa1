"""The error of a value that cannot be written."""

from __future__ import annotations

from airflow_mlpipe.errors import MLPipeError, Terminal

_WAYS_OUT = (
    "return a supported type, convert the value to one, write a file and return its Path, or install a distribution "
    "with a materializer of it (entry point group airflow_mlpipe.materializers) in the step's environment"
)


class UnsupportedValueError(MLPipeError, Terminal, TypeError):
    """No format writes a value of this type.

    :ivar path: where the value stands, ``value['model'].layers[0]``.
    :ivar type_name: the type of the value, ``package.module.Class``.
    """

    def __init__(self, path: str, value: object, *, why: str = "cannot be saved", fix: str | None = None) -> None:
        self.path = path
        self.type_name = f"{type(value).__module__}.{type(value).__qualname__}"
        super().__init__(f"a value of type {self.type_name} {why}", where=path, fix=fix or _WAYS_OUT)
