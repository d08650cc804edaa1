"""Label selectors and field selectors, as lists and watches take them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from kubernetes_double.api.status import bad_request
from kubernetes_double.objects.resources import Object, Resource

Matches = Callable[[Object], bool]
_PART = re.compile(r",(?![^(]*\))")
_SET = re.compile(r"^(\S+)\s+(in|notin)\s*\(([^)]*)\)$")
_EQUALS = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$")
_KEY = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")
# The fields that an apiserver knows for each kind; others are refused.
_FIELDS = {
    "Pod": {
        "metadata.name",
        "metadata.namespace",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
    },
    "Event": {
        "metadata.name",
        "metadata.namespace",
        "involvedObject.apiVersion",
        "involvedObject.fieldPath",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.resourceVersion",
        "involvedObject.uid",
        "reason",
        "reportingComponent",
        "source",
        "type",
    },
    "Secret": {"metadata.name", "metadata.namespace", "type"},
    "Job": {"metadata.name", "metadata.namespace", "status.successful"},
    "Node": {"metadata.name", "spec.unschedulable"},
}
_COMMON = {"metadata.name", "metadata.namespace"}


def by_labels(text: str) -> Matches:
    """``a=b,c!=d,e in (f,g),h notin (i),j,!k``."""
    tests = [_requirement(part.strip()) for part in _PART.split(text) if part.strip()]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _requirement(part: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(part):
        key, operator, given = found.groups()
        values = {value.strip() for value in given.split(",")}
        if operator == "in":
            return lambda labels: labels.get(_label(key)) in values
        return lambda labels: labels.get(_label(key)) not in values
    if found := _EQUALS.match(part):
        key, operator, value = found.groups()
        _label(key)
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    key = part.lstrip("! ")
    _label(key)
    return lambda labels: (key in labels) is not part.startswith("!")


def _label(key: str) -> str:
    if not _KEY.match(key):
        raise bad_request(
            f"unable to parse requirement: found '{key}', expected: identifier, or one of '!', 'in', 'notin', '='"
        )
    return key


def by_selector(selector: Mapping[str, Any] | None) -> Callable[[Mapping[str, str]], bool]:
    """A selector as objects write it: ``matchLabels`` and ``matchExpressions``."""
    selector = selector or {}
    equal = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []

    def matches(labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in equal.items()) and all(
            expression(labels, item) for item in expressions
        )

    return matches


def expression(labels: Mapping[str, str], item: Mapping[str, Any]) -> bool:
    """One of ``matchExpressions``, of labels of a pod or of a node."""
    key, values = item["key"], item.get("values") or []
    there = labels.get(key)
    match item["operator"]:
        case "In":
            return there in values
        case "NotIn":
            return there not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt" | "Lt" as operator:
            if there is None or not re.fullmatch(r"-?\d+", there):
                return False
            return int(there) > int(values[0]) if operator == "Gt" else int(there) < int(values[0])
    return False


def by_fields(text: str, resource: Resource) -> Matches:
    """``metadata.name=a,status.phase!=Running``."""
    tests = [_field(part.strip(), resource) for part in text.split(",") if part.strip()]
    return lambda obj: all(test(obj) for test in tests)


def _field(part: str, resource: Resource) -> Matches:
    found = _EQUALS.match(part)
    if found is None:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = found.groups()
    if path not in _FIELDS.get(resource.kind, _COMMON):
        raise bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
    wanted = operator != "!="
    return lambda obj: (_at(obj, path) == value) is wanted


def _at(obj: Object, path: str) -> str:
    if path == "source":
        return str((obj.get("source") or {}).get("component", ""))
    value: Any = obj
    for part in path.split("."):
        value = value.get(part, "") if isinstance(value, dict) else ""
    return str(value)
