"""What a cluster would do and the double does not: it is refused, so that no test passes because it was ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubernetes_double.api.status import ApiError
from kubernetes_double.objects.resources import Object, Resource

_POD = (
    *("dnsConfig", "ephemeralContainers", "hostUsers", "os", "readinessGates", "resourceClaims", "resources"),
    *("runtimeClassName", "schedulingGates", "setHostnameAsFQDN", "subdomain", "topologySpreadConstraints"),
    *("hostnameOverride", "schedulingGroup", "workloadRef"),
)
_CONTAINER = ("resizePolicy", "restartPolicyRules", "stdinOnce", "volumeDevices")
_CONTEXT = ("appArmorProfile", "procMount", "seLinuxOptions", "windowsOptions", "sysctls", "supplementalGroupsPolicy")
_MOUNT = ("mountPropagation", "recursiveReadOnly", "subPathExpr")
_VOLUMES = ("configMap", "downwardAPI", "emptyDir", "hostPath", "persistentVolumeClaim", "projected", "secret")
_PROJECTIONS = ("configMap", "downwardAPI", "secret", "serviceAccountToken")
_JOB = ("backoffLimitPerIndex", "managedBy", "manualSelector", "maxFailedIndexes", "podFailurePolicy", "successPolicy")
_CLAIM = ("dataSource", "dataSourceRef", "selector", "volumeAttributesClassName", "volumeName")


def refuse(resource: Resource, obj: Object) -> None:
    """:raises ApiError: 501, with the first field that the double cannot do justice to."""
    spec = obj.get("spec") or {}
    found: Iterator[str] = iter(())
    if resource.kind == "Pod":
        found = _pod(spec, "spec")
    elif resource.kind == "Job":
        found = _job(spec)
    elif resource.kind == "PersistentVolumeClaim":
        found = _members(spec, _CLAIM, "spec")
    for path in found:
        raise ApiError(501, "NotImplemented", f"the test double does not cover {path}")


def _members(given: dict[str, Any], names: tuple[str, ...], path: str) -> Iterator[str]:
    yield from (f"{path}.{name}" for name in names if given.get(name))


def _job(spec: dict[str, Any]) -> Iterator[str]:
    yield from _members(spec, _JOB, "spec")
    if spec.get("podReplacementPolicy", "TerminatingOrFailed") != "TerminatingOrFailed":
        yield "spec.podReplacementPolicy"
    yield from _pod((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")


def _pod(spec: dict[str, Any], path: str) -> Iterator[str]:
    yield from _members(spec, _POD, path)
    if spec.get("hostUsers") is False:
        yield f"{path}.hostUsers"
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        if (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution"):
            yield f"{path}.affinity.{kind}"
    yield from _context(spec.get("securityContext") or {}, f"{path}.securityContext")
    for number, volume in enumerate(spec.get("volumes") or []):
        yield from _volume(volume, f"{path}.volumes[{number}]")
    for kind in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(kind) or []):
            yield from _container(container, f"{path}.{kind}[{number}]")


def _volume(volume: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{kind}" for kind in volume if kind not in ("name", *_VOLUMES))
    if volume.get("emptyDir", {}).get("medium", "").startswith("HugePages"):
        yield f"{path}.emptyDir.medium"
    if volume.get("hostPath", {}).get("type", "") not in ("", "Directory", "File"):
        yield f"{path}.hostPath.type"
    for source in volume.get("projected", {}).get("sources") or []:
        yield from (f"{path}.projected.{kind}" for kind in source if kind not in _PROJECTIONS)


def _container(container: dict[str, Any], path: str) -> Iterator[str]:
    yield from _members(container, _CONTAINER, path)
    yield from _context(container.get("securityContext") or {}, f"{path}.securityContext")
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        yield from _members(container.get(kind) or {}, ("grpc",), f"{path}.{kind}")
    yield from _members(container.get("lifecycle") or {}, ("stopSignal",), f"{path}.lifecycle")
    for mount in container.get("volumeMounts") or []:
        yield from _members(mount, _MOUNT, f"{path}.volumeMounts")
    for variable in container.get("env") or []:
        yield from _members(variable.get("valueFrom") or {}, ("fileKeyRef",), f"{path}.env.valueFrom")


def _context(context: dict[str, Any], path: str) -> Iterator[str]:
    yield from _members(context, _CONTEXT, path)
    if (context.get("seccompProfile") or {}).get("type") == "Localhost":
        yield f"{path}.seccompProfile.localhostProfile"
