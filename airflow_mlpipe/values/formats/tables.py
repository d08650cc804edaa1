"""Tables of pandas, polars and pyarrow as Arrow IPC files, which are read as memory maps."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.names import check_form, check_type, type_names

_ROWS = 1 << 18
"""Rows of a record batch: fixed, because equal tables must give equal bytes however they were chunked."""
_NOTES = b"airflow_mlpipe"
"""Key of our own note in a schema's metadata: what pandas' note does not say of a frame."""
_PLAIN = ("str", "int", "bool", "bytes", "date", "time", "Decimal", "float", "list", "dict", "ndarray")
_WIDTH, _KIND = 40, 50
_PANDAS_INDEXES = ("RangeIndex", "MultiIndex", "DatetimeIndex", "TimedeltaIndex", "PeriodIndex", "CategoricalIndex")


class Tables:
    """Frames, series and tables: equal values of one type give equal bytes, whatever their chunks and strides."""

    format = "arrow/1"
    suffix = ".arrow"
    types: tuple[str, ...] = (
        "pandas.DataFrame",
        "pandas.Series",
        "pandas.Index",
        "polars.DataFrame",
        "polars.LazyFrame",
        "polars.Series",
        "pyarrow.Table",
        "pyarrow.RecordBatch",
        "pyarrow.RecordBatchReader",
    )
    forms: tuple[str, ...] = (
        *types,
        *(f"pandas.{name}" for name in (*_PANDAS_INDEXES, "IntervalIndex")),
        "pyarrow.Dataset",
    )

    def save(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Write a value of one of ``types``; a RecordBatchReader is read in bounded memory.

        :raises ValueError: for a column that cannot be written exactly, saying which and why.
        """
        check_type(value, self.types)
        import pyarrow as pa

        if isinstance(value, pa.RecordBatchReader) and not any(map(pa.types.is_dictionary, value.schema.types)):
            _write(path, value.schema, _evenly(value))
            return {}
        table = _canonical(_to_arrow(value))
        _write(path, table.schema, _evenly([table]))
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a value; what is not copied into pandas is memory-mapped.

        :raises ValueError: for bytes that are no Arrow file, and for another form.
        """
        check_form(form, Tables.forms)
        _open(path)  # what is read later must not fail later
        return _read(path, form, self.suffix)  # a blob in a cache has no suffix of its own

    def save_stream(self, batches: Iterator[Any], path: Path) -> Mapping[str, Any]:
        """Write batches of one schema one after the other, holding one at a time.

        :raises ValueError: for a batch whose schema is not that of the first.
        """
        import pyarrow as pa

        first = next(iter(batches), None)
        if first is None:
            _write(path, pa.schema([]), [])
            return {"batches": 0}
        head = _canonical(_to_arrow(first, stream=True))
        count = 0

        def tables() -> Iterator[Any]:
            nonlocal count
            for batch in chain([None], batches):
                table = head if batch is None else _canonical(_to_arrow(batch, stream=True))
                if not table.schema.equals(head.schema):
                    raise ValueError(
                        f"batch {count} has another schema than the first: {_difference(head.schema, table.schema)};"
                        " give all batches the same columns and types"
                    )
                count += 1
                yield from _evenly([table])

        _write(path, head.schema, tables())
        return {"batches": count}

    def load_stream(self, path: Path, form: str, details: Mapping[str, Any]) -> Iterator[Any]:
        """Read record batch after record batch, each in ``form``.

        :raises ValueError: as :meth:`load`.
        """
        import pyarrow as pa

        check_form(form, Tables.forms)
        reader = _open(path)
        for number in range(reader.num_record_batches):
            yield _in_form(pa.Table.from_batches([reader.get_batch(number)], reader.schema), form)

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Shape, columns and the first rows; of what would have to be computed or consumed, the columns alone."""
        import pyarrow as pa

        if isinstance(value, pa.RecordBatchReader):
            return {"columns": _columns(value.schema.names, value.schema.types)}
        if type(value).__name__ == "LazyFrame":
            schema = value.collect_schema()
            return {"columns": _columns(schema.names(), schema.dtypes())}
        return _preview(value)


