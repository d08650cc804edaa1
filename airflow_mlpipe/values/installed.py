"""The materializers that other distributions of this Python bring along, by their entry points.

Guarantees that each is whole before it is used, and that an error names the distribution that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.values.materializer import Materializer

GROUP = "airflow_mlpipe.materializers"
"""Entry points: the name is anything, the value is ``module:Class``."""

_MEMBERS = ("format", "suffix", "types", "forms", "save", "load", "preview")
_MEND = "mend or uninstall that distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A materializer, and where it is from.

    :param home: ``module:Class``. :param owner: distribution and entry point, for people.
    """

    materializer: Materializer
    home: str
    owner: str


def installed() -> Iterator[Installed]:
    """All of them, in the order of their distributions' names.

    :raises ConfigurationError: for one that cannot be imported and made, or is no materializer.
    """
    for owner, point in sorted((_owner(point), point) for point in entry_points(group=GROUP)):
        yield Installed(materializer=_made(point, owner), home=point.value, owner=owner)


def _owner(point: EntryPoint) -> str:
    distribution = getattr(point, "dist", None)
    name = f"{distribution.name} {distribution.version}" if distribution is not None else "an unknown distribution"
    return f"{name} (entry point {point.name} = {point.value})"


def _made(point: EntryPoint, owner: str) -> Materializer:
    try:
        found = point.load()()
    except Exception as error:  # what a module raises when it is imported may be anything
        raise ConfigurationError(
            f"a materializer cannot be made ({type(error).__name__}: {error})", where=owner, fix=_MEND
        ) from error
    _check(found, owner)
    return cast("Materializer", found)


def _check(found: Any, owner: str) -> None:
    missing = [member for member in _MEMBERS if not hasattr(found, member)]
    if missing:
        raise ConfigurationError("a materializer lacks members", where=owner, given=missing, fix=_MEND)
    if not isinstance(found.format, str) or not re.fullmatch(r"[\w.-]+/\d+", found.format):
        _wrong("format", found.format, "a name and a version, 'recording/1'", owner)
    for member in ("types", "forms"):
        names = getattr(found, member)
        if not isinstance(names, (tuple, list)) or not names or not all(map(_is_name, names)):
            _wrong(member, names, "a tuple of names, ('package.Class',)", owner)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and re.fullmatch(r"\w+(\.\w+)+", name) is not None


def _wrong(member: str, given: object, valid: str, owner: str) -> None:
    raise ConfigurationError(f"{member} of a materializer", where=owner, given=given, valid=valid, fix=_MEND)
