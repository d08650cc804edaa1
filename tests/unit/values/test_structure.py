"""Values made of plain ones: written exactly, read back exactly, and never by importing what a document names."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sized
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pandas as pd
import pendulum
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_mlpipe.values.errors import UnsupportedValueError
from airflow_mlpipe.values.structure import KIND, decode, encode, is_plain


class Colour(Enum):
    RED = "r"
    BLUE = (1, 2)


class Level(IntEnum):
    LOW = 1


class Rights(Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Layer:
    size: int
    colour: Colour = Colour.RED
    at: Point | None = None


@dataclass
class Net:
    layers: list[Layer]
    by_name: dict[str, Layer] = field(default_factory=dict)
    pair: tuple[Layer, int] | None = None
    runs: int = field(default=0, init=False)

    def __post_init__(self):
        self.runs += 1


@attrs.define
class Shape:
    _hidden: int
    layer: Layer | None = None


class Config(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    rate: float = pydantic.Field(alias="learningRate")
    layer: Layer | None = None
    _seen: int = pydantic.PrivateAttr(default=3)


class HasSize(Protocol):
    size: int


class Row(TypedDict):
    at: Point


def no_leaf(value, path):
    return None


def no_load(document, wanted):
    raise AssertionError(document)


def again(value, wanted: Any = Any):
    """Through JSON text, as it is stored."""
    return decode(json.loads(json.dumps(encode(value, no_leaf))), wanted, no_load)


def same(one, other) -> bool:
    """Equal, of the same types at every depth, and NaN equal to itself."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) and same(v, w) for (a, v), (b, w) in zip(one.items(), other.items(), strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or repr(one) == repr(other)
    if isinstance(one, (complex, Decimal)):
        return repr(one) == repr(other)
    return one == other


