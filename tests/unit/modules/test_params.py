"""Parameters against their schemas, and the command that is made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.step import InputPath, OutputPath, Template, Text
from airflow_mlpipe.modules.commands import command_of
from airflow_mlpipe.modules.params import canonical, check_param, complete_params, rendered

SCHEMAS = {"rate": {"type": "number", "default": 1}, "depth": {"type": "integer", "minimum": 1}}


def test_defaults_are_filled_in_and_numbers_have_one_spelling():
    """A ``number`` is a float and an ``integer`` an int, whoever writes it."""
    found = complete_params(SCHEMAS, {"depth": 3.0}, where="here")
    assert found == {"depth": 3, "rate": 1.0}
    assert [type(v) for v in found.values()] == [int, float]


@pytest.mark.parametrize(
    ("given_", "what"),
    [
        ({}, "'depth' is required"),
        ({"depth": 0}, "0 is less than the minimum of 1"),
        ({"depth": "x"}, "'x' is not of type 'integer'"),
        ({"depth": True}, "True is not of type 'integer'"),
        ({"depth": 1, "dept": 1}, "no such parameter"),
    ],
)
def test_what_the_schema_refuses_is_an_error(given_: dict, what: str):
    """In the schema's words, with the parameter's name."""
    with pytest.raises(DefinitionError, match=what):
        complete_params(SCHEMAS, given_, where="step 'x'")


def test_values_that_only_a_run_knows_are_left():
    """A template is not looked at while the DAG is parsed."""
    found = complete_params(SCHEMAS, {"depth": "{{ params.d }}"}, where="", deferred=lambda v: isinstance(v, str))
    assert found["depth"] == "{{ params.d }}"


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "24", 24),
        ({"type": "number"}, "0.5", 0.5),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": ["integer", "null"]}, "None", None),
        ({"type": "string"}, "24", "24"),
        ({}, "24", "24"),
        ({"type": "integer"}, "x", "x"),
        ({"type": "integer"}, "2.5", "2.5"),
    ],
)
def test_what_a_template_renders_to_is_read_as_the_schema_wants(schema: dict, text: str, value: object):
    """A text that spells the wanted type counts as one; any other stays, and is refused."""
    assert rendered(schema, text) == value


@given(st.integers(-(2**53), 2**53))
def test_a_whole_number_counts_the_same_however_it_is_written(number: int):
    """``1`` and ``1.0`` of a number are one value, of an integer too."""
    for schema in ({"type": "number"}, {"type": "integer"}):
        one, other = check_param("p", schema, number, where=""), check_param("p", schema, float(number), where="")
        assert (one, type(one)) == (other, type(other))
        assert canonical(schema, one) == one


def test_a_command_is_made_of_its_placeholders():
    """Paths are whole arguments, parameters keep their types, lists and objects become JSON, ``$${`` is a dollar."""
    found = command_of(
        [
            "--in",
            "${inputs.a}",
            "--out",
            "${outputs.b}",
            "${params.n}",
            "--n=${params.n}",
            "${params.l}",
            "$${x} ${HOME}",
            3,
        ],
        inputs={"a"},
        outputs={"b"},
        params={"n": 0.5, "l": [1, {"k": None}]},
    )
    assert found == (
        Text("--in", "--in"),
        InputPath("a"),
        Text("--out", "--out"),
        OutputPath("b"),
        Text("0.5", 0.5),
        Text("--n=0.5", "--n=0.5"),
        Text('[1, {"k": null}]', '[1, {"k": null}]'),
        Text("${x} ${HOME}", "${x} ${HOME}"),
        Text("3", 3),
    )


@pytest.mark.parametrize(
    ("inputs", "params", "words"),
    [
        (set(), {"p": None}, ["end"]),
        ({"a"}, {"p": None}, ["--a", "<a>", "end"]),
        (set(), {"p": 1}, ["--p", 1, "end"]),
    ],
)
def test_a_list_is_left_out_when_something_in_it_is_not_there(inputs: set, params: dict, words: list):
    """An input without data, and a parameter that is null."""
    arguments = [("--a", "${inputs.a}"), ("--p", "${params.p}"), "end"]
    found = command_of(arguments, inputs=inputs, outputs=(), params=params)
    assert [f"<{a.name}>" if isinstance(a, InputPath) else a.value for a in found] == words


def test_what_may_not_be_written_down_is_not_in_the_command_that_is_hashed():
    """A parameter that is a secret, or ignored, is a template there, alone and in a text."""
    found = command_of(["${params.p}", "x=${params.p}"], inputs=(), outputs=(), params={"p": Template("secret")})
    assert [a.value for a in found] == [Template("secret"), Template("x=${params.p}")]
