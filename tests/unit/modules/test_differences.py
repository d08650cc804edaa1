"""What breaks who uses a module: of its parameters, values that are not taken any more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from airflow_mlpipe.modules.differences import _narrowed

NUMBERS = st.integers(-3, 3)
SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "minimum": NUMBERS,
        "maximum": NUMBERS,
        "exclusiveMinimum": NUMBERS,
        "type": st.sampled_from(["integer", "number", ["integer", "string"]]),
        "enum": st.lists(st.one_of(NUMBERS, st.just("a")), min_size=1, max_size=3),
        "multipleOf": st.integers(1, 3),
        "description": st.sampled_from(["x", "y"]),
    },
)


@given(old=SCHEMAS, new=SCHEMAS)
def test_what_is_not_said_to_break_takes_all_that_was_taken(old: dict[str, Any], new: dict[str, Any]) -> None:
    """For every value."""
    if list(_narrowed(old, new)):
        return
    for value in (*range(-4, 5), 0.5, "a", "b", None):
        if Draft202012Validator(old).is_valid(value):
            assert Draft202012Validator(new).is_valid(value), value


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"minimum": 0}, {"minimum": 5}, ["minimum"]),
        ({"minimum": 5}, {"minimum": 0}, []),
        ({}, {"maximum": 1}, ["maximum"]),
        ({"type": "integer"}, {"type": "number"}, []),
        ({"type": "number"}, {"type": "integer"}, ["type"]),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, []),
        ({"default": 1}, {"default": 2}, []),
    ],
)
def test_a_keyword_that_admits_less_is_said(old: dict[str, Any], new: dict[str, Any], said: list[str]) -> None:
    """And none that admits more, or that says nothing of values."""
    assert list(_narrowed(old, new)) == said
