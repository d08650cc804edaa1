"""A preview of what is made of plain values: the first of them, and of everything else what it is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.values import registry
from airflow_mlpipe.values.materializer import PREVIEW_TEXT

_DEEP, _FEW, _MEMBERS = 3, 5, 20


def glimpse(value: Any) -> Mapping[str, Any]:
    """See the module; for :class:`~airflow_mlpipe.values.materializer.Saved`."""
    size: dict[str, Any] = {"length": len(value)} if hasattr(value, "__len__") else {}
    if isinstance(value, str):
        return size | {"text": value[:PREVIEW_TEXT]}
    return size | {"members" if isinstance(value, Mapping) else "head": _part(value, 0)}


def _part(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return value[:PREVIEW_TEXT]
    if type(value) in (list, tuple) and depth < _DEEP:
        return [_part(member, depth + 1) for member in value[:_FEW]]
    if isinstance(value, dict) and depth < _DEEP:
        return {str(name)[:PREVIEW_TEXT]: _part(v, depth + 1) for name, v in list(value.items())[:_MEMBERS]}
    return registry.describe(value)
