"""One push or pull of one value in a process of its own, which prints what it cost as JSON; for ``bench_values.py``.

    python benchmarks/values_once.py push|pull SIDE KIND FOLDER MIB

SIDE is ``ours`` (``airflow_mlpipe.xcom.XComBackend``), ``airflow`` (``XComObjectStorageBackend`` of Airflow's provider
common.io), ``hand`` (the library's own writer, and a memory map) or ``digest`` (by hand, and the SHA-256 without which
a file has no name by its content).

Airflow and the libraries of values are imported before the clock starts, for a task process has them anyway; whatever
of ours is imported counts.  A pull ends when every number of the value was read once: a map that nobody looked at is no
value yet.  A push ends, in ``wall``, when what it wrote is on the disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

MIB = 1 << 20
COLUMNS = 32
"""Of the table that is read lazily."""
WHO = {"key": "return_value", "dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1}


def frame(size: int) -> pd.DataFrame:
    """Ten columns of floats."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({f"c{n}": rng.standard_normal(size // 80) for n in range(10)})


def mixed(size: int) -> pd.DataFrame:
    """Floats with gaps, whole numbers, times, flags and text."""
    rng, rows = np.random.default_rng(0), size // 45
    gaps = rng.standard_normal(rows)
    gaps[::10] = np.nan
    return pd.DataFrame(
        {
            "gaps": gaps,
            "float": rng.standard_normal(rows),
            "int": rng.integers(0, 1 << 40, rows),
            "time": pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(rows), unit="s"),
            "flag": rng.integers(0, 2, rows) > 0,
            "text": pd.array(np.array(["one", "two", "three", "four"])[rng.integers(0, 4, rows)], dtype="str"),
        }
    )


def array(size: int) -> np.ndarray[Any, Any]:
    """Floats."""
    return np.random.default_rng(0).standard_normal((size // 800, 100))


def batches(size: int) -> Iterator[pa.RecordBatch]:
    """A table that is never in memory as a whole."""
    rows = 1 << 16
    rng = np.random.default_rng(0)
    for _ in range(size // (rows * COLUMNS * 8)):
        yield pa.record_batch({f"c{n}": rng.standard_normal(rows) for n in range(COLUMNS)})


MAKE: dict[str, Callable[[int], Any]] = {"frame": frame, "mixed": mixed, "array": array, "batches": batches}


def read(value: Any) -> None:
    """Look at all of a value; of a LazyFrame, at one column."""
    if isinstance(value, pl.LazyFrame):
        value.select(pl.col("c7").sum()).collect()
    elif isinstance(value, pd.DataFrame):
        value.sum(numeric_only=True)
        value.count()
    else:
        value.sum()


def push_by_hand(value: Any, path: Path, *, digest: bool) -> None:
    """What the documentation of numpy and pyarrow says."""
    if isinstance(value, np.ndarray):
        np.save(path, value)
    else:
        table = pa.Table.from_pandas(value)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    if digest:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def pull_by_hand(path: Path) -> Any:
    """A map, which pandas copies out of."""
    if path.suffix == ".npy":
        return np.load(path, mmap_mode="r")
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all().to_pandas()


def push(side: str, value: Any, folder: Path) -> None:
    """Write a value, and the row that Airflow's database would hold."""
    if side in ("hand", "digest"):
        suffix = ".npy" if isinstance(value, np.ndarray) else ".arrow"
        push_by_hand(value, folder / f"by_hand{suffix}", digest=side == "digest")
        return
    (folder / "row.json").write_text(json.dumps(backend(side).serialize_value(value, **WHO)))


def pull(side: str, kind: str, folder: Path) -> None:
    """Read it; of what was pushed as batches, one column."""
    if side in ("hand", "digest"):
        read(pull_by_hand(next(folder.glob("by_hand.*"))))
        return
    row = json.loads((folder / "row.json").read_text())
    if kind == "batches":
        from airflow_mlpipe import load

        read(load(row, pl.LazyFrame))
        return
    read(backend(side).deserialize_value(SimpleNamespace(value=row)))


def backend(side: str) -> Any:
    """The XCom backend of a side."""
    if side == "airflow":
        from airflow.providers.common.io.xcom.backend import XComObjectStorageBackend

        return XComObjectStorageBackend
    from airflow_mlpipe.xcom import XComBackend

    return XComBackend


def memory(member: str) -> int:
    """Bytes: ``VmRSS`` now, or ``VmHWM``, its peak, which unlike ``ru_maxrss`` says nothing of the parent's size."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{member}:")).split()[1]) * 1024


def files_of(folder: Path) -> dict[Path, tuple[int, int]]:
    """Inode and size of every file but the row, which stands for Airflow's database."""
    stats = {path: path.stat() for path in folder.rglob("*") if path.is_file() and path.name != "row.json"}
    return {path: (status.st_ino, status.st_size) for path, status in stats.items()}


def to_disk(path: Path) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def main() -> None:
    """Measure one."""
    verb, side, kind, name, size = sys.argv[1:]
    folder = Path(name)
    if side in ("ours", "airflow"):
        backend("airflow")
    value = MAKE[kind](int(float(size) * MIB)) if verb == "push" else None
    before, error = files_of(folder), ""
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    base, cpu, wall = memory("VmRSS"), time.process_time(), time.perf_counter()
    try:
        push(side, value, folder) if verb == "push" else pull(side, kind, folder)
    except TypeError as found:
        error = f"{type(found).__name__}: {found}"
    cpu, wall, peak = time.process_time() - cpu, time.perf_counter() - wall, memory("VmHWM")
    written = {path: entry for path, entry in files_of(folder).items() if entry != before.get(path)}
    if verb == "push":
        started = time.perf_counter()
        for path in written:
            to_disk(path)
        wall += time.perf_counter() - started
    sizes = {str(path.relative_to(folder)): size for path, (_, size) in written.items()}
    print(json.dumps({"cpu": cpu, "wall": wall, "base": base, "peak": peak, "written": sizes, "error": error}))


if __name__ == "__main__":
    main()
