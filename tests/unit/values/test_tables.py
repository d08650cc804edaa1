import datetime as dt
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlpipe.values.formats.tables import Tables, load_file

T = Tables()


def trip(value, form, path):
    details = json.loads(json.dumps(T.save(value, path)))
    json.dumps(T.preview(value))
    return T.load(path, form, details)


def saved(value, path):
    T.save(value, path)
    return path.read_bytes()


FRAMES = {
    "empty": pd.DataFrame(),
    "no columns": pd.DataFrame(index=range(3)),
    "no rows": pd.DataFrame({"a": np.array([], "f4"), "s": pd.Series([], dtype="str")}),
    "numbers": pd.DataFrame({k: np.arange(3).astype(k) for k in ("i1", "u8", "f2", "f4", "f8", "bool")}),
    "nullable": pd.DataFrame({k: pd.array([1, None, 0], dtype=k) for k in ("Int8", "Float64", "boolean")}),
    "text": pd.DataFrame({"s": ["a", None, "é"], "p": pd.array(["a", None, ""], dtype="string")}),
    "categorical": pd.DataFrame({"c": pd.Categorical(["b", None, "a"], ["b", "a", "z"], ordered=True)}),
    "times": pd.DataFrame(
        {
            "z": pd.to_datetime(["2020", None]).tz_localize("Europe/Zurich"),
            "s": np.array(["2020", "NaT"], "M8[s]"),
            "d": pd.to_timedelta([1, None], "s"),
        }
    ),
    "period": pd.DataFrame({"p": pd.period_range("2020", periods=2, freq="D"), "i": pd.interval_range(0, 2)}),
    "objects": pd.DataFrame(
        {
            "s": ["a", None],
            "n": ["a", np.nan],
            "i": [1, None],
            "b": [True, None],
            "d": [dt.date(2020, 1, 1), None],
            "y": [b"x", None],
            "l": [[1, 2], None],
            "t": [{"a": [1.5], "b": None}, {"a": [], "b": "x"}],
        },
        dtype=object,
    ),
    "index": pd.DataFrame({1: [1, 2]}, index=pd.date_range("2020", periods=2, freq="D", name="when")),
    "multi": pd.DataFrame(
        [[1, 2.0], [3, 4.0]],
        index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", None]),
        columns=pd.MultiIndex.from_tuples([("u", "v"), ("u", "w")]),
    ),
    "object index": pd.DataFrame({"x": [1]}, index=pd.Index(["a"], dtype=object)),
    "arrow": pd.DataFrame({"a": pd.array([1, None], dtype="int64[pyarrow]")}),
}


@pytest.mark.parametrize("name", FRAMES)
def test_pandas_frames(name, tmp_path):
    frame = FRAMES[name]
    back = trip(frame, "pandas.DataFrame", tmp_path / "a.arrow")
    pd.testing.assert_frame_equal(back, frame)
    assert saved(back, tmp_path / "b.arrow") == saved(frame.copy(deep=True), tmp_path / "c.arrow")
    if len(frame.columns):
        for series in (frame.iloc[:, 0], frame.iloc[:, 0].rename(None)):
            pd.testing.assert_series_equal(trip(series, "pandas.Series", tmp_path / "d.arrow"), series)
    pd.testing.assert_index_equal(trip(frame.index, "pandas.Index", tmp_path / "e.arrow"), frame.index)


@pytest.mark.parametrize(
    "column",
    [[1, "a"], [object()], [{"a": 1}, {"b": 2}], [(1, 2)], [dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)], [2**70]],
)
def test_refused(column, tmp_path):
    with pytest.raises(ValueError, match=r"bad|written"):
        T.save(pd.DataFrame({"bad": pd.Series(column, dtype=object)}), tmp_path / "a.arrow")


