"""Names of types, by which a materializer is found without importing the library that the type is from."""

from __future__ import annotations

from functools import lru_cache


def type_name(kind: type) -> str:
    """``pandas.DataFrame``: the top-level package and the qualified name.

    Libraries move classes between private modules from one release to the next; what authors write stays.
    """
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def type_names(kind: type) -> tuple[str, ...]:
    """:func:`type_name` of a type and of its bases, nearest first, without ``object``."""
    return _names(kind)


@lru_cache(maxsize=1024)
def _names(kind: type) -> tuple[str, ...]:
    return tuple(type_name(base) for base in kind.__mro__ if base is not object)
