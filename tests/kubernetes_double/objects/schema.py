"""The published types: unknown fields and wrong types are refused, as by an apiserver that validates strictly.

The models of the ``kubernetes`` package are made from the OpenAPI document of the API; their tables of fields are read
here, and nothing else of them.
"""

from __future__ import annotations

import base64
import binascii
import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from kubernetes_double.api.status import ApiError, Cause, bad_request
from kubernetes_double.objects.resources import Object, Resource

_GENERIC = re.compile(r"^(list|dict)[\[(](?:str, )?(.*)[\])]$")
_GO = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_SCALARS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "datetime": (str,),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}
# Amounts may be written as numbers, which the published type does not say.
_AMOUNTS = ("limits", "requests", "capacity", "allocatable")
_TEXT_OR_NUMBER = ("port", "targetPort", "maxUnavailable")
_BYTES = re.compile(r"^data\.[^.]+$")


def check_types(resource: Resource, document: Any) -> Object:
    """The document without its nulls, if its fields and their types are those of the kind.

    :raises ApiError: 400, as for a strict decoding error.
    """
    if not isinstance(document, dict):
        raise bad_request(f"the object provided is unrecognized: expected a {resource.kind}")
    told = (document.get("apiVersion", resource.api_version), document.get("kind", resource.kind))
    if told != (resource.api_version, resource.kind):
        raise bad_request(
            f"the API version in the data ({told[0]}, {told[1]}) does not match the expected API version "
            f"({resource.api_version}, {resource.kind})"
        )
    found: Object = _without_nulls(document)
    faults = list(_faults(found, resource.model, ""))
    if resource.kind == "Secret":
        faults += _not_base64(found)
    if faults:
        raise _decoding_error(resource, faults)
    return found


def missing(document: Object, model: str, path: str = "") -> Iterator[Cause]:
    """The fields that the published type requires and the document has not."""
    for name, field in _required(model):
        if field not in document and not (name == "containers" or field in ("metadata",)):
            yield Cause(_join(path, field), "FieldValueRequired", "Required value")
    for field, declared in _fields(model).items():
        if field in document and field != "status":
            yield from _missing_in(document[field], declared, _join(path, field))


def _missing_in(value: Any, declared: str, path: str) -> Iterator[Cause]:
    if found := _GENERIC.match(declared):
        items = enumerate(value) if isinstance(value, list) else value.items()
        for key, item in items:
            yield from _missing_in(item, found[2], f"{path}[{key}]")
    elif declared.startswith("V") and isinstance(value, dict):
        yield from missing(value, declared, path)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _faults(document: Any, model: str, path: str) -> Iterator[str]:
    if not isinstance(document, dict):
        yield _wrong(path, document, model)
        return
    fields = _fields(model)
    for key, value in document.items():
        here = _join(path, key)
        if key not in fields:
            yield f'strict decoding error: unknown field "{here}"'
        else:
            yield from _value_faults(value, fields[key], here)


def _value_faults(value: Any, declared: str, path: str) -> Iterator[str]:
    if found := _GENERIC.match(declared):
        expected = list if found[1] == "list" else dict
        if not isinstance(value, expected):
            yield _wrong(path, value, declared)
            return
        items = enumerate(value) if isinstance(value, list) else value.items()
        for key, item in items:
            last = path.rpartition(".")[2]
            if last in _AMOUNTS and type(item) in (int, float):
                continue
            yield from _value_faults(item, found[2], f"{path}[{key}]" if expected is list else f"{path}.{key}")
    elif declared in _SCALARS:
        if not isinstance(value, _SCALARS[declared]) or (isinstance(value, bool) and declared != "bool"):
            yield _wrong(path, value, declared)
    elif declared != "object":
        yield from _faults(value, declared, path)


def _wrong(path: str, value: Any, declared: str) -> str:
    return f"json: cannot unmarshal {_GO.get(type(value), 'value')} into Go struct field {path} of type {declared}"


def _not_base64(document: Object) -> list[str]:
    faults = []
    for key, value in (document.get("data") or {}).items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError):
            faults.append(f"illegal base64 data at input byte 0 (data.{key})")
    return faults


def _decoding_error(resource: Resource, faults: list[str]) -> ApiError:
    unknown = [fault.removeprefix("strict decoding error: ") for fault in faults if fault.startswith("strict")]
    if len(unknown) == len(faults):
        faults = ["strict decoding error: " + ", ".join(unknown)]
    kind, version = resource.kind, resource.api_version.rpartition("/")[2]
    return bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {"; ".join(faults)}')


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


@cache
def _fields(model: str) -> dict[str, str]:
    """Types by the names in JSON."""
    import kubernetes.client as client

    found = getattr(client, model)
    return {found.attribute_map[name]: declared for name, declared in found.openapi_types.items()}


@cache
def _required(model: str) -> tuple[tuple[str, str], ...]:
    """The fields whose setters refuse ``None``, by their names in Python and in JSON."""
    import kubernetes.client as client

    found = getattr(client, model)

    def refuses(name: str) -> bool:
        return "must not be `None`" in inspect.getsource(getattr(found, name).fset)

    return tuple((name, found.attribute_map[name]) for name in found.openapi_types if refuses(name))
