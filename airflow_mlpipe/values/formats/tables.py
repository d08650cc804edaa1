"""Tables of pandas, polars and pyarrow as Arrow IPC files, which are read as memory maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from airflow_mlpipe.values.formats.arrow.files import canonical, difference, evenly, open_arrow, write_arrow
from airflow_mlpipe.values.formats.arrow.forms import in_form, read, to_arrow
from airflow_mlpipe.values.formats.arrow.preview import columns_of, preview_of
from airflow_mlpipe.values.names import check_form, check_type

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
            write_arrow(path, value.schema, evenly(value))
            return {}
        table = canonical(to_arrow(value))
        write_arrow(path, table.schema, evenly([table]))
        return {}

    def load(self, path: Path, form: str, details: Mapping[str, Any]) -> Any:
        """Read a value; what is not copied into pandas is memory-mapped.

        :raises ValueError: for bytes that are no Arrow file, and for another form.
        """
        check_form(form, Tables.forms)
        open_arrow(path)  # what is read later must not fail later
        return read(path, form, self.suffix)

    def save_stream(self, batches: Iterator[Any], path: Path) -> Mapping[str, Any]:
        """Write batches of one schema one after the other, holding one at a time.

        :raises ValueError: for a batch whose schema is not that of the first.
        """
        import pyarrow as pa

        first = next(iter(batches), None)
        if first is None:
            write_arrow(path, pa.schema([]), [])
            return {"batches": 0}
        head = canonical(to_arrow(first, stream=True))
        count = 0

        def tables() -> Iterator[Any]:
            nonlocal count
            for batch in chain([None], batches):
                table = head if batch is None else canonical(to_arrow(batch, stream=True))
                if not table.schema.equals(head.schema):
                    raise ValueError(
                        f"batch {count} has another schema than the first: {difference(head.schema, table.schema)};"
                        " give all batches the same columns and types"
                    )
                count += 1
                yield from evenly([table])

        write_arrow(path, head.schema, tables())
        return {"batches": count}

    def load_stream(self, path: Path, form: str, details: Mapping[str, Any]) -> Iterator[Any]:
        """Read record batch after record batch, each in ``form``.

        :raises ValueError: as :meth:`load`.
        """
        import pyarrow as pa

        check_form(form, Tables.forms)
        reader = open_arrow(path)
        for number in range(reader.num_record_batches):
            yield in_form(pa.Table.from_batches([reader.get_batch(number)], reader.schema), form)

    def preview(self, value: Any) -> Mapping[str, Any]:
        """Shape, columns and the first rows; of what would have to be computed or consumed, the columns alone."""
        import pyarrow as pa

        if isinstance(value, pa.RecordBatchReader):
            return {"columns": columns_of(value.schema.names, value.schema.types)}
        if type(value).__name__ == "LazyFrame":
            schema = value.collect_schema()
            return {"columns": columns_of(schema.names(), schema.dtypes())}
        return preview_of(value)


def load_file(path: Path, form: str) -> Any:
    """Read a table from a ``.arrow``, ``.feather``, ``.parquet`` or ``.csv`` file in one of the forms of ``Tables``.

    :raises ValueError: for another suffix or form, or bytes of another format.
    """
    check_form(form, Tables.forms)
    suffix = path.suffix.lower()
    if suffix not in (".arrow", ".feather", ".parquet", ".csv"):
        raise ValueError(f"{path.name}: a table is read from .arrow, .feather, .parquet or .csv")
    return read(path, form, suffix)
