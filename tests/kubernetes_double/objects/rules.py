"""The rules of each kind."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

from kubernetes_double.api.status import Cause
from kubernetes_double.objects import names, pod_rules, schema
from kubernetes_double.objects.quantities import quantity
from kubernetes_double.objects.resources import Object, Resource

_MIB = 1024 * 1024
_MODES = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")


def check(resource: Resource, obj: Object) -> list[Cause]:
    """Everything wrong with a new object that already has its defaults."""
    rules = _RULES.get(resource.kind, _none)
    found = [*names.metadata(resource, obj), *rules(obj)]
    known = {cause.field for cause in found}
    # The published types require some fields more; what the rules say of them is more exact.
    return found + [cause for cause in schema.missing(obj, resource.model) if cause.field not in known]


def _none(obj: Object) -> Iterator[Cause]:
    yield from ()


def _pod(obj: Object) -> Iterator[Cause]:
    yield from pod_rules.check(obj.get("spec") or {})


def _secret(obj: Object) -> Iterator[Cause]:
    data = obj.get("data") or {}
    yield from names.config_keys("data", data)
    if sum(len(base64.b64decode(value)) for value in data.values()) > _MIB:
        yield Cause("data", "FieldValueTooLong", f"Too long: may not be more than {_MIB} bytes")


def _config_map(obj: Object) -> Iterator[Cause]:
    both = {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}
    yield from names.config_keys("data", both)
    if sum(len(value) for value in both.values()) > _MIB:
        yield Cause("", "FieldValueTooLong", f"Too long: may not be more than {_MIB} bytes")


def _claim(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    if not spec.get("accessModes"):
        yield names.required("spec.accessModes", "at least 1 access mode is required")
    for mode in spec.get("accessModes") or []:
        if mode not in _MODES:
            yield names.not_supported("spec.accessModes", mode, _MODES)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        yield names.required("spec.resources[storage]")
        return
    try:
        if quantity(storage) <= 0:
            yield names.wrong("spec.resources[storage]", storage, "must be greater than zero")
    except ValueError as error:
        yield names.wrong("spec.resources[storage]", storage, str(error))


def _job(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    template = spec.get("template") or {}
    inner = template.get("spec") or {}
    if inner.get("restartPolicy") == "Always":
        yield names.not_supported("spec.template.spec.restartPolicy", "Always", ("OnFailure", "Never"))
    for member in ("backoffLimit", "parallelism", "completions"):
        if spec.get(member, 0) < 0:
            yield names.wrong(f"spec.{member}", spec[member], "must be greater than or equal to 0")
    yield from names.labels("spec.template.labels", (template.get("metadata") or {}).get("labels") or {})
    yield from pod_rules.check(inner, "spec.template.spec")


_RULES: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "Pod": _pod,
    "Secret": _secret,
    "ConfigMap": _config_map,
    "PersistentVolumeClaim": _claim,
    "Job": _job,
}
