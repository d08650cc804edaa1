"""YAML that people write: what it means, and where it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.written.mistakes import WrittenError
from airflow_mlpipe.written.places import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("012", "012"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("2026-01-31", "2026-01-31"),
        ("'12'", "12"),
        ("1_000", "1_000"),
    ],
)
def test_a_scalar_is_what_yaml_1_2_says(text: str, value: object):
    """Only ``true``, ``false``, ``null`` and decimal numbers are more than text."""
    found = read_yaml(f"a: {text}", file="f").value["a"]
    assert found == value
    assert type(found) is type(value)


def test_the_text_of_a_number_is_kept():
    """``1.10`` is a version as well, and not 1.1."""
    found = read_yaml("version: 1.10", file="f")
    assert found.places.texts[("version",)] == "1.10"


def test_every_member_has_its_line():
    """Of members in lists, too; of what is not there, the line of what is around it."""
    places = read_yaml("a: 1\nb:\n  - c: 2\n\n  - d: 3\n", file="f").places
    assert [places.line(p) for p in (("a",), ("b", 0, "c"), ("b", 1, "d"), ("b", 1, "missing"))] == [1, 3, 5, 5]


def test_all_mistakes_of_a_file_are_told_at_once_in_the_order_of_their_lines():
    """Two members of one name, a key that is no text, a merge key and a tag."""
    with pytest.raises(WrittenError) as caught:
        read_yaml("a: 1\na: 2\n1: 3\n<<: {}\nb: !!python/name:os.system x\n", file="f.yaml")
    assert [one.line for one in caught.value.mistakes] == [2, 3, 4, 5]
    assert str(caught.value).startswith("f.yaml: 4 mistakes:\n  line 2: a: the second member of this name")


@pytest.mark.parametrize("text", ["a: [1\nb: 2", "a: b: c", "\ta: 1", "a: &x [*x]", "a: *missing"])
def test_what_is_no_yaml_says_where(text: str):
    """The line of the trouble, not a traceback."""
    with pytest.raises(WrittenError, match=r"f\.yaml, line \d"):
        read_yaml(text, file="f.yaml")


def test_aliases_that_multiply_are_refused():
    """A file of a few lines cannot fill the memory."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(WrittenError, match="too much"):
        read_yaml("\n".join(lines), file="f")


TEXT = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_json_says_is_read_as_it_is(value: object):
    """JSON is YAML: whatever a program writes comes back."""
    import json

    text = json.dumps({"value": value}, ensure_ascii=False)
    assert read_yaml(text, file="f").value["value"] == value
