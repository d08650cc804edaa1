"""What annotations ask for."""

from __future__ import annotations

import inspect
import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any, Optional

import pandas as pd
import pytest

from airflow_mlpipe.values.annotations import Wanted, coerce, hints, unresolved, wanted
from airflow_mlpipe.values.outputs import Outputs


@pytest.mark.parametrize("annotation", [Any, None, inspect.Parameter.empty, "Nowhere", object, Any | None, int | Any])
def test_anything(annotation):
    assert wanted(annotation) == Wanted()


@pytest.mark.parametrize("annotation", [pd.DataFrame, pd.DataFrame | None, Annotated[Optional[pd.DataFrame], "x"]])  # noqa: UP045
def test_types(annotation):
    assert wanted(annotation).names[0] == "pandas.DataFrame"


def test_unions_keep_their_order():
    assert [name for name in wanted(str | pd.Series | int).names if name in ("builtins.str", "builtins.int")] == [
        "builtins.str",
        "builtins.int",
    ]


@pytest.mark.parametrize("kind", [Iterator[str], Iterable[str], Generator[str, None, None], Iterator[str] | None])
def test_streams(kind):
    assert wanted(kind) == Wanted(names=("builtins.str",), stream=True)


def test_a_stream_of_anything():
    assert wanted(Iterator) == wanted(Iterator[Any]) == Wanted(stream=True)


@pytest.mark.parametrize(
    ("annotation", "member"),
    [
        (list[int], int),
        (Sequence[int], int),
        (tuple[int, ...], int),
        (tuple[int, str], Any),
        (dict[str, int], int),
        (Mapping[str, int], int),
        (list, Any),
        (list[int] | None, int),
    ],
)
def test_members(annotation, member):
    assert wanted(annotation).member is member


@pytest.mark.parametrize("annotation", [Path, PurePath, os.PathLike, os.PathLike[str], Path | None])
def test_paths(annotation):
    assert wanted(annotation).path


def test_hints_survive_what_cannot_be_resolved():
    def function(a: int, b: Nowhere, c: Annotated[Path, 1], d=1) -> Outputs(model=Nowhere):  # noqa: F821
        pass

    found = hints(function)
    assert found == {"a": int, "b": Any, "c": Annotated[Path, 1], "return": "Outputs(model=Nowhere)"}


def test_what_cannot_be_resolved_is_told():
    def function(a: int, b: Nowhere, c: Path.Nothing, d=1) -> Nowhere:  # noqa: F821
        pass

    found = unresolved(function)
    assert found == {
        "b": "Nowhere (NameError: name 'Nowhere' is not defined)",
        "c": "Path.Nothing (AttributeError: type object 'Path' has no attribute 'Nothing')",
    }


def test_a_return_that_is_no_type_is_left():
    def function():
        pass

    outputs = Outputs(model=Path)
    function.__annotations__["return"] = outputs
    assert hints(function)["return"] is outputs


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("3", int, 3),
        (" 1e-3 ", float, 0.001),
        ("True", bool, True),
        ("0", bool, False),
        ("3", int | None, 3),
        ("None", Optional[int], None),  # noqa: UP045
        ("2.5", int | float, 2.5),
        ("3", str, "3"),
        ("3", int | str, "3"),
        ("3", Any, "3"),
        ("3", Annotated[int, "x"], 3),
        (3.5, int, 3.5),
    ],
)
def test_coerce(text, annotation, value):
    found = coerce(text, annotation, name="rate")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("text", "annotation"), [("x", int), ("2.5", int), ("maybe", bool), ("None", float)])
def test_coerce_names_what_is_wrong(text, annotation):
    with pytest.raises(ValueError, match=f"rate.*'{text}'.*{annotation.__name__}"):
        coerce(text, annotation, name="rate")