FIELDS = {
    "i": (pa.int32(), st.integers(-9, 9)),
    "f": (pa.float64(), st.floats(allow_nan=False)),
    "s": (pa.string(), st.text(max_size=3)),
    "l": (pa.list_(pa.int8()), st.lists(st.none() | st.integers(0, 9), max_size=3)),
    "t": (pa.struct([("a", pa.int8())]), st.fixed_dictionaries({"a": st.none() | st.integers(0, 9)})),
    "z": (pa.timestamp("us", "UTC"), st.integers(0, 10**9)),
    "b": (pa.bool_(), st.booleans()),
}
ROWS = st.lists(st.fixed_dictionaries({k: st.none() | s for k, (_, s) in FIELDS.items()}), max_size=8)
SCHEMA = pa.schema([(k, t) for k, (t, _) in FIELDS.items()])


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cut=st.integers(0, 8))
def test_equal_tables_give_equal_bytes(tmp_path_factory, rows, cut):
    path = tmp_path_factory.mktemp("t") / "a.arrow"
    table = pa.Table.from_pylist(rows, SCHEMA)
    expected = saved(table, path)
    assert T.load(path, "pyarrow.Table", {}).equals(table)
    rechunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    sliced = pa.concat_tables([table, table]).combine_chunks().slice(len(table))
    for same in (rechunked, sliced, rechunked.to_reader()):
        assert saved(same, path) == expected
    frame = pl.from_arrow(table)
    expected = saved(frame, path)
    assert T.load(path, "polars.DataFrame", {}).equals(frame)
    assert T.load(path, "polars.LazyFrame", {}).collect().equals(frame)
    chunks = pl.concat([frame[:cut], frame[cut:]], rechunk=False)
    for same in (chunks, frame.lazy(), frame.clone()):
        assert saved(same, path) == expected


def test_polars_categories_do_not_know_the_process(tmp_path):
    one = pl.DataFrame({"c": pl.Series(["qq", "rr", None], dtype=pl.Categorical)})
    two = pl.DataFrame({"c": pl.Series(["rr", "qq", "rr", None], dtype=pl.Categorical)})[1:]
    assert saved(one, tmp_path / "a.arrow") == saved(two, tmp_path / "b.arrow")
    assert T.load(tmp_path / "a.arrow", "polars.DataFrame", {}).equals(one)


def test_polars_series_and_objects(tmp_path):
    series = pl.Series("x", ["a", "b"], dtype=pl.Enum(["b", "a"]))
    back = trip(series, "polars.Series", tmp_path / "a.arrow")
    assert back.equals(series)
    assert back.dtype == series.dtype
    with pytest.raises(ValueError, match="'o'"):
        T.save(pl.DataFrame({"o": pl.Series([object()], dtype=pl.Object)}), tmp_path / "b.arrow")


def test_loaded_pandas_can_be_written_to(tmp_path):
    frame = trip(pd.DataFrame({"a": [1.0, 2.0]}), "pandas.DataFrame", tmp_path / "a.arrow")
    frame.iloc[0, 0] = 5.0
    assert frame["a"].tolist() == [5.0, 2.0]


def test_streams(tmp_path):
    path = tmp_path / "a.arrow"
    batches = [pd.DataFrame({"a": [n, n + 1]}) for n in range(3)]
    details = T.save_stream(iter(batches), path)
    assert details == {"batches": 3}
    for back, batch in zip(T.load_stream(path, "pandas.DataFrame", details), batches, strict=True):
        pd.testing.assert_frame_equal(back, batch)
    assert T.load(path, "polars.LazyFrame", details).select(pl.col("a").sum()).collect().item() == 9
    with pytest.raises(ValueError, match=r"batch 1 .*'a' is double and was int64"):
        T.save_stream(iter([batches[0], batches[1] * 0.5]), tmp_path / "b.arrow")
    assert T.save_stream(iter([]), tmp_path / "c.arrow") == {"batches": 0}


def test_files_of_scripts(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    pyarrow.parquet.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    frame.to_feather(tmp_path / "a.feather")
    for suffix in ("csv", "parquet", "feather"):
        pd.testing.assert_frame_equal(load_file(tmp_path / f"a.{suffix}", "pandas.DataFrame"), frame)
        assert load_file(tmp_path / f"a.{suffix}", "polars.LazyFrame").collect()["a"].to_list() == [1, 2]
        assert load_file(tmp_path / f"a.{suffix}", "pyarrow.Dataset").count_rows() == 2
