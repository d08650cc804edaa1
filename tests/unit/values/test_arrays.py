import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from airflow_mlpipe.values.formats.arrays import Arrays

A = Arrays()
KINDS = ["i1", "<i4", ">i8", "f2", ">f8", "c16", "?", "M8[ns]", "m8[s]", "U3", "S2", [("a", ">i2"), ("b", "f4", (2,))]]


def saved(value, path):
    assert A.save(value, path) == {}
    return path.read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_round_trip_and_equal_bytes(tmp_path_factory, data, kind):
    value = data.draw(
        hnp.arrays(kind, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), fill=st.nothing())
    )
    path = tmp_path_factory.mktemp("a") / "a.npy"
    expected = saved(value, path)
    back = A.load(path, "numpy.ndarray", {})
    assert (back.dtype, back.shape, back.tobytes()) == (value.dtype, value.shape, value.tobytes())
    assert not back.flags.writeable
    json.dumps(A.preview(value), allow_nan=False)
    spaced = np.repeat(value, 2, axis=0)[::2] if value.ndim else value.copy()
    for same in (np.asfortranarray(value).reshape(value.shape), spaced, value.copy()):
        assert saved(same, tmp_path_factory.mktemp("a") / "a.npy") == expected


def test_padding_is_no_value(tmp_path):
    kind = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    one, two = np.zeros(2, kind), np.frombuffer(b"\xff" * 32, kind).copy()
    two["a"] = two["b"] = 0
    assert saved(one, tmp_path / "a.npy") == saved(two, tmp_path / "b.npy")


@pytest.mark.parametrize("value", [np.array([{}], object), np.ma.masked_array([1], [True])])
def test_refused(value, tmp_path):
    with pytest.raises(ValueError, match=r"Python objects \(dict\)|mask"):
        A.save(value, tmp_path / "a.npy")
