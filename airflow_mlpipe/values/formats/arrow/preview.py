"""What a person sees of a table."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from airflow_mlpipe.values.materializer import PREVIEW_TEXT

_KIND = 50


def columns_of(names: Iterable[Any], kinds: Iterable[Any]) -> dict[str, str]:
    """At most twenty columns and their types; the name of a type of records has the names of all their fields."""
    return {str(name)[:PREVIEW_TEXT]: str(kind)[:_KIND] for name, kind in islice(zip(names, kinds, strict=False), 20)}


def preview_of(value: Any) -> dict[str, Any]:
    """The preview of what lies in memory."""
    frame = value.to_frame() if hasattr(value, "to_frame") else value
    names = frame.schema.names if hasattr(frame, "num_rows") else list(frame.columns)
    kinds = frame.schema.types if hasattr(frame, "num_rows") else list(frame.dtypes)
    if hasattr(frame, "iloc"):
        rows: list[Any] = frame.iloc[:3, :8].to_numpy(dtype=object).tolist()
    elif hasattr(frame, "num_rows"):
        head = frame.slice(0, 3).select(list(range(min(8, len(names)))))
        rows = list(zip(*(column.to_pylist() for column in head.columns), strict=True))
    else:
        rows = frame[:3, :8].rows()
    return {
        "shape": list(frame.shape),
        "columns": columns_of(names, kinds),
        "head": [[_scalar(item) for item in row] for row in rows],
    }


def _scalar(item: Any) -> Any:
    """A JSON scalar of an item."""
    if item is None or isinstance(item, bool | int) or (isinstance(item, float) and item - item == 0):
        return item
    return str(item)[:PREVIEW_TEXT]
