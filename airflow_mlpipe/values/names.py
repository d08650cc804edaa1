"""Names of types, by which a materializer is found without importing the library that the type is from."""

from __future__ import annotations

import sys
from functools import lru_cache


def type_name(kind: type) -> str:
    """``pandas.DataFrame``: the top-level package and the qualified name.

    Libraries move classes between private modules from one release to the next; what authors write stays.
    """
    outer, _, last = kind.__qualname__.rpartition(".")
    # The qualified name of a class of an extension may have its module in it, as that of jax.Array has.
    name = last if outer in sys.modules else kind.__qualname__
    return f"{kind.__module__.partition('.')[0]}.{name}"


def type_names(kind: type) -> tuple[str, ...]:
    """:func:`type_name` of a type and of its bases, nearest first, without ``object``."""
    return _names(kind)


@lru_cache(maxsize=1024)
def _names(kind: type) -> tuple[str, ...]:
    return tuple(type_name(base) for base in kind.__mro__ if base is not object)


def check_type(value: object, types: tuple[str, ...]) -> None:
    """Let only values of some types pass, and of those that derive from them.

    :raises ValueError: for a value of another type, naming it.
    """
    if not set(type_names(type(value))) & set(types):
        raise ValueError(f"a value of type {type_name(type(value))} is none of {', '.join(types)}")


def check_form(form: str, forms: tuple[str, ...]) -> None:
    """Let only some forms pass.  :raises ValueError: for another one, naming it."""
    if form not in forms:
        raise ValueError(f"the value cannot be read as {form}; it can be read as {', '.join(forms)}")
