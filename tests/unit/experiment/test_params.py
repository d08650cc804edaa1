"""From the command line's text to a run's conf."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.experiment.errors import UsageError
from airflow_mlpipe.experiment.params import (
    check_forced,
    check_names,
    merge_conf,
    parse_value,
    refresh_conf,
    split_assignments,
)


def _declared(value: object = None, **schema: object) -> dict:
    return {"value": value, "schema": schema, "description": None}


@pytest.mark.parametrize(
    ("text", "declared", "value"),
    [
        ("0.3", _declared(type="number"), 0.3),
        ("3", _declared(type="number"), 3),
        ("3", _declared(type="integer"), 3),
        ("3.0", _declared(type="integer"), 3.0),
        ("true", _declared(type="boolean"), True),
        ("null", _declared(type=["null", "number"]), None),
        ("[1, 2]", _declared(type="array"), [1, 2]),
        ('{"a": 1}', _declared(type="object"), {"a": 1}),
        ("0.3", _declared(type="string"), "0.3"),
        ("true", _declared(type="string"), "true"),
        ("null", _declared(type=["null", "string"]), None),
        ("7", _declared(type=["null", "string"]), "7"),
        ("adam", _declared(type=["number", "string"]), "adam"),
        ("0.3", _declared(0.1), 0.3),
        ("false", _declared(True), False),
        ("0.3", _declared("fast"), "0.3"),
        ("0.3", _declared(None), "0.3"),
        ("2", _declared(1, enum=[1, 2]), 2),
    ],
)
def test_a_value_has_the_type_that_the_dag_declares(text: str, declared: dict, value: object) -> None:
    """The text is JSON where the parameter's schema, or else its default, is not text."""
    parsed = parse_value("p", text, declared)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "type_"),
    [("fast", "number"), ("0.5", "integer"), ("true", "integer"), ("1", "boolean"), ("{}", "array"), ("1", "null")],
)
def test_a_value_of_another_type_is_refused(text: str, type_: str) -> None:
    """The error names the parameter, the text and the type."""
    with pytest.raises(UsageError, match=rf"'p'.*{text}.*{type_}") as caught:
        parse_value("p", text, _declared(type=type_))
    assert caught.value.given == text


@given(st.text())
def test_text_is_never_changed_for_a_text_parameter(text: str) -> None:
    """No text is taken for JSON where the DAG wants text."""
    assert parse_value("p", text, _declared(type="string")) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_every_number_comes_through(number: float) -> None:
    """A number that is written as JSON is read as the same number."""
    assert parse_value("p", json.dumps(number), _declared(type="number")) == number


def test_only_the_first_equals_sign_divides() -> None:
    """A value may hold equals signs."""
    assert split_assignments(["where=a=b", "empty="]) == {"where": "a=b", "empty": ""}


@pytest.mark.parametrize("texts", [["lr"], ["=3"], ["lr=1", "lr=2"]])
def test_a_text_that_assigns_nothing_is_refused(texts: list[str]) -> None:
    """No ``=``, no name, or a name given twice."""
    with pytest.raises(UsageError):
        split_assignments(texts)


def test_an_unknown_name_is_refused_with_the_valid_ones() -> None:
    """The error names the nearest name and all of them."""
    with pytest.raises(UsageError, match=r"unknown parameter.*given: 'lrr'.*'epochs', 'lr'.*did you mean 'lr'"):
        check_names(["lrr"], ["lr", "epochs"], what="parameter", where="DAG 'digits'")


@pytest.mark.parametrize(
    ("refresh", "conf"),
    [
        (None, {}),
        ([], {}),
        ("all", {"mlpipe": {"refresh": "all"}}),
        (["train", "all"], {"mlpipe": {"refresh": "all"}}),
        ("train", {"mlpipe": {"refresh": ["train"]}}),
        (["train+", "prepare"], {"mlpipe": {"refresh": ["train+", "prepare"]}}),
        ("t*+", {"mlpipe": {"refresh": ["t*+"]}}),
    ],
)
def test_refresh_becomes_the_conf_that_steps_read(refresh: object, conf: dict) -> None:
    """One step, a step and what follows, or everything."""
    assert refresh_conf(refresh, ["prepare", "train"], where="DAG") == conf


@pytest.mark.parametrize("name", ["trian", "x*"])
def test_an_unknown_step_cannot_be_refreshed(name: str) -> None:
    """A misspelt step, or a pattern that matches none, would force nothing."""
    with pytest.raises(UsageError) as caught:
        refresh_conf([f"{name}+"], ["prepare", "train"], where="DAG")
    assert f"unknown step. given: {name!r}. valid: 'prepare', 'train'" in str(caught.value)


def test_the_same_thing_said_twice_is_refused() -> None:
    """Neither the conf nor the parameter silently wins."""
    with pytest.raises(UsageError, match="given twice"):
        merge_conf({"lr": 1}, {"lr": 2}, {})
    with pytest.raises(UsageError, match="given twice"):
        merge_conf({"mlpipe": {}}, {}, {"mlpipe": {"refresh": "all"}})


@pytest.mark.parametrize(
    "ours", [None, {}, {"refresh": "all"}, {"refresh": "tr*+"}, {"refresh": ["train+", "prepare"]}]
)
def test_a_conf_that_steps_understand_is_accepted(ours: object) -> None:
    """In each of the forms that a step reads."""
    check_forced({"mlpipe": ours, "lr": 1}, ["prepare", "train"], where="DAG 'digits'")


@pytest.mark.parametrize(
    "ours", [{"refesh": ["train"]}, "all", ["train"], {"refresh": {"train": True}}, {"refresh": ["trian"]}]
)
def test_a_conf_that_steps_would_refuse_is_refused_before(ours: object) -> None:
    """Each step of the run would fail with it."""
    with pytest.raises(UsageError, match="the conf of DAG 'digits'"):
        check_forced({"mlpipe": ours}, ["prepare", "train"], where="DAG 'digits'")