def load_file(path: Path, form: str) -> Any:
    """Read a table from a ``.arrow``, ``.feather``, ``.parquet`` or ``.csv`` file in one of the forms of ``Tables``.

    :raises ValueError: for another suffix or form, or bytes of another format.
    """
    check_form(form, Tables.forms)
    suffix = path.suffix.lower()
    if suffix not in (".arrow", ".feather", ".parquet", ".csv"):
        raise ValueError(f"{path.name}: a table is read from .arrow, .feather, .parquet or .csv")
    return _read(path, form, suffix)


def _read(path: Path, form: str, suffix: str) -> Any:
    import pyarrow as pa

    try:
        if form == "polars.LazyFrame":
            return _scan(path, suffix)
        if form == "pyarrow.Dataset":
            import pyarrow.dataset

            return pyarrow.dataset.dataset(str(path), format={".arrow": "ipc"}.get(suffix, suffix[1:]))
        if suffix == ".parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.ParquetFile(path, memory_map=True).read()
        elif suffix == ".csv":
            import pyarrow.csv

            table = pyarrow.csv.read_csv(path)
        else:
            reader = _open(path)
            if form == "pyarrow.RecordBatchReader":
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
                return pa.RecordBatchReader.from_batches(reader.schema, batches)
            table = reader.read_all()
        return _in_form(table, form)
    except pa.ArrowException as error:
        raise ValueError(f"{path.name} cannot be read as {form}: {error}") from error


def _open(path: Path) -> Any:
    """A reader of an Arrow file that is memory-mapped.

    :raises ValueError: for a file that is none.
    """
    import pyarrow as pa

    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} is no Arrow file: {error}") from error


def _scan(path: Path, suffix: str) -> Any:
    """A LazyFrame over a file, which reads the columns that are asked for."""
    import polars as pl

    scans: dict[str, Any] = {".parquet": pl.scan_parquet, ".csv": pl.scan_csv}
    return scans.get(suffix, pl.scan_ipc)(path)


def _in_form(table: Any, form: str) -> Any:
    """A pyarrow Table in a form."""
    library, _, name = form.partition(".")
    if library == "pyarrow":
        if name == "RecordBatchReader":
            return table.to_reader()
        if name == "RecordBatch":
            import pyarrow as pa

            batches = table.combine_chunks().to_batches()
            return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
        return table
    if library == "polars":
        import polars as pl

        frame: Any = pl.from_arrow(table, rechunk=False)
        return {"Series": lambda: _only(frame), "LazyFrame": frame.lazy}.get(name, lambda: frame)()
    frame = _to_pandas(table)
    if name == "DataFrame":
        return frame
    return _pandas_series(frame, table) if name == "Series" else _index(frame, form)


def _only(frame: Any) -> Any:
    """:raises ValueError: for a table that has not exactly one column."""
    if frame.shape[1] != 1:
        raise ValueError(f"a table of {frame.shape[1]} columns is no series: ask for a frame")
    return frame.to_series()


def _pandas_series(frame: Any, table: Any) -> Any:
    """The one column of a frame, without the name that a series without one was given to be written."""
    if frame.shape[1] != 1:
        raise ValueError(f"a table of {frame.shape[1]} columns is no series: ask for a frame")
    series = frame.iloc[:, 0]
    return series.rename(None) if _notes(table).get("unnamed") else series


def _index(frame: Any, form: str) -> Any:
    """The index of a frame.  :raises ValueError: when it is not of the kind that is asked for."""
    if form not in type_names(type(frame.index)):
        raise ValueError(f"the index is a {type(frame.index).__name__}, not {form}: ask for pandas.Index")
    return frame.index


def _notes(table: Any) -> dict[str, Any]:
    """Our note in a table's schema."""
    return dict(json.loads((table.schema.metadata or {}).get(_NOTES, b"{}")))


def _to_pandas(table: Any) -> Any:
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


