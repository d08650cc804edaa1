"""The syntax of names, labels and annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubernetes_double.api.status import Cause
from kubernetes_double.objects.resources import Object, Resource

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_PART = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_ANNOTATIONS = 256 * 1024

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_NAME_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def required(field: str, message: str = "") -> Cause:
    """A field that must be there."""
    return Cause(field, "FieldValueRequired", "Required value" + (f": {message}" if message else ""))


def wrong(field: str, value: Any, message: str) -> Cause:
    """A value that is none of the possible ones."""
    told = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return Cause(field, "FieldValueInvalid", f"Invalid value: {told}: {message}")


def not_supported(field: str, value: str, values: tuple[str, ...]) -> Cause:
    """A word that is not in the list."""
    known = ", ".join(f'"{word}"' for word in values)
    return Cause(field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {known}')


def duplicate(field: str, value: str) -> Cause:
    """What may be there once."""
    return Cause(field, "FieldValueDuplicate", f'Duplicate value: "{value}"')


def not_allowed(field: str, message: str) -> Cause:
    """What may not be there."""
    return Cause(field, "FieldValueForbidden", f"Forbidden: {message}")


def label_name(field: str, value: str) -> Iterator[Cause]:
    """A DNS-1123 label: containers, volumes, namespaces."""
    if not value:
        yield required(field)
    elif not _LABEL.fullmatch(value):
        yield wrong(field, value, _LABEL_RULE)
    elif len(value) > 63:
        yield wrong(field, value, "must be no more than 63 bytes")


def subdomain_name(field: str, value: str) -> Iterator[Cause]:
    """A DNS-1123 subdomain: pods, secrets."""
    if not _SUBDOMAIN.fullmatch(value):
        yield wrong(field, value, _SUBDOMAIN_RULE)
    elif len(value) > 253:
        yield wrong(field, value, "must be no more than 253 bytes")


def label_key(field: str, key: str) -> Iterator[Cause]:
    """``prefix/name`` of a label, an annotation or a taint."""
    prefix, slash, name = key.rpartition("/")
    if slash:
        yield from (wrong(field, key, f"prefix part {cause.message}") for cause in subdomain_name(field, prefix))
    if not _PART.fullmatch(name):
        yield wrong(field, key, _NAME_RULE if name else "name part must be non-empty")
    elif len(name) > 63:
        yield wrong(field, key, "name part must be no more than 63 bytes")


def labels(field: str, given: dict[str, str]) -> Iterator[Cause]:
    """Keys and values of labels."""
    for key, value in given.items():
        yield from label_key(field, key)
        if value and not _PART.fullmatch(value):
            yield wrong(field, value, _VALUE_RULE)
        elif len(value) > 63:
            yield wrong(field, value, "must be no more than 63 bytes")


def config_keys(field: str, given: dict[str, str]) -> Iterator[Cause]:
    """Keys of secrets and config maps, which become names of files."""
    for key in given:
        if not _KEY.fullmatch(key) or key in (".", "..") or key.startswith("..") or len(key) > 253:
            yield wrong(f"{field}[{key}]", key, _KEY_RULE)


def metadata(resource: Resource, obj: Object) -> Iterator[Cause]:
    """What every object must have."""
    given = obj.get("metadata", {})
    name = given.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    elif resource.kind == "Namespace":
        yield from label_name("metadata.name", name)
    else:
        yield from subdomain_name("metadata.name", name)
    yield from labels("metadata.labels", given.get("labels") or {})
    annotations = given.get("annotations") or {}
    for key in annotations:
        yield from label_key("metadata.annotations", key.lower())
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS:
        yield Cause("metadata.annotations", "FieldValueTooLong", f"Too long: may not be more than {_ANNOTATIONS} bytes")
    for number, owner in enumerate(given.get("ownerReferences") or []):
        for part in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(part):
                yield wrong(f"metadata.ownerReferences[{number}].{part}", "", f"{part} must not be empty")