SCALARS = st.one_of(
    st.none(),
    *(st.from_type(kind) for kind in (bool, int, float, bytes, complex, date, timedelta, Decimal, UUID)),
    st.text(st.characters()),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.times(),
)
HASHABLE = st.one_of(st.text(), st.integers(), st.tuples(st.integers(), st.text()), st.just(KIND))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.sets(HASHABLE, max_size=4),
        st.frozensets(HASHABLE, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_values_come_back_exactly(value):
    assert same(again(value), value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(VALUES)
def test_plain_means_that_json_keeps_it(value):
    if is_plain(value):
        assert same(json.loads(json.dumps(value)), value)
        assert same(encode(value, no_leaf), value)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("kind", [Layer, Net, Point, Colour, Level])
@given(data=st.data())
def test_objects_come_back_by_the_annotation(kind, data):
    value = data.draw(st.from_type(kind))
    found = again([value], list[kind])
    assert repr(found) == repr([value])  # NaN is not equal to itself
    assert type(found[0]) is kind


@pytest.mark.parametrize(
    "value",
    [
        {KIND: "leaf", "value": 1},
        [{KIND: {KIND: 1}}],
        {1: {KIND: "object"}},
        "\ud83d\ude00",
        {"\ud83d\ude00": 1},
        10**5000,
        -0.0,
        math.inf,
        datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
        time(1, 2, 3, 4, tzinfo=timezone(timedelta(hours=1), "X"), fold=1),
        timezone.utc,
        ZoneInfo("Asia/Tokyo"),
        PurePosixPath("a/b") if PurePosixPath is not type(Path()) else None,
        PureWindowsPath("c:\\x"),
        np.float32(1.5),
        np.int64(7),
        np.str_("ab"),
        np.str_(""),
        np.bool_(True),
        np.datetime64("2026-01-01", "D"),
        pd.Timestamp("2026-10-25 02:30:00.123456789"),
        pd.Timestamp("2026-01-01", tz="Europe/Berlin"),
        pd.Timedelta("1ns"),
    ],
    ids=lambda v: type(v).__name__,
)
def test_one_value_comes_back(value):
    found = again(value)
    assert same(found, value)
    assert getattr(found, "fold", 0) == getattr(value, "fold", 0)
    assert type(value) is int or str(found) == str(value)


def test_scalars_of_libraries_keep_their_type():
    assert again(np.float32(1.5)).dtype == np.float32
    assert again(pd.NaT) is pd.NaT
    assert again(pd.Timestamp("2026-01-01").as_unit("s")).unit == "s"


def test_pendulum_comes_back_as_the_standard_library():
    moment = pendulum.datetime(2026, 1, 2, tz="Europe/Paris")
    found = again([moment, moment.date(), pendulum.now(pendulum.FixedTimezone(3600)).time()])
    assert found[0] == moment
    assert [type(one) for one in found] == [datetime, date, time]


def test_dicts_of_other_kinds_are_dicts():
    assert same(again(OrderedDict(b=1, a=2)), {"b": 1, "a": 2})
    assert same(again(defaultdict(int, a=2)), {"a": 2})


def test_without_an_annotation_objects_are_dicts_and_members_are_values():
    assert again(Layer(1, Colour.BLUE, Point(1))) == {"size": 1, "colour": (1, 2), "at": {"x": 1, "y": 0.0}}


def test_fields_are_restored_without_running_the_constructor_again():
    net = Net([Layer(1)], {"a": Layer(2, at=Point(1, 2.0))}, (Layer(3), 4))
    assert again(net, Net) == net
    assert again({"n": net}, dict[str, Net | None])["n"].runs == 1


def test_attrs_and_pydantic():
    shape = Shape(1, Layer(2))
    assert again(shape, Shape) == shape
    config = Config(learningRate=0.5, layer=Layer(1), other="x")
    found = again(config, Config)
    assert found == config
    assert (found.rate, found.other, found._seen) == (0.5, "x", 3)


def test_plain_documents_make_objects_too():
    assert decode({"size": 3}, Layer, no_load) == Layer(3)
    assert decode({"size": 3, "colour": "r"}, Annotated[Layer | None, "x"], no_load) == Layer(3)
    assert decode({"learningRate": 1.0}, Config, no_load).rate == 1.0
    assert decode({"_hidden": 1}, Shape, no_load) == Shape(1)
    assert decode({"at": {"x": 1}}, Row, no_load) == {"at": Point(1)}
    assert decode("r", Colour, no_load) is Colour.RED
    assert decode(1, Level, no_load) is Level.LOW
    assert again(Rights.READ | Rights.WRITE, Rights) == Rights.READ | Rights.WRITE


def test_a_union_is_decided_by_class_then_by_fields():
    assert again(Point(1, 2.0), Layer | Point) == Point(1, 2.0)
    assert decode({"x": 1, "y": 2.0}, Layer | Point, no_load) == Point(1, 2.0)
    assert decode({"x": 1}, dict | Point, no_load) == {"x": 1}
    assert again(Layer(1), str | list[int]) == {"size": 1, "colour": "r", "at": None}


@pytest.mark.parametrize("members", [{"nothing": 1}, {}])
def test_members_that_the_class_refuses(members):
    with pytest.raises(ValueError, match=r"do not make a .*Layer"):
        decode(members, Layer, no_load)


@pytest.mark.parametrize("wanted", [int | Any, Literal["a", "b"], Callable[[int], str], Sized | None])
@pytest.mark.parametrize("value", [{"a": 1}, {1: 2}, [1], 1, "a", None, (1,), {1}, Layer(1), Colour.RED], ids=repr)
def test_annotations_that_name_no_class_to_make(wanted, value):
    assert same(again(value, wanted), again(value))


def test_a_protocol_is_no_class_to_make():
    assert again(Layer(1), HasSize | None) == again(Layer(1))
    assert again(1, HasSize | None) == 1


def test_leaves():
    asked = []

    def leaf(value, path):
        asked.append(path)
        return {"at": path} if isinstance(value, (Path, bytes)) else None

    value = {"p": Path("a"), "many": [Layer(1), b"x" * 2000, b"short", 1, (2,)]}
    document = encode(value, leaf)
    assert document["p"] == {KIND: "leaf", "value": {"at": "value['p']"}}
    assert asked == ["value['p']", "value['many'][0]", "value['many'][0].colour", "value['many'][1]"]
    found = decode(document, dict[str, Path], lambda leaf, wanted: (leaf["at"], wanted))
    assert found["p"] == ("value['p']", Path)


def test_what_cannot_be_written_is_named_with_its_place():
    class Own:
        pass

    with pytest.raises(UnsupportedValueError) as caught:
        encode({"model": Net([Own()])}, no_leaf)  # type: ignore[list-item]
    assert caught.value.path == "value['model'].layers[0]"
    assert caught.value.type_name.endswith("Own")
    for way in ("Path", "airflow_mlpipe.materializers"):
        assert way in str(caught.value)
    assert isinstance(caught.value, TypeError)


class Text(str):
    __slots__ = ()


class Moment(datetime):
    pass


@dataclass
class Odd(dict):  # type: ignore[type-arg]
    a: int = 1


@pytest.mark.parametrize(
    "value", [Text("x"), Moment(2026, 1, 1), Odd(), Path("x"), object(), len, Layer], ids=lambda v: type(v).__name__
)
def test_types_that_are_not_exactly_known_are_refused(value):
    with pytest.raises(UnsupportedValueError):
        encode([value], no_leaf)


def test_cycles():
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(UnsupportedValueError, match="contain itself"):
        encode(cycle, no_leaf)
    assert not is_plain(cycle)


@pytest.mark.parametrize(
    "value", [(1,), {1: 2}, {KIND: 1}, math.nan, 10**5000, "\ud83d", True, Text("x")], ids=lambda v: type(v).__name__
)
def test_is_plain(value):
    assert is_plain([value]) is (value is True)


def test_sets_are_written_alike_in_every_process():
    program = (
        "import json; from airflow_mlpipe.values.structure import encode;"
        "print(json.dumps(encode({'s': {'a', 'b', 'c', ('d', 1), frozenset('xyz')}}, lambda v, p: None)))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(found) == 1


@pytest.mark.parametrize("wanted", [Any, Layer, dict])
def test_decode_imports_nothing_that_a_document_names(wanted):
    document = {KIND: "object", "class": "antigravity.Thing", "value": {"size": 1}}
    decode(document, wanted, no_load)
    decode({KIND: "enum", "class": "antigravity.Thing", "name": "A", "value": 1}, Any, no_load)
    assert "antigravity" not in sys.modules
    with pytest.raises(ValueError, match="antigravity"):
        decode({KIND: "antigravity", "value": 1}, Any, no_load)
