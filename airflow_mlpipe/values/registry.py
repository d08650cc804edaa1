"""Which materializer a type or a format has, found by name: nothing is imported before a value needs it."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.values.materializer import Materializer
from airflow_mlpipe.values.names import type_names

GROUP = "airflow_mlpipe.materializers"
"""Entry points: the name is anything, the value is ``module:Class``."""

_OURS = "airflow_mlpipe.values.formats."
_HOMES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # module:class -> (names of types, formats); what the classes themselves say, known without importing them
    "arrays:Arrays": (("numpy.ndarray",), ("npy/1",)),
    "binary:Bytes": (("builtins.bytes", "builtins.bytearray"), ("bytes/1",)),
    "images:Figures": (("matplotlib.Figure",), ("figure/1",)),
    "images:Images": (("PIL.Image",), ("image/1",)),
    "lightgbm_:LightGBM": (("lightgbm.Booster",), ("lightgbm/1",)),
    "onnx_:Onnx": (("onnx.ModelProto",), ("onnx/1",)),
    "sklearn_:Estimators": (("sklearn.BaseEstimator",), ("skops/1",)),
    "tables:Tables": (
        (
            "pandas.DataFrame",
            "pandas.Series",
            "pandas.Index",
            "polars.DataFrame",
            "polars.LazyFrame",
            "polars.Series",
            "pyarrow.Table",
            "pyarrow.RecordBatch",
            "pyarrow.RecordBatchReader",
        ),
        ("arrow/1",),
    ),
    # No type: a dict is plain values, but for one that tensors.state_dict_names() knows.
    "tensors:StateDicts": ((), ("state_dict/1",)),
    "tensors:Tensors": (("torch.Tensor", "jaxlib.ArrayImpl", "jax.Array"), ("safetensors/1",)),
    "xgboost_:XGBoost": (("xgboost.Booster", "xgboost.XGBModel"), ("xgboost/1",)),
}


@lru_cache(maxsize=1)
def _installed() -> tuple[dict[str, str], dict[str, str]]:
    """Homes (``module:Class``) by type name and by format, those of other distributions over ours."""
    from importlib.metadata import entry_points

    types: dict[str, str] = {}
    formats: dict[str, str] = {}
    for home, (names, ids) in _HOMES.items():
        types |= dict.fromkeys(names, _OURS + home)
        formats |= dict.fromkeys(ids, _OURS + home)
    for point in entry_points(group=GROUP):
        # Their types are not known before they are imported; there are few, and a value of ours never comes here.
        one = make(point.value)
        types |= dict.fromkeys(one.types, point.value)
        formats[one.format] = point.value
    return types, formats


@lru_cache(maxsize=256)
def make(home: str) -> Materializer:
    """The one instance of a materializer.

    :param home: ``module:Class``.
    :raises ConfigurationError: when it cannot be imported, or lacks a member.
    """
    module, _, name = home.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigurationError(
            f"a materializer cannot be made ({error})",
            where=f"entry point group {GROUP}",
            given=home,
            fix="mend or uninstall the distribution that registers it",
        ) from error
    missing = [m for m in ("format", "suffix", "types", "forms", "save", "load", "preview") if not hasattr(found, m)]
    if missing:
        raise ConfigurationError("a materializer lacks members", where=f"entry point {home}", given=missing)
    return cast("Materializer", found)


def of_type(kind: type) -> Materializer | None:
    """The materializer that saves values of a type, by the nearest of its bases that one names; ``None`` without."""
    return of_names(type_names(kind))


@lru_cache(maxsize=1024)
def of_names(names: tuple[str, ...]) -> Materializer | None:
    """:func:`of_type`, by names of a type and its bases, nearest first."""
    types, _ = _installed()
    home = next((types[name] for name in names if name in types), None)
    return None if home is None else make(home)


def of_format(name: str) -> Materializer | None:
    """The materializer that reads a format; ``None`` when none is installed."""
    _, formats = _installed()
    return make(formats[name]) if name in formats else None


def known_types() -> Iterable[str]:
    """Names of all types that can be saved, for messages."""
    return sorted(_installed()[0])


def describe(value: Any) -> str:
    """``numpy.ndarray``: what a message calls a value."""
    return type_names(type(value))[0] if type(value) is not object else "object"
