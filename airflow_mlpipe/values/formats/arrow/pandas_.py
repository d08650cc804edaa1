"""Frames, series and indexes of pandas as Arrow tables, and back without a difference.

pandas' own note in a table's schema does not say all; what it leaves out is in a note of ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.values.names import type_names

_NOTES = b"airflow_mlpipe"
"""Key of our own note in a schema's metadata: what pandas' note does not say of a frame."""

_PLAIN = ("str", "int", "bool", "bytes", "date", "time", "Decimal", "float", "list", "dict", "ndarray")
"""Types of Python objects that Arrow gives back as they were."""


def from_pandas(value: Any, *, stream: bool) -> Any:
    """A Table of a pandas value with pandas' note, less the versions, and ours."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    notes: dict[str, Any] = {}
    frame = value
    if isinstance(value, pd.Series):
        frame = value.to_frame()
        notes |= {"unnamed": True} if value.name is None else {}
    elif isinstance(value, pd.Index):
        frame = pd.DataFrame(index=value)
    objects = {}
    for place, kind in enumerate(frame.dtypes):
        if isinstance(kind, np.dtype) and kind.hasobject:
            objects[str(place)] = _object_kind(frame.iloc[:, place], frame.columns[place])
    if objects:
        notes["objects"] = objects
    if frame.index.dtype == np.dtype(object) and frame.index.nlevels == 1 and len(frame.index):
        if {*map(type, frame.index)} != {str}:
            raise ValueError(
                "the index holds Python objects that are not text alone: convert it (astype), or reset_index"
            )
        notes["object_index"] = True
    if getattr(frame.index, "freq", None) is not None and not isinstance(frame.index, pd.PeriodIndex) and not stream:
        notes["freq"] = frame.index.freqstr
    if isinstance(frame.index, pd.RangeIndex) and not len(frame.columns):
        # Without a column there is nothing that could say how many rows a record batch has.
        notes["range"] = [frame.index.start, frame.index.stop, frame.index.step, frame.index.name]
    # A stream's batches have one schema, and pandas' note would say where each RangeIndex starts.
    keep = False if stream and isinstance(frame.index, pd.RangeIndex) else None
    table = pa.Table.from_pandas(frame, preserve_index=keep)
    theirs = json.loads(table.schema.metadata[b"pandas"])
    theirs = {name: item for name, item in theirs.items() if name not in ("creator", "pandas_version")}
    metadata = {b"pandas": json.dumps(theirs).encode()}
    if notes:
        metadata[_NOTES] = json.dumps(notes, sort_keys=True).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
    _same_schema(frame, table, objects)
    return table


def _same_schema(frame: Any, table: Any, objects: Mapping[str, Any]) -> None:
    """Read no rows of a table back, and compare columns and types.

    :raises ValueError: when pandas would get something else back.
    """
    back = table.slice(0, 0).to_pandas()
    if not back.columns.equals(frame.columns):
        raise ValueError(f"the columns {list(frame.columns)[:5]} would not come back the same: name them with text")
    for place, (before, after) in enumerate(zip(frame.dtypes, back.dtypes, strict=True)):
        # Where text is stored is pandas' own affair: only its name, and so what it does, must be the same.
        if str(place) not in objects and before != after and str(before) != str(after):
            raise ValueError(f"column {frame.columns[place]!r} of {before} would come back as {after}: convert it")


def _object_kind(column: Any, name: Any) -> list[str]:
    """The one type of an object column's values, and what stands for a missing one.

    :raises ValueError: for several types, or one that Arrow does not give back as it was.
    """
    kinds = {kind.__name__: kind for kind in set(map(type, column))}
    missing = "None" if kinds.pop("NoneType", None) else "nan"
    if len(kinds) > 1 and "float" in kinds and not any(type(item) is float and item == item for item in column):
        del kinds["float"]
    found = sorted(kinds)
    if len(found) > 1 or any(kind not in _PLAIN for kind in found) or (found == ["float"] and missing == "None"):
        raise ValueError(
            f"column {name!r} holds Python objects of {', '.join(found)}, which have no exact form in a table:"
            " convert it to one type (astype), or leave it out"
        )
    if found and found[0] in ("list", "dict"):
        import pyarrow as pa

        for before, after in zip(column, pa.array(column, from_pandas=True).to_pylist(), strict=True):
            if after is not None and not _same(before, after):
                raise ValueError(
                    f"column {name!r} holds a {found[0]} that would come back changed, as {str(after)[:40]}:"
                    " give all of them the same fields and types"
                )
    return [found[0] if found else "NoneType", missing]


def _same(one: Any, other: Any) -> bool:
    """Whether nested plain values are the same, types included, and NaN equal to NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) or (one != one and other != other)


def _notes(table: Any) -> dict[str, Any]:
    """Our note in a table's schema."""
    return dict(json.loads((table.schema.metadata or {}).get(_NOTES, b"{}")))


def to_pandas(table: Any) -> Any:
    """A DataFrame, its object columns and the frequency of its index restored."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    notes = _notes(table)
    objects: dict[str, list[str]] = notes.get("objects", {})
    light = table
    for place in map(int, objects):  # they are made below; made here too, they would be made twice
        light = light.set_column(place, table.schema.names[place], pa.nulls(len(table)))
    frame = light.replace_schema_metadata(table.schema.metadata).to_pandas()
    columns: dict[int, Any] = {}
    for text, (kind, missing) in objects.items():
        column = table.column(int(text))
        values = np.empty(len(column), object)
        values[:] = column.to_numpy() if kind == "ndarray" else column.to_pylist()
        if missing == "nan":
            values[column.is_null().to_numpy()] = np.nan
        columns[int(text)] = pd.Series(values, index=frame.index, dtype=object)
    if columns:
        names = frame.columns
        frame.columns = pd.RangeIndex(len(names))
        for number, made in columns.items():
            frame[number] = made
        frame.columns = names
    if "range" in notes:
        start, stop, step, name = notes["range"]
        frame.index = pd.RangeIndex(start, stop, step, name=name)
    if "object_index" in notes:
        frame.index = frame.index.astype(object)
    if "freq" in notes:
        frame.index.freq = notes["freq"]
    return frame


def to_series(frame: Any, table: Any) -> Any:
    """The one column of a frame, without the name that a series without one was given to be written."""
    if frame.shape[1] != 1:
        raise ValueError(f"a table of {frame.shape[1]} columns is no series: ask for a frame")
    series = frame.iloc[:, 0]
    return series.rename(None) if _notes(table).get("unnamed") else series


def to_index(frame: Any, form: str) -> Any:
    """The index of a frame.  :raises ValueError: when it is not of the kind that is asked for."""
    if form not in type_names(type(frame.index)):
        raise ValueError(f"the index is a {type(frame.index).__name__}, not {form}: ask for pandas.Index")
    return frame.index
