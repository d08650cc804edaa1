from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.values.formats.binary import Bytes


@given(value=st.binary())
def test_round_trip(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("b") / "a.bin"
    for kind, form in ((bytes, "builtins.bytes"), (bytearray, "builtins.bytearray")):
        Bytes().save(kind(value), path)
        back = Bytes().load(path, form, {})
        assert back == value
        assert type(back) is kind
        assert Bytes().preview(kind(value))["bytes"] == len(value)
