"""Write: numbers, texts, dates and their kin, of the standard library, numpy and pandas."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from airflow_mlpipe.values.errors import UnsupportedValueError
from airflow_mlpipe.values.names import type_names
from airflow_mlpipe.values.structure.form import BITS, base64_of, is_text, tagged


def _int(value: int) -> Any:
    return value if value.bit_length() <= BITS else tagged("int", hex(value))


def _float(value: float) -> Any:
    return value if math.isfinite(value) else tagged("float", repr(value))


def _str(value: str) -> Any:
    return value if is_text(value) else tagged("str", base64_of(value.encode("utf-8", "surrogatepass")))


SCALARS: dict[type, Callable[[Any], Any]] = {
    type(None): lambda v: v,
    bool: lambda v: v,
    int: _int,
    float: _float,
    str: _str,
    bytes: lambda v: tagged("bytes", base64_of(v)),
    complex: lambda v: tagged("complex", [repr(v.real), repr(v.imag)]),
    timedelta: lambda v: tagged("timedelta", [v.days, v.seconds, v.microseconds]),
    Decimal: lambda v: tagged("decimal", str(v)),
    UUID: lambda v: tagged("uuid", str(v)),
    PurePosixPath: lambda v: tagged("posixpath", _str(str(v))),
    PureWindowsPath: lambda v: tagged("windowspath", _str(str(v))),
}


def is_stdlib(kind: type, base: type) -> bool:
    """Whether a date is of exactly this class, or pendulum's, which says nothing more."""
    return kind is base or kind.__module__.partition(".")[0] == "pendulum"


def write_clock(value: datetime | time, path: str) -> dict[str, Any]:
    """A moment or a time of day.  :raises UnsupportedValueError: for a class that may say more."""
    base = datetime if isinstance(value, datetime) else time
    if not is_stdlib(type(value), base):
        raise UnsupportedValueError(path, value)
    zone = None if value.tzinfo is None else write_zone(value.tzinfo, f"{path}.tzinfo")
    text = base.isoformat(value.replace(tzinfo=None, fold=0))  # type: ignore[arg-type]
    return tagged(base.__name__, text, zone=zone, fold=value.fold)


def write_zone(zone: tzinfo, path: str) -> dict[str, Any]:
    """A time zone, by its name or its offset.  :raises UnsupportedValueError: for one that has neither."""
    if isinstance(zone, ZoneInfo) and zone.key:
        return tagged("zone", zone.key)
    if not isinstance(zone, timezone) and not type(zone).__module__.startswith("pendulum."):
        raise UnsupportedValueError(path, zone, fix="use zoneinfo.ZoneInfo or datetime.timezone")
    offset = zone.utcoffset(None)
    if offset is None:
        raise UnsupportedValueError(path, zone, fix="use zoneinfo.ZoneInfo or datetime.timezone")
    name = zone.tzname(None) if isinstance(zone, timezone) else None
    name = None if name == timezone(offset).tzname(None) else name
    return tagged("timezone", [offset.days, offset.seconds, offset.microseconds], name=name)


def write_library_scalar(value: Any, path: str) -> dict[str, Any] | None:
    """Scalars of numpy and pandas, known by the name of their type."""
    kind: Any = type(value)
    names = type_names(kind)
    if "numpy.generic" in names:
        if value.dtype.kind in "VO":
            raise UnsupportedValueError(path, value)
        number = value.item() if value.dtype.kind in "iuf" and value.itemsize <= 8 else None
        readable = number is not None and math.isfinite(number)  # people read metrics in XCom
        return tagged("numpy", {"dtype": value.dtype.str, "value": number if readable else base64_of(value.tobytes())})
    if not names or names[0] not in ("pandas.Timestamp", "pandas.Timedelta", "pandas.NaTType"):
        return None
    if names[0] == "pandas.NaTType":
        return tagged("pandas.NaT", None)
    count = int(value.asm8.view("i8"))
    if names[0] == "pandas.Timedelta":
        return tagged("pandas.Timedelta", count, unit=value.unit)
    named = getattr(value.tzinfo, "zone", None)  # pytz; the count is in UTC, so its name is all that it says
    zone = (
        None if value.tzinfo is None else tagged("zone", named) if named else write_zone(value.tzinfo, f"{path}.tzinfo")
    )
    return tagged("pandas.Timestamp", count, unit=value.unit, zone=zone)
