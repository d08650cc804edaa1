"""The rules of a pod's specification, as far as a client that runs pods can break them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kubernetes_double.api.status import Cause
from kubernetes_double.objects import container_rules
from kubernetes_double.objects.names import (
    duplicate,
    label_key,
    label_name,
    labels,
    not_allowed,
    not_supported,
    required,
    wrong,
)

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_INVALID_SUBPATH = re.compile(r"(^|/)\.\.(/|$)")


def check(spec: dict[str, Any], path: str = "spec") -> Iterator[Cause]:
    """Everything wrong with a specification.  :param path: where it stands: a job has it in a template."""
    yield from _policies(spec, path)
    yield from _volumes(spec.get("volumes") or [], f"{path}.volumes")
    yield from _all_containers(spec, path)
    yield from _placement(spec, path)
    yield from _security(spec.get("securityContext") or {}, f"{path}.securityContext")


def _policies(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    if spec.get("restartPolicy") not in ("Always", "OnFailure", "Never"):
        yield not_supported(f"{path}.restartPolicy", spec["restartPolicy"], ("Always", "OnFailure", "Never"))
    if spec.get("dnsPolicy") not in _DNS:
        yield not_supported(f"{path}.dnsPolicy", spec["dnsPolicy"], _DNS)
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        yield wrong(
            f"{path}.terminationGracePeriodSeconds",
            spec["terminationGracePeriodSeconds"],
            "must be greater than or equal to 0",
        )
    if spec.get("activeDeadlineSeconds", 1) < 1:
        yield wrong(
            f"{path}.activeDeadlineSeconds",
            spec["activeDeadlineSeconds"],
            "must be between 1 and 2147483647, inclusive",
        )
    if "hostname" in spec:
        yield from label_name(f"{path}.hostname", spec["hostname"])


def _all_containers(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    names: set[str] = set()
    volumes = {volume.get("name", "") for volume in spec.get("volumes") or []}
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(kind) or []):
            here = f"{path}.{kind}[{number}]"
            name = container.get("name", "")
            yield from label_name(f"{here}.name", name)
            if name in names:
                yield duplicate(f"{here}.name", name)
            names.add(name)
            yield from container_rules.check(container, volumes, here, init=kind == "initContainers")


def _volumes(volumes: list[dict[str, Any]], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for number, volume in enumerate(volumes):
        here, name = f"{path}[{number}]", volume.get("name", "")
        yield from label_name(f"{here}.name", name)
        if name in seen:
            yield duplicate(f"{here}.name", name)
        sources = [key for key in volume if key != "name"]
        if not sources:
            yield required(here, "must specify a volume type")
        if len(sources) > 1:
            yield not_allowed(f"{here}.{sources[1]}", "may not specify more than 1 volume type")
        seen.add(name)
        yield from _source(volume, here)


def _source(volume: dict[str, Any], path: str) -> Iterator[Cause]:
    for kind, member in (("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")):
        if kind in volume and not volume[kind].get(member):
            yield required(f"{path}.{kind}.{member}")
    for kind in ("secret", "configMap"):
        for number, item in enumerate(volume.get(kind, {}).get("items") or []):
            yield from _relative(f"{path}.{kind}.items[{number}].path", item.get("path", ""))
    medium = volume.get("emptyDir", {}).get("medium", "")
    if medium not in ("", "Memory") and not medium.startswith("HugePages"):
        yield not_supported(f"{path}.emptyDir.medium", medium, ("", "Memory", "HugePages"))


def _relative(field: str, value: str) -> Iterator[Cause]:
    if not value:
        yield required(field)
    elif value.startswith("/"):
        yield wrong(field, value, "must be a relative path")
    elif _INVALID_SUBPATH.search(value):
        yield wrong(field, value, "must not contain '..'")


def _placement(spec: dict[str, Any], path: str) -> Iterator[Cause]:
    yield from labels(f"{path}.nodeSelector", spec.get("nodeSelector") or {})
    for number, toleration in enumerate(spec.get("tolerations") or []):
        yield from _toleration(toleration, f"{path}.tolerations[{number}]")
    required_terms = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    here = f"{path}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
    if required_terms is not None and not required_terms.get("nodeSelectorTerms"):
        yield required(here, "must have at least one node selector term")
    for number, term in enumerate((required_terms or {}).get("nodeSelectorTerms") or []):
        for index, item in enumerate(term.get("matchExpressions") or []):
            yield from _expression(item, f"{here}[{number}].matchExpressions[{index}]")


def _toleration(toleration: dict[str, Any], path: str) -> Iterator[Cause]:
    operator, effect = toleration.get("operator", "Equal"), toleration.get("effect", "")
    if toleration.get("key"):
        yield from label_key(f"{path}.key", toleration["key"])
    elif operator != "Exists":
        yield wrong(f"{path}.operator", operator, "operator must be Exists when `key` is empty, which means match all")
    if operator not in ("Equal", "Exists"):
        yield not_supported(f"{path}.operator", operator, ("Equal", "Exists"))
    if operator == "Exists" and toleration.get("value"):
        yield wrong(f"{path}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'")
    if effect and effect not in _EFFECTS:
        yield not_supported(f"{path}.effect", effect, _EFFECTS)
    if "tolerationSeconds" in toleration and effect != "NoExecute":
        yield wrong(f"{path}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set")


def _expression(item: dict[str, Any], path: str) -> Iterator[Cause]:
    operator, values = item.get("operator", ""), item.get("values") or []
    yield from label_key(f"{path}.key", item.get("key", ""))
    if operator not in _OPERATORS:
        yield not_supported(f"{path}.operator", operator, _OPERATORS)
    elif operator in ("In", "NotIn") and not values:
        yield required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in ("Exists", "DoesNotExist") and values:
        yield not_allowed(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
    elif operator in ("Gt", "Lt") and len(values) != 1:
        yield required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'")


def _security(context: dict[str, Any], path: str) -> Iterator[Cause]:
    for member in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(member, 0) < 0:
            yield wrong(f"{path}.{member}", context[member], "must be between 0 and 2147483647, inclusive")
