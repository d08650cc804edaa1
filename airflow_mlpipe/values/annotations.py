"""What an annotation of a function asks for, read without failing on names that are not importable here."""

from __future__ import annotations

import collections.abc
import inspect
import os
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from airflow_mlpipe.values.names import type_names

_STREAMS = (collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator)
_BAD = (NameError, AttributeError, TypeError, SyntaxError, ImportError, LookupError, ValueError)
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an annotation accepts.

    :ivar names: of types (:func:`~airflow_mlpipe.values.names.type_names`), in order; empty for anything.
    :ivar stream: an iterator of batches; ``names`` are those of a batch.
    :ivar member: annotation of the members of a list, tuple, set or mapping, else ``Any``.
    :ivar path: the file itself is wanted, as a path.
    """

    names: tuple[str, ...] = ()
    stream: bool = False
    member: Any = Any
    path: bool = False


def wanted(annotation: Any) -> Wanted:
    """What an annotation asks for; one that is missing, ``Any`` or unresolved text asks for nothing."""
    found = [_of_one(arm) for arm in _arms(annotation)]
    if not found:
        return Wanted()
    anything = any(not one.names and not one.stream for one in found)
    return Wanted(
        names=() if anything else tuple(dict.fromkeys(name for one in found for name in one.names)),
        stream=any(one.stream for one in found),
        member=next((one.member for one in found if one.member is not Any), Any),
        path=any(one.path for one in found),
    )


def bare(annotation: Any) -> Any:
    """Without Annotated, Required, NewType and aliases."""
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or getattr(origin, "_name", None) in (
            "Required",
            "NotRequired",
            "ReadOnly",
            "Final",
        ):
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def _arms(annotation: Any) -> list[Any]:
    """The members of a union, those of unions in it as well, without None; the annotation itself when it is none."""
    annotation = bare(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [arm for member in typing.get_args(annotation) for arm in _arms(member)]
    return [] if annotation is None or annotation is type(None) else [annotation]


def _of_one(annotation: Any) -> Wanted:
    kind = typing.get_origin(annotation) or annotation
    if not isinstance(kind, type) or kind in (Any, object, inspect.Parameter.empty):
        return Wanted()
    args = typing.get_args(annotation)
    if kind in _STREAMS:
        return Wanted(names=wanted(args[0]).names if args else (), stream=True)
    path = issubclass(kind, PurePath) or kind is os.PathLike
    return Wanted(names=type_names(kind), member=_member(kind, args), path=path)


def _member(kind: type, args: tuple[Any, ...]) -> Any:
    if issubclass(kind, tuple):
        return args[0] if len(args) == 2 and args[1] is Ellipsis else Any
    if issubclass(kind, collections.abc.Mapping):
        return args[1] if len(args) == 2 else Any
    if issubclass(kind, collections.abc.Collection):
        return args[0] if len(args) == 1 else Any
    return Any


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a function, resolved one by one; those that name what is not importable are ``Any``.

    A ``return`` annotation that is no type (``Outputs(...)``, or the text of it) is left as the object that it is.
    """
    function = inspect.unwrap(function)
    scope = getattr(function, "__globals__", {})
    return {name: _resolved(name, given, scope) for name, given in _written(function).items()}


def unresolved(function: Callable[..., Any]) -> dict[str, str]:
    """The parameters whose annotation names what is not there - misspelt, or for type checkers only - and why."""
    function = inspect.unwrap(function)
    scope = getattr(function, "__globals__", {})
    found = {}
    for name, given in _written(function).items():
        try:
            _hint(name, given, scope)
        except _BAD as error:
            if name != "return":
                found[name] = f"{getattr(given, '__forward_arg__', given)} ({type(error).__name__}: {error})"
    return found


def _written(function: Any) -> dict[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return dict(annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF))
    return dict(getattr(function, "__annotations__", {}))


def _resolved(name: str, given: Any, scope: dict[str, Any]) -> Any:
    try:
        return _hint(name, given, scope)
    except _BAD:
        return given if name == "return" else Any


def _hint(name: str, given: Any, scope: dict[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={name: given})
    return typing.get_type_hints(holder, globalns=scope, localns=scope, include_extras=True)[name]


def coerce(value: Any, annotation: Any, *, name: str) -> Any:
    """Text, as a template gives it, as the int, float or bool of the annotation; every other value as it is.

    :param name: of the parameter, for the error.
    :raises ValueError: for text that is none; it names the parameter, the text and the annotation.
    """
    arms = _arms(annotation)
    if not isinstance(value, str) or not arms or not all(arm in (int, float, bool) for arm in arms):
        return value
    text = value.strip()
    if text == "None" and type(None) in typing.get_args(bare(annotation)):
        return None
    for arm in arms:
        try:
            return _WORDS[text.lower()] if arm is bool else arm(text)
        except (KeyError, ValueError):
            continue
    shown = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    raise ValueError(f"{name} got the text {value!r}, which is no {shown}")
