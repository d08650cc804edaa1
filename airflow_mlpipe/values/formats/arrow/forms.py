"""Which value becomes which Arrow table, and a table the form that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow_mlpipe.values.formats.arrow.files import open_arrow
from airflow_mlpipe.values.formats.arrow.pandas_ import from_pandas, to_index, to_pandas, to_series
from airflow_mlpipe.values.formats.arrow.polars_ import from_polars


def to_arrow(value: Any, *, stream: bool = False) -> Any:
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
            return from_polars(value)
        return from_pandas(value, stream=stream)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise ValueError(f"the table cannot be written exactly: {error}; convert the column (astype)") from error


def read(path: Path, form: str, suffix: str) -> Any:
    """A table of a file in a form.

    :param suffix: of the file's format; a blob in a cache has none of its own.
    :raises ValueError: for bytes of another format, and a form that this table does not have.
    """
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
            reader = open_arrow(path)
            if form == "pyarrow.RecordBatchReader":
                batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
                return pa.RecordBatchReader.from_batches(reader.schema, batches)
            table = reader.read_all()
        return in_form(table, form)
    except pa.ArrowException as error:
        raise ValueError(f"{path.name} cannot be read as {form}: {error}") from error


def _scan(path: Path, suffix: str) -> Any:
    """A LazyFrame over a file, which reads the columns that are asked for."""
    import polars as pl

    scans: dict[str, Any] = {".parquet": pl.scan_parquet, ".csv": pl.scan_csv}
    return scans.get(suffix, pl.scan_ipc)(path)


def in_form(table: Any, form: str) -> Any:
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
    frame = to_pandas(table)
    if name == "DataFrame":
        return frame
    return to_series(frame, table) if name == "Series" else to_index(frame, form)


def _only(frame: Any) -> Any:
    """:raises ValueError: for a table that has not exactly one column."""
    if frame.shape[1] != 1:
        raise ValueError(f"a table of {frame.shape[1]} columns is no series: ask for a frame")
    return frame.to_series()
