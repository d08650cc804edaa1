"""The order of port types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.types import PortType

WORDS = st.sampled_from(["table", "model", "metrics", "text"])
PARTS = st.lists(st.sampled_from(["parquet", "csv", "onnx", "v2"]), max_size=2)
NAMES = st.builds(lambda word, parts: ".".join([word, *parts]), WORDS, PARTS) | st.sampled_from(
    ["any", "file", "folder", "file.csv", "folder.images"]
)
KINDS = st.sampled_from([None, "file", "folder"])


def _type(name: str, kind: str | None) -> PortType:
    root = name.partition(".")[0]
    return PortType(name, root if root in ("file", "folder") else kind)


TYPES = st.builds(_type, NAMES, KINDS)


@given(TYPES)
def test_a_type_accepts_itself_and_any_accepts_it(one: PortType):
    """Reflexive, with a top."""
    assert one.accepts(one)
    assert PortType().accepts(one)


@given(TYPES, TYPES)
def test_two_types_that_accept_each_other_are_one(one: PortType, other: PortType):
    """Antisymmetric: every type has one spelling."""
    if one.accepts(other) and other.accepts(one):
        assert one == other


@given(TYPES, TYPES, TYPES)
def test_what_accepts_a_type_accepts_what_that_accepts(one: PortType, two: PortType, three: PortType):
    """Transitive."""
    if one.accepts(two) and two.accepts(three):
        assert one.accepts(three)


@given(TYPES, st.sampled_from(["parquet", "x1"]))
def test_a_longer_name_is_a_narrower_type(one: PortType, more: str):
    """``table.parquet`` is a ``table``, and a ``table`` is not known to be one."""
    if one.name == "any":
        return
    narrower = PortType(f"{one.name}.{more}", one.kind)
    assert one.accepts(narrower)
    assert not narrower.accepts(one) or one.name in ("file", "folder")


@pytest.mark.parametrize(
    ("wanted", "given_", "accepted"),
    [
        (("table", None), ("table.parquet", "file"), True),
        (("table", None), ("metrics", "file"), False),
        (("table", None), ("tables", "folder"), False),
        (("table.parquet", None), ("table", "folder"), False),
        (("table", "file"), ("table", "folder"), False),
        (("file", None), ("model.onnx", "file"), True),
        (("file", None), ("model.onnx", "folder"), False),
        (("folder", None), ("table", "folder"), True),
        (("any", None), ("anything.at.all", "file"), True),
        (("table", None), ("file", None), False),
    ],
)
def test_who_accepts_whom(wanted: tuple, given_: tuple, accepted: bool):
    """The cases of the documentation."""
    assert PortType(*wanted).accepts(PortType(*given_)) is accepted


@pytest.mark.parametrize("name", ["", "Table", "table.", ".x", "any.csv", "a b", None, 3])
def test_what_is_no_type_is_refused(name: object):
    """With an example of one."""
    with pytest.raises(DefinitionError):
        PortType(name)


def test_a_file_is_no_folder():
    """A name and a kind may not contradict each other."""
    with pytest.raises(DefinitionError):
        PortType("file", "folder")
