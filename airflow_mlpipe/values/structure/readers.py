"""Read: what scalars.py wrote."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from airflow_mlpipe.values.structure.form import KIND


def _read_zone(document: Any) -> tzinfo | None:
    if document is None:
        return None
    if document[KIND] == "zone":
        return ZoneInfo(document["value"])
    days, seconds, microseconds = document["value"]
    offset = timedelta(days, seconds, microseconds)
    name = document.get("name")
    if name is None:
        return timezone.utc if not offset else timezone(offset)
    return timezone(offset, name)


def _read_str(document: Any) -> str:
    if isinstance(document, str):
        return document
    return base64.b64decode(document["value"]).decode("utf-8", "surrogatepass")


def _read_clock(kind: Any) -> Callable[[Mapping[str, Any]], Any]:
    return lambda d: kind.fromisoformat(d["value"]).replace(tzinfo=_read_zone(d["zone"]), fold=d["fold"])


def _read_numpy(document: Mapping[str, Any]) -> Any:
    import numpy as np

    kind = np.dtype(document["value"]["dtype"])
    if kind.kind in "VO":
        raise ValueError(f"no scalar is of dtype {kind}")
    if not isinstance(document["value"]["value"], str):
        return np.array([document["value"]["value"]], kind)[0]
    raw = base64.b64decode(document["value"]["value"])
    return np.frombuffer(raw, kind, 1)[0] if kind.itemsize else kind.type()


def _read_timestamp(document: Mapping[str, Any]) -> Any:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    moment = pd.Timestamp(np.datetime64(document["value"], document["unit"]))
    zone = _read_zone(document["zone"])
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _read_span(document: Mapping[str, Any]) -> Any:
    import numpy as np
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    return pd.Timedelta(np.timedelta64(document["value"], document["unit"]))


def _read_nat(document: Mapping[str, Any]) -> Any:
    import pandas as pd  # type: ignore[import-untyped,unused-ignore]

    return pd.NaT


def _texts(values: Iterable[str]) -> list[float]:
    return [float(text) for text in values]


READERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "int": lambda d: int(d["value"], 16),
    "float": lambda d: float(d["value"]),
    "str": _read_str,
    "bytes": lambda d: base64.b64decode(d["value"]),
    "complex": lambda d: complex(*_texts(d["value"])),
    "timedelta": lambda d: timedelta(*d["value"]),
    "decimal": lambda d: Decimal(d["value"]),
    "uuid": lambda d: UUID(d["value"]),
    "posixpath": lambda d: PurePosixPath(_read_str(d["value"])),
    "windowspath": lambda d: PureWindowsPath(_read_str(d["value"])),
    "date": lambda d: date.fromisoformat(d["value"]),
    "datetime": _read_clock(datetime),
    "time": _read_clock(time),
    "zone": _read_zone,
    "timezone": _read_zone,
    "numpy": _read_numpy,
    "pandas.Timestamp": _read_timestamp,
    "pandas.Timedelta": _read_span,
    "pandas.NaT": _read_nat,
}
