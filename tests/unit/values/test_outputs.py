"""Several outputs of one function."""

from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pytest

from airflow_mlpipe.errors import DefinitionError, StepError
from airflow_mlpipe.values import outputs as module
from airflow_mlpipe.values.outputs import Outputs, declared, split


class Pair(NamedTuple):
    model: Path
    metrics: dict


class Typed(TypedDict):
    model: Path
    metrics: dict


def test_a_value():
    one = Outputs(model=1, metrics=2)
    assert one.names == ("model", "metrics")
    assert one["model"] == 1
    assert dict(one.items()) == {"model": 1, "metrics": 2}
    assert repr(one) == "Outputs(model=1, metrics=2)"
    assert one == Outputs(metrics=2, model=1)
    assert one != Outputs(model=1)
    assert one != 1
    assert Outputs(self=1)["self"] == 1


@pytest.mark.parametrize("names", [[], ["map"], ["operator"], ["on_failure_fail_dagrun"], ["return_value"], ["a-b"]])
def test_names_that_are_refused(names):
    with pytest.raises(DefinitionError):
        Outputs(**dict.fromkeys(names))
    if names and names != ["a-b"]:
        with pytest.raises(DefinitionError):
            declared(f"Outputs({names[0]}=int)", {"Outputs": Outputs})


SCOPE = {"Outputs": Outputs, "m": module, "Pair": Pair, "Typed": Typed, "int": int}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Outputs(model=Path), {"model": Path}),
        (Pair, {"model": Path, "metrics": dict}),
        (Typed, {"model": Path, "metrics": dict}),
        ("Pair", {"model": Path, "metrics": dict}),
        ("Typed", {"model": Path, "metrics": dict}),
        ("Outputs(model=Missing, metrics=dict[str, float])", {"model": "Missing", "metrics": "dict[str, float]"}),
        ("m.Outputs(a=1 / 0)", {"a": "1 / 0"}),
    ],
)
def test_declared(annotation, expected):
    assert declared(annotation, SCOPE) == expected


@pytest.mark.parametrize(
    "annotation",
    [
        int,
        Any,
        None,
        dict[str, int],
        tuple,
        "int",
        "Missing",
        "m.Missing",
        "Missing(a=1)",
        "int(a=1)",
        "a b",
        "int | x",
    ],
)
def test_a_single_result(annotation):
    assert declared(annotation, SCOPE) is None


@pytest.mark.parametrize("text", ["Outputs()", "Outputs(int)", "Outputs(**x)"])
def test_declarations_that_are_refused(text):
    with pytest.raises(DefinitionError):
        declared(text, SCOPE)


@pytest.mark.parametrize(
    "result",
    [Outputs(metrics=2, model=1), {"model": 1, "metrics": 2}, Pair(1, 2), (1, 2), [1, 2]],  # type: ignore[arg-type]
    ids=repr,
)
def test_split(result):
    assert list(split(result, ("model", "metrics")).items()) == [("model", 1), ("metrics", 2)]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"model": 1}, "metrics"),
        ({"model": 1, "metrics": 1, "more": 3}, "more"),
        ((1,), "metrics"),
        ((1, 2, 3), r"\[2\]"),
        (Outputs(model=1), "metrics"),
        (5, "int"),
        ("ab", "str"),
    ],
)
def test_split_names_what_is_missing_and_what_is_too_much(result, said):
    with pytest.raises(StepError, match=said):
        split(result, ("model", "metrics"))
