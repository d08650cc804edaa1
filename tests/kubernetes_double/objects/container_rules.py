"""The rules of one container of a pod."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Any

from kubernetes_double.api.status import Cause
from kubernetes_double.objects.names import (
    duplicate,
    label_key,
    not_allowed,
    not_supported,
    required,
    wrong,
)
from kubernetes_double.objects.quantities import is_extended, quantity

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_PULL = ("Always", "IfNotPresent", "Never")
_VARIABLE = re.compile(r"[ -<>-~]+")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
_STANDARD = ("cpu", "memory", "ephemeral-storage")


def check(container: dict[str, Any], volumes: Set[str], path: str, *, init: bool) -> Iterator[Cause]:
    """Everything wrong with a container.  :param volumes: of the pod."""
    if not container.get("image"):
        yield required(f"{path}.image")
    elif container["image"] != container["image"].strip():
        yield wrong(f"{path}.image", container["image"], "must not have leading or trailing whitespace")
    if container["imagePullPolicy"] not in _PULL:
        yield not_supported(f"{path}.imagePullPolicy", container["imagePullPolicy"], _PULL)
    if container["terminationMessagePolicy"] not in ("File", "FallbackToLogsOnError"):
        yield not_supported(
            f"{path}.terminationMessagePolicy",
            container["terminationMessagePolicy"],
            ("File", "FallbackToLogsOnError"),
        )
    yield from _kind(container, path, init=init)
    yield from _variables(container.get("env") or [], f"{path}.env")
    yield from _mounts(container.get("volumeMounts") or [], volumes, f"{path}.volumeMounts")
    yield from _resources(container["resources"], f"{path}.resources")
    yield from _ports(container.get("ports") or [], f"{path}.ports")
    yield from _security(container.get("securityContext") or {}, f"{path}.securityContext")


def _kind(container: dict[str, Any], path: str, *, init: bool) -> Iterator[Cause]:
    policy = container.get("restartPolicy")
    if policy is not None and init and policy != "Always":
        yield not_supported(f"{path}.restartPolicy", policy, ("Always",))
    if policy is not None and not init:
        yield not_allowed(f"{path}.restartPolicy", "may not be set for non-init containers")
    for kind in (*_PROBES, "lifecycle"):
        if kind in container and init and policy != "Always":
            yield not_allowed(f"{path}.{kind}", "may not be set for init containers without restartPolicy=Always")
        elif kind in _PROBES and kind in container:
            yield from _probe(container[kind], f"{path}.{kind}", kind)


def _probe(probe: dict[str, Any], path: str, kind: str) -> Iterator[Cause]:
    handlers = [name for name in _HANDLERS if name in probe]
    if not handlers:
        yield required(path, "must specify a handler type")
    if len(handlers) > 1:
        yield not_allowed(f"{path}.{handlers[1]}", "may not specify more than 1 handler type")
    if "exec" in probe and not probe["exec"].get("command"):
        yield required(f"{path}.exec.command")
    for member in ("periodSeconds", "failureThreshold", "timeoutSeconds", "successThreshold"):
        if probe[member] < 1:
            yield wrong(f"{path}.{member}", probe[member], "must be greater than 0")
    if kind != "readinessProbe" and probe["successThreshold"] != 1:
        yield wrong(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def _variables(variables: list[dict[str, Any]], path: str) -> Iterator[Cause]:
    for number, variable in enumerate(variables):
        here, name = f"{path}[{number}]", variable.get("name", "")
        if not name:
            yield required(f"{here}.name")
        elif not _VARIABLE.fullmatch(name):
            yield wrong(
                f"{here}.name", name, "a valid environment variable name must consist only of printable ASCII "
                "characters other than '='"
            )  # fmt: skip
        source = variable.get("valueFrom")
        if source is None:
            continue
        chosen = [kind for kind in _SOURCES if kind in source]
        if variable.get("value"):
            yield wrong(f"{here}.valueFrom", "", "may not be specified when `value` is not empty")
        if len(chosen) != 1:
            yield wrong(f"{here}.valueFrom", "", "must specify exactly one of its sources")
        for kind in ("configMapKeyRef", "secretKeyRef"):
            for member in ("name", "key"):
                if kind in source and not source[kind].get(member):
                    yield required(f"{here}.valueFrom.{kind}.{member}")


def _mounts(mounts: list[dict[str, Any]], volumes: Set[str], path: str) -> Iterator[Cause]:
    seen = set()
    for number, mount in enumerate(mounts):
        here, target = f"{path}[{number}]", mount.get("mountPath", "")
        if not mount.get("name"):
            yield required(f"{here}.name")
        elif mount["name"] not in volumes:
            yield Cause(f"{here}.name", "FieldValueNotFound", f'Not found: "{mount["name"]}"')
        if not target:
            yield required(f"{here}.mountPath")
        elif ":" in target:
            yield wrong(f"{here}.mountPath", target, "must not contain ':'")
        if target in seen:
            yield wrong(f"{here}.mountPath", target, "must be unique")
        seen.add(target)
        sub_path = mount.get("subPath", "")
        if sub_path.startswith("/"):
            yield wrong(f"{here}.subPath", sub_path, "must be a relative path")
        if ".." in sub_path.split("/"):
            yield wrong(f"{here}.subPath", sub_path, "must not contain '..'")


def _resources(resources: dict[str, Any], path: str) -> Iterator[Cause]:
    known: dict[str, dict[str, Any]] = {"limits": {}, "requests": {}}
    for kind, amounts in known.items():
        for name, text in (resources.get(kind) or {}).items():
            here = f"{path}.{kind}[{name}]"
            try:
                amounts[name] = quantity(text)
            except ValueError as error:
                yield wrong(here, text, str(error))
                continue
            if amounts[name] < 0:
                yield wrong(here, text, "must be greater than or equal to 0")
            yield from label_key(here, name)
            if "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
                yield wrong(here, name, "must be a standard resource for containers")
            if is_extended(name) and amounts[name] % 1:
                yield wrong(here, text, "must be an integer")
    limits, requests = known["limits"], known["requests"]
    for name, amount in requests.items():
        here = f"{path}.requests"
        if name in limits and amount > limits[name]:
            told = resources["requests"][name]
            message = f"must be less than or equal to {name} limit of {resources['limits'][name]}"
            yield wrong(here, told, message)
        elif is_extended(name) and limits.get(name) != amount:
            if name in limits:
                message = f"must be equal to {name} limit of {resources['limits'][name]}"
                yield wrong(here, resources["requests"][name], message)
            else:
                yield required(f"{path}.limits", "Limit must be set for non overcommitable resources")


def _ports(ports: list[dict[str, Any]], path: str) -> Iterator[Cause]:
    names = set()
    for number, port in enumerate(ports):
        here = f"{path}[{number}]"
        if not 1 <= port.get("containerPort", 0) <= 65535:
            yield wrong(f"{here}.containerPort", port.get("containerPort", 0), "must be between 1 and 65535, inclusive")
        if port.get("name") and port["name"] in names:
            yield duplicate(f"{here}.name", port["name"])
        names.add(port.get("name"))


def _security(context: dict[str, Any], path: str) -> Iterator[Cause]:
    for member in ("runAsUser", "runAsGroup"):
        if context.get(member, 0) < 0:
            yield wrong(f"{path}.{member}", context[member], "must be between 0 and 2147483647, inclusive")
    added = (context.get("capabilities") or {}).get("add") or []
    if context.get("allowPrivilegeEscalation") is False:
        if context.get("privileged"):
            yield wrong(path, "", "cannot set `allowPrivilegeEscalation` to false and `privileged` to true")
        if "CAP_SYS_ADMIN" in added:
            yield wrong(path, "", "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN")
