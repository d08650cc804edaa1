"""Which materializer a type or a format has, found by name: no library is imported before a value needs it.

Those of other distributions come before ours, so that a type of ours can be saved another way; a format is read by the
one materializer that declares it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.values.installed import GROUP, Installed, installed
from airflow_mlpipe.values.materializer import JSON, PATH, STRUCTURE, Materializer
from airflow_mlpipe.values.names import type_names

OURS = tuple(
    f"airflow_mlpipe.values.formats.{home}"
    for home in (
        "arrays:Arrays",
        "binary:Bytes",
        "images:Figures",
        "images:Images",
        "lightgbm_:LightGBM",
        "onnx_:Onnx",
        "pickles:Pickles",
        "sklearn_:Estimators",
        "tables:Tables",
        "tensors:StateDicts",
        "tensors:Tensors",
        "xgboost_:XGBoost",
    )
)
"""``module:Class`` of those that come with the package."""

_BY_FORMAT = "state_dict/1"
"""Has no type of its own: a dict is plain values, but for one that ``tensors.state_dict_names()`` knows."""


@dataclass(slots=True)
class _Catalog:
    """Materializers by name of a type and by format, and who of the other distributions claims them."""

    types: dict[str, Materializer] = field(default_factory=dict)
    formats: dict[str, Materializer] = field(default_factory=dict)
    claims: dict[tuple[str, str], Installed] = field(default_factory=dict)

    def add(self, one: Installed) -> None:
        """Enter another distribution's.  :raises ConfigurationError: when it claims what another one does."""
        found = one.materializer
        if found.format in self.formats or found.format in (PATH, JSON, STRUCTURE):
            self._claim("format", found.format, one, ours=("format", found.format) not in self.claims)
        self.formats[found.format] = found
        self.claims["format", found.format] = one
        for name in found.types:
            self._claim("type", name, one, ours=False)
            self.types[name] = found
            self.claims["type", name] = one

    def _claim(self, what: str, name: str, one: Installed, *, ours: bool) -> None:
        other = self.claims.get((what, name))
        if ours or (other is not None and other.home != one.home):
            raise ConfigurationError(
                f"two distributions claim the {what} {name!r}",
                where=f"entry point group {GROUP}",
                given=(other.owner if other else "airflow-provider-mlpipe", one.owner),
                fix="uninstall one of them" if other else "give the format a name of its own",
            )


@lru_cache(maxsize=1)
def _catalog() -> _Catalog:
    catalog = _Catalog()
    for home in OURS:
        module, _, name = home.partition(":")
        one: Materializer = getattr(importlib.import_module(module), name)()
        catalog.formats[one.format] = one
        if one.format != _BY_FORMAT:
            catalog.types |= dict.fromkeys(one.types, one)
    for other in installed():
        catalog.add(other)
    return catalog


def of_type(kind: type) -> Materializer | None:
    """The materializer that saves values of a type, by the nearest of its bases that one names; ``None`` without.

    :raises ConfigurationError: when a materializer of another distribution cannot be used, naming the distribution.
    """
    types = _catalog().types
    return next((types[name] for name in type_names(kind) if name in types), None)


def of_format(name: str) -> Materializer | None:
    """The materializer that reads a format; ``None`` when none is installed.

    :raises ConfigurationError: as :func:`of_type`.
    """
    return _catalog().formats.get(name)


def known_formats() -> tuple[str, ...]:
    """The formats that this Python reads, for messages."""
    return tuple(sorted(_catalog().formats))


def describe(value: Any) -> str:
    """``numpy.ndarray``: what a message calls a value."""
    return type_names(type(value))[0] if type(value) is not object else "object"
