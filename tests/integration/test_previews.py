"""What XCom shows of a value: a few lines, and no secret."""

from __future__ import annotations

import json

import pytest

from airflow_mlpipe.hooks.previews import shown

SECRET = "hush-" + "not-for-anybody-" * 8


NUMBER = 8675309000111


@pytest.fixture(scope="module")
def secret() -> str:
    """One that Airflow's masker knows, by value."""
    from airflow.sdk.log import mask_secret

    mask_secret(SECRET)
    mask_secret(str(NUMBER))
    return SECRET


def test_the_rows_of_a_table_are_lines(secret):
    """Below the names of the columns; their types come last."""
    preview = {"shape": [2, 2], "columns": {"a": "int64", "b": "str"}, "head": [[1, "x"], [2, None]]}
    assert shown(preview) == {
        "shape": "2 x 2",
        "head": ["a | b", "1 | x", "2 | None"],
        "columns": {"a": "int64", "b": "str"},
    }


@pytest.mark.parametrize(
    "preview",
    [
        {"columns": {SECRET: "str", "password": "str"}, "head": [[SECRET, "hunter2"]]},
        {"batches": 2, "first": {"columns": {SECRET: "str", "password": "str"}, "head": [[SECRET, "hunter2"]]}},
        {"head": [{"password": "hunter2", "n": {SECRET: [SECRET]}}]},
        {"members": {"password": {"a": "hunter2"}, SECRET: 1}},
        {"text": f"{'x' * 190}{SECRET}"},
        {"columns": {"a": "str"}, "head": [[f"{'x' * 30}{SECRET}"]]},
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(secret, preview):
    """By value and by name; in cells, names of columns and members, nested ones; also where a text is cut in it."""
    text = json.dumps(shown(preview))
    assert "hush" not in text
    assert "hunter2" not in text


def test_columns_that_only_their_hidden_part_tells_apart_stay_two(secret):
    """They are numbered, and the cells stay below theirs."""
    preview = {"columns": {SECRET: "int64", f"{SECRET}!": "str", f"{SECRET}?": "bool"}, "head": [[1, "x", True]]}
    assert list(shown(preview)["columns"]) == ["***", "***!", "***?"]
    same = {"columns": {"x" * 50 + "1": "int64", "x" * 50 + "2": "str"}, "head": [[1, "x"]]}
    assert list(shown(same)["columns"]) == ["x" * 40 + "...", "x" * 40 + "... (2)"]


def test_a_number_that_is_a_secret_is_hidden(secret):
    """A pin that Airflow knows as text."""
    assert shown({"head": [NUMBER, 1]}) == {"head": "***, 1"}
