"""Arrow IPC files whose bytes depend on a table's values alone, whatever its chunks and strides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.materializer import SMALL_FILE

_ROWS = 1 << 18
"""Rows of a record batch: fixed, because equal tables must give equal bytes however they were chunked."""


def canonical(table: Any) -> Any:
    """A table whose bytes depend on its values alone: one dictionary a column, and sorted metadata."""
    import pyarrow as pa

    if any(map(pa.types.is_dictionary, table.schema.types)):
        table = table.unify_dictionaries()
    if table.schema.metadata:
        table = table.replace_schema_metadata(dict(sorted(table.schema.metadata.items())))
    return table


def evenly(tables: Iterable[Any]) -> Iterator[Any]:
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


def write_arrow(path: Path, schema: Any, batches: Iterable[Any]) -> None:
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


def open_arrow(path: Path) -> Any:
    """A reader of an Arrow file that is memory-mapped, unless it is small.

    :raises ValueError: for a file that is none.
    """
    import pyarrow as pa

    try:
        is_small = path.stat().st_size <= SMALL_FILE
        return pa.ipc.open_file(pa.py_buffer(path.read_bytes()) if is_small else pa.memory_map(str(path)))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} is no Arrow file: {error}") from error


def difference(first: Any, other: Any) -> str:
    """What tells a schema from the first."""
    before, after = (dict(zip(schema.names, map(str, schema.types), strict=True)) for schema in (first, other))
    for name in [*before, *after]:
        if before.get(name) != after.get(name):
            return f"column {name!r} is {after.get(name, 'absent')} and was {before.get(name, 'absent')}"
    return "its index, column order or metadata differ"
