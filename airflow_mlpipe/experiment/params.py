"""From ``--param lr=0.3`` and ``--refresh train+`` to the conf of a DAG run, checked against what the DAG declares."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.experiment.errors import UsageError
from airflow_mlpipe.operators.force import forced_by  # a leaf: it imports no Airflow, and neither does this package

CONF = "mlpipe"
"""The member of a run's conf that is ours; every other member is a parameter's value."""

_JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
    "string": (str,),
}


def split_assignments(texts: Iterable[str]) -> dict[str, str]:
    """``["lr=0.3"]`` as ``{"lr": "0.3"}``.  :raises UsageError: without ``=``, or for a name given twice."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError("not a parameter", where="--param", given=text, valid="NAME=VALUE")
        if name in values:
            raise UsageError(f"parameter {name!r} is given twice", where="--param", given=text)
        values[name] = value
    return values


def parse_value(name: str, text: str, declared: Mapping[str, Any]) -> Any:
    """A parameter's value from the command line.

    It is JSON where the parameter's JSON schema (or, without a type, its default) is not text and the text is JSON of
    one of those types; else it stays text.

    :param declared: the parameter as the REST API describes it: ``value`` (the default) and ``schema``.
    :raises UsageError: when it is none of the declared types.
    """
    types = _types(declared)
    if types == ("string",):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if not types or _is_one_of(value, types):
        return value
    if "string" in types:
        return text
    raise UsageError(f"not a value for parameter {name!r}", where="--param", given=text, valid=types)


def _types(declared: Mapping[str, Any]) -> tuple[str, ...]:
    schema = declared.get("schema") or {}
    if (given := schema.get("type")) is not None:
        return (given,) if isinstance(given, str) else tuple(given)
    # A parameter without a type: text unless its default says otherwise.
    return ("string",) if isinstance(declared.get("value"), (str, type(None))) and "enum" not in schema else ()


def _is_one_of(value: object, types: tuple[str, ...]) -> bool:
    if isinstance(value, bool):  # a bool is an int in Python and is not in JSON
        return "boolean" in types
    if isinstance(value, float) and value.is_integer() and "integer" in types:
        return True  # 3.0 is an integer in JSON schema
    return any(isinstance(value, _JSON_TYPES.get(t, ())) for t in types)


def check_names(given: Iterable[str], valid: Iterable[str], *, what: str, where: str) -> None:
    """Check that every given name is a valid one.  :raises UsageError: naming the nearest and all valid names."""
    names = sorted(valid)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            raise UsageError(
                f"unknown {what}",
                where=where,
                given=name,
                valid=names or f"the DAG has no {what}",
                fix=f"did you mean {near[0]!r}?" if near else None,
            )


def refresh_conf(refresh: str | Iterable[str] | None, steps: Iterable[str], *, where: str) -> dict[str, Any]:
    """The conf that forces steps: ``all``, or names or patterns, with a final ``+`` for "and what follows it".

    :raises UsageError: for a name or pattern that is of no task of the DAG.
    """
    steps = list(steps)
    names = [refresh] if isinstance(refresh, str) else list(refresh or ())
    if not names:
        return {}
    if "all" in names:
        return {CONF: {"refresh": "all"}}
    wanted = [n.removesuffix("+") for n in names]
    check_names([n for n in wanted if not any(fnmatchcase(s, n) for s in steps)], steps, what="step", where=where)
    return {CONF: {"refresh": names}}


def check_forced(conf: Mapping[str, Any], steps: Iterable[str], *, where: str) -> None:
    """Check the member ``mlpipe`` of a conf as each step will, before a run is started with it.

    :raises UsageError: for a member of the wrong form, and for a name that is of no task.
    """
    try:
        forced_by(conf, "", upstream=(), all_tasks=tuple(steps))
    except ConfigurationError as error:
        raise UsageError(error.what, where=f"the conf of {where}", given=error.given, valid=error.valid) from error


def merge_conf(conf: Mapping[str, Any], params: Mapping[str, Any], refresh: Mapping[str, Any]) -> dict[str, Any]:
    """One conf of the three.  :raises UsageError: when two of them say the same thing."""
    twice = (set(conf) & set(params)) | (set(conf) & set(refresh))
    if twice:
        raise UsageError("given twice, in the conf and by an option of its own", where="conf", given=sorted(twice))
    return {**conf, **params, **refresh}