def _to_arrow(value: Any, *, stream: bool = False) -> Any:
    """A pyarrow Table of a value.

    :raises ValueError: for what Arrow cannot express exactly.
    """
    import pyarrow as pa

    try:
        if isinstance(value, pa.RecordBatchReader):
            return value.read_all()
        if isinstance(value, pa.RecordBatch):
            return pa.Table.from_batches([value])
        if isinstance(value, pa.Table):
            return value
        if hasattr(value, "to_arrow") or hasattr(value, "collect"):
            return _from_polars(value)
        return _from_pandas(value, stream=stream)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(f"the table cannot be written exactly: {error}; convert the column (astype)") from error


def _from_polars(value: Any) -> Any:
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


def _from_pandas(value: Any, *, stream: bool) -> Any:
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
                    f"column {name!r} holds a {found[0]} that would come back changed, as {str(after)[:_WIDTH]}:"
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


def _canonical(table: Any) -> Any:
    """A table whose bytes depend on its values alone: one dictionary a column, and sorted metadata."""
    import pyarrow as pa

    if any(map(pa.types.is_dictionary, table.schema.types)):
        table = table.unify_dictionaries()
    if table.schema.metadata:
        table = table.replace_schema_metadata(dict(sorted(table.schema.metadata.items())))
    return table


def _evenly(tables: Iterable[Any]) -> Iterator[Any]:
    """Record batches of ``_ROWS`` rows (the last may be shorter) of tables or batches, copying only what must be."""
    import pyarrow as pa

    held: list[Any] = []
    rows = 0
    for given in tables:
        table = given if isinstance(given, pa.Table) else pa.Table.from_batches([given])
        start = 0
        while start < len(table):
            part = table.slice(start, _ROWS - rows)
            held.append(part)
            start += len(part)
            rows += len(part)
            if rows == _ROWS:
                yield _batch(held)
                held, rows = [], 0
    if held:
        yield _batch(held)


def _batch(parts: list[Any]) -> Any:
    """One record batch, with zeros under the nulls."""
    import pyarrow as pa

    table = parts[0] if len(parts) == 1 else pa.concat_tables(parts)
    columns = []
    for column in table.columns:
        one = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        one = pa.concat_arrays(one.chunks) if isinstance(one, pa.ChunkedArray) else one
        if one.null_count or (one.type.num_fields and not _extension(one.type)):
            # Taking all rows writes zeros, and empty texts and lists, where a null is.
            one = one.take(_all(len(one)))
        columns.append(one)
    if not columns:
        return table.to_batches()[0]
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _extension(kind: Any) -> bool:
    """Whether a type is an extension of another."""
    import pyarrow as pa

    return isinstance(kind, pa.BaseExtensionType)


def _all(length: int) -> Any:
    """The numbers of all rows."""
    import numpy as np
    import pyarrow as pa

    return pa.array(np.arange(length))


def _write(path: Path, schema: Any, batches: Iterable[Any]) -> None:
    """Write an Arrow file without compression, so that it can be mapped.

    :raises ValueError: for batches that one file cannot hold.
    """
    import pyarrow as pa

    try:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"the table cannot be written: {error}") from error


def _difference(first: Any, other: Any) -> str:
    """What tells a schema from the first."""
    before, after = (dict(zip(schema.names, map(str, schema.types), strict=True)) for schema in (first, other))
    for name in [*before, *after]:
        if before.get(name) != after.get(name):
            return f"column {name!r} is {after.get(name, 'absent')} and was {before.get(name, 'absent')}"
    return "its index, column order or metadata differ"


def _columns(names: Iterable[Any], kinds: Iterable[Any]) -> dict[str, str]:
    """At most twenty columns and their types; the name of a type of records has the names of all their fields."""
    return {str(name)[:_WIDTH]: str(kind)[:_KIND] for name, kind in islice(zip(names, kinds, strict=False), 20)}


def _preview(value: Any) -> dict[str, Any]:
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
        "columns": _columns(names, kinds),
        "head": [[_scalar(item) for item in row] for row in rows],
    }


def _scalar(item: Any) -> Any:
    """A JSON scalar of an item."""
    if item is None or isinstance(item, bool | int) or (isinstance(item, float) and item - item == 0):
        return item
    return str(item)[:_WIDTH]
