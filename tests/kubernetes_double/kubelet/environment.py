"""The environment variables of a container, its command and its arguments."""

from __future__ import annotations

import base64
import re
from typing import Any

from kubernetes_double.kubelet import fields
from kubernetes_double.kubelet.trouble import Trouble
from kubernetes_double.objects.resources import CONFIG_MAPS, SECRETS, Object, Resource
from kubernetes_double.objects.store import Key, Store

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_KINDS = {"secretKeyRef": SECRETS, "configMapKeyRef": CONFIG_MAPS, "secretRef": SECRETS, "configMapRef": CONFIG_MAPS}


def variables(store: Store, pod: Object, container: dict[str, Any], address: str) -> dict[str, str]:
    """By name.

    :raises Trouble: ``CreateContainerConfigError`` for a secret, a config map or a key that is not there.
    """
    found: dict[str, str] = {"HOSTNAME": hostname(pod)}
    for source in container.get("envFrom") or []:
        for kind in ("secretRef", "configMapRef"):
            if kind in source:
                data = _data(store, pod, _KINDS[kind], source[kind])
                found |= {source.get("prefix", "") + key: value for key, value in (data or {}).items()}
    for variable in container.get("env") or []:
        source = variable.get("valueFrom")
        if source is None:
            found[variable["name"]] = expand(variable.get("value", ""), found)
        elif (value := _from(store, pod, container, source, address)) is not None:
            found[variable["name"]] = value
    return found


def expand(text: str, known: dict[str, str]) -> str:
    """``$(NAME)`` becomes the variable's value, ``$$`` a dollar; unknown names stay as they are."""

    def replaced(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$"
        return known.get(found[1], found[0])

    return _REFERENCE.sub(replaced, text)


def hostname(pod: Object) -> str:
    """The name that the pod's containers have."""
    return str(pod["spec"].get("hostname") or pod["metadata"]["name"][:63].rstrip("-."))


def _from(store: Store, pod: Object, container: dict[str, Any], source: dict[str, Any], address: str) -> str | None:
    if "fieldRef" in source:
        return fields.field(pod, source["fieldRef"]["fieldPath"], address)
    if "resourceFieldRef" in source:
        return fields.resource_field(pod, container, source["resourceFieldRef"])
    kind = "secretKeyRef" if "secretKeyRef" in source else "configMapKeyRef"
    reference = source[kind]
    data = _data(store, pod, _KINDS[kind], reference)
    if data is not None and reference["key"] in data:
        return data[reference["key"]]
    if reference.get("optional"):
        return None
    where = f"{_KINDS[kind].kind} {pod['metadata']['namespace']}/{reference['name']}"
    raise Trouble("CreateContainerConfigError", f"couldn't find key {reference['key']} in {where}")


def _data(store: Store, pod: Object, resource: Resource, reference: dict[str, Any]) -> dict[str, str] | None:
    found = store.find(Key(resource, pod["metadata"]["namespace"], reference["name"]))
    if found is not None:
        return {key: value.decode(errors="replace") for key, value in contents(found).items()}
    if reference.get("optional"):
        return None
    told = resource.plural.removesuffix("s")
    raise Trouble("CreateContainerConfigError", f'{told} "{reference["name"]}" not found')


def contents(obj: Object) -> dict[str, bytes]:
    """What a secret or a config map holds."""
    if obj["kind"] == "Secret":
        return {key: base64.b64decode(value) for key, value in (obj.get("data") or {}).items()}
    binary = {key: base64.b64decode(value) for key, value in (obj.get("binaryData") or {}).items()}
    return {key: value.encode() for key, value in (obj.get("data") or {}).items()} | binary
