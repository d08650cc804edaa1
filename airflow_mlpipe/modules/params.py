"""Parameters of a module: checked against their JSON Schema, completed by its defaults, in one spelling of each value.

A value that is a template is checked when it is rendered; then a text that spells a number, a bool, a list or an object
counts as one where the schema says so.  A ``number`` is a float (1 is 1.0) and an ``integer`` an int, so that two teams
that write the same value differently share a result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from airflow_mlpipe.errors import DefinitionError

Deferred = Callable[[Any], bool]
"""Tells a value that is known in a run only."""


def complete_params(
    schemas: Mapping[str, Any], given: Mapping[str, Any], *, where: str, deferred: Deferred = lambda _: False
) -> dict[str, Any]:
    """The parameters of a step, sorted by name.

    :param given: by the author; what is missing gets its default. :param deferred: values that are not looked at.
    :raises DefinitionError: for a name that the module does not have, one that is missing, and a value that its schema
        refuses.
    """
    if unknown := sorted(set(given) - set(schemas)):
        raise DefinitionError(
            "the module has no such parameter",
            where=where,
            given=unknown[0] if len(unknown) == 1 else unknown,
            valid=sorted(schemas) or "it has no parameters",
        )
    found: dict[str, Any] = {}
    for name, schema in sorted(schemas.items()):
        if name in given:
            value = given[name]
            found[name] = value if deferred(value) else check_param(name, schema, value, where=where)
        elif "default" in schema:
            found[name] = canonical(schema, schema["default"])
        else:
            raise DefinitionError(
                f"the parameter {name!r} is required", where=where, fix=f"add params={{{name!r}: ...}}"
            )
    return found


def check_param(name: str, schema: Mapping[str, Any], value: Any, *, where: str) -> Any:
    """A value in its one spelling.  :raises DefinitionError: when its schema refuses it, in the schema's words."""
    found = problem(schema, value)
    if found is not None:
        shown = {key: part for key, part in schema.items() if key not in ("default", "description", "title")}
        raise DefinitionError(
            f"the module refuses this value: {found}",
            where=f"{where}: parameter {name!r}",
            given=value,
            valid=json.dumps(shown, ensure_ascii=False),
        )
    return canonical(schema, value)


def problem(schema: Mapping[str, Any], value: Any) -> str | None:
    """What a schema has against a value; ``None`` if nothing."""
    if not schema.keys() - {"default", "description", "title"}:
        return None
    validator = _validator(json.dumps(dict(schema), sort_keys=True))
    error = next(iter(sorted(validator.iter_errors(_plain(value)), key=lambda one: list(map(str, one.path)))), None)
    return None if error is None else str(error.message)


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Why something is no JSON Schema; ``None`` if it is one."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return str(error.message)
    return None


@lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    # Imported here and not above: most DAG files have no modules.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema), format_checker=Draft202012Validator.FORMAT_CHECKER)


def _plain(value: Any) -> Any:
    """Tuples as the lists that JSON has."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return {name: _plain(one) for name, one in value.items()} if isinstance(value, Mapping) else value


def rendered(schema: Mapping[str, Any], value: Any) -> Any:
    """What a template rendered to, read as what the schema wants."""
    if not isinstance(value, str):
        return value
    wanted = _types(schema)
    if not wanted or "string" in wanted:
        return value
    try:
        read = json.loads(value)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(value, value)
    return read if problem({"type": sorted(wanted)}, read) is None else value


def canonical(schema: Mapping[str, Any], value: Any) -> Any:
    """The one spelling of a number; all else as it is, tuples as lists."""
    wanted = _types(schema)
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and "number" in wanted and "integer" not in wanted:
        return float(value)
    if isinstance(value, float) and value.is_integer() and "integer" in wanted and "number" not in wanted:
        return int(value)
    return _plain(value)


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    said = schema.get("type", ())
    return frozenset([said] if isinstance(said, str) else said)
