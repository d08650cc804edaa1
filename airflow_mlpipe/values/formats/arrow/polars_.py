"""Frames and series of polars as Arrow tables."""

from __future__ import annotations

from typing import Any


def from_polars(value: Any) -> Any:
    """A Table of a polars value, with categories numbered by appearance and not by the process's cache."""
    import polars as pl
    import pyarrow as pa

    if isinstance(value, pl.LazyFrame):
        value = value.collect()
    frame = value.to_frame() if isinstance(value, pl.Series) else value
    for name, kind in frame.schema.items():
        if kind == pl.Object:
            found = next((type(item).__name__ for item in frame[name]), "nothing")
            raise ValueError(f"column {name!r} holds Python objects ({found}): convert it to a type of polars")
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    for place, kind in enumerate(frame.dtypes):
        if kind == pl.Categorical:
            column = table.column(place).cast(pa.large_string()).combine_chunks().dictionary_encode()
            field = table.schema.field(place)
            table = table.set_column(place, field.with_type(column.type), column)
    return table
