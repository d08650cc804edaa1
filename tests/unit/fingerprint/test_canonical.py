"""Canonical values: injective, typed, and the same everywhere."""

from __future__ import annotations

import enum
import json
import math
import subprocess
import sys
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fingerprint_golden import check

from airflow_mlpipe.errors import UncacheableError
from airflow_mlpipe.fingerprint.canonical import canonical, plain

CASES = {
    "none": None,
    "true": True,
    "one": 1,
    "one as text": "1",
    "one as float": 1.0,
    "minus zero": -0.0,
    "zero": 0.0,
    "nan": math.nan,
    "infinity": math.inf,
    "beyond 2**53": 2**53 + 1,
    "beyond 2**64": -(2**80),
    "a tenth": 0.1,
    "huge": 1e300,
    "empty text": "",
    "umlaut and emoji": "ä\U0001f600\u0000\n",
    "list": [1, [2, "3"], []],
    "tuple": (1, 2),
    "dict": {"b": 1, "a": {"c": None}},
    "dict that looks tagged": {"$type": "set", "value": [1]},
    "set": {3, "b", 1},
    "frozenset": frozenset({(1, 2)}),
    "bytes": b"\x00\xff",
    "date": date(2026, 1, 2),
    "naive datetime": datetime(2026, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001 - the value under test
    "datetime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2))),
    "timedelta": timedelta(days=-1, seconds=3),
    "decimal": Decimal("1.10"),
    "uuid": UUID(int=5),
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.decimals(allow_nan=False)
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5) | st.just("$type")
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)


def typed(value):
    """A value that Python compares as canonical bytes should compare."""
    if isinstance(value, dict):
        return ("dict", tuple(sorted((k, typed(v)) for k, v in value.items())))
    if isinstance(value, list | tuple):
        return ("list", tuple(typed(v) for v in value))
    return (type(value).__name__, repr(value))


def test_golden_vectors():
    """The bytes of every type are those that are written down."""
    check("canonical", {name: canonical(value).decode() for name, value in CASES.items()})


def test_cases_differ():
    """No two of the different golden values have the same bytes."""
    assert len({canonical(value) for value in CASES.values()}) == len(CASES)


@given(VALUES, VALUES)
def test_equal_bytes_mean_equal_values(a, b):
    """Two nested values have the same bytes exactly when they are the same values of the same types."""
    assert (canonical(a) == canonical(b)) == (typed(a) == typed(b))


@given(VALUES)
def test_plain_survives_json(value):
    """What a key document shows can be written and read back without a change."""
    assert (
        canonical(value)
        == json.dumps(
            json.loads(json.dumps(plain(value))), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
    )


@given(st.dictionaries(KEYS, SCALARS, min_size=2))
def test_order_of_dicts_does_not_count(value):
    """A dict that was filled in another order has the same bytes."""
    assert canonical(value) == canonical(dict(reversed(value.items())))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["a,b"], ["a", "b"]),
        ({"x": "1y2"}, {"x": "1", "y": "2"}),
        ([[1], 2], [[1, 2]]),
        ([], None),
        ({}, []),
        ("", None),
        ({1}, [1]),
        (b"a", "61"),
        (date(2026, 1, 1), "2026-01-01"),
        (Decimal("1.0"), Decimal("1.00")),
    ],
)
def test_no_joins(a, b):
    """Values whose parts, written one after the other, look the same, are different."""
    assert canonical(a) != canonical(b)


def test_pendulum_is_a_datetime():
    """Airflow's dates count as the datetimes that they are."""
    value = pendulum.datetime(2026, 1, 2, tz="UTC")
    assert canonical(value) == canonical(datetime(2026, 1, 2, tzinfo=timezone.utc))


def test_mapping_proxy_is_a_dict():
    """A read-only view of a dict counts as the dict."""
    assert canonical(MappingProxyType({"a": 1})) == canonical({"a": 1})


class Colour(str, enum.Enum):
    RED = "red"


class Text(str):
    pass


class Stamp(datetime):
    pass


LOOP: list[object] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [
        Colour.RED,
        Text("a"),
        Stamp(2026, 1, 1, tzinfo=timezone.utc),
        object(),
        len,
        1j,
        bytearray(b"a"),
        OrderedDict(a=1),
        "\ud800",
        10**5000,
        LOOP,
        {1: 2},
        {"\udcff": 1},
    ],
    ids=lambda v: type(v).__name__,
)
def test_unknown_means_refuse(value):
    """A type that is not listed, and text that no encoding can write, are refused, not guessed."""
    with pytest.raises(UncacheableError):
        canonical(value)


def test_refusal_names_the_place():
    """The error says where in a nested value the member at fault stands, and its type."""
    with pytest.raises(UncacheableError) as caught:
        canonical({"model": [1, 2, 3, object()]}, path="params")
    assert caught.value.path == "params.model[3]"
    assert caught.value.type_name == "builtins.object"


def test_nothing_of_the_process_counts():
    """Hash seed, locale and time zone do not change the bytes."""
    program = (
        "import sys; from airflow_mlpipe.fingerprint.canonical import canonical; from datetime import datetime as d;"
        "sys.stdout.buffer.write(canonical({'s': {'a','b','c',1,2.5}, 'd': d(2026,1,1), 't': 'ä', 'f': 0.1}))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": zone, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed, locale, zone in [("0", "C", "UTC"), ("1", "de_DE.UTF-8", "Asia/Tokyo"), ("7", "POSIX", "EST5")]
    }
    assert len(found) == 1
