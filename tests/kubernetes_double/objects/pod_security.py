"""Pod Security admission: the published standards ``baseline`` and ``restricted``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

ENFORCE = "pod-security.kubernetes.io/enforce"
_VERSION = "pod-security.kubernetes.io/enforce-version"
_BASELINE_CAPABILITIES = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"),
    "image",
}
_SYSCTLS = {
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    *("net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports"),
    *("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl"),
    *("net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
}
Check = Callable[[dict[str, Any]], Iterator[str]]


def violations(spec: dict[str, Any], namespace_labels: dict[str, str]) -> str | None:
    """Why the namespace's level forbids the pod, in the admission's words; ``None`` if it does not."""
    level = namespace_labels.get(ENFORCE, "privileged")
    checks: tuple[Check, ...] = ()
    if level in ("baseline", "restricted"):
        checks += (_host_namespaces, _privileged, _host_paths, _host_ports, _sysctls, _proc_mount)
        checks += (_baseline_capabilities,) if level == "baseline" else ()
        checks += (_unconfined,) if level == "baseline" else ()
    if level == "restricted":
        checks += (_escalation, _capabilities, _volume_types, _root, _root_user, _seccomp)
    found = [why for check in checks for why in check(spec)]
    if not found:
        return None
    return f'violates PodSecurity "{level}:{namespace_labels.get(_VERSION, "latest")}": {", ".join(found)}'


def _containers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def _context(container: dict[str, Any]) -> dict[str, Any]:
    return container.get("securityContext") or {}


def _told(containers: list[dict[str, Any]], prefix: str = "") -> str:
    names = ", ".join(f'"{container["name"]}"' for container in containers)
    return f"{prefix}container{'s' if len(containers) > 1 else ''} {names}"


def _host_namespaces(spec: dict[str, Any]) -> Iterator[str]:
    used = [f"{member}=true" for member in ("hostNetwork", "hostPID", "hostIPC") if spec.get(member)]
    if used:
        yield f"host namespaces ({', '.join(used)})"


def _privileged(spec: dict[str, Any]) -> Iterator[str]:
    if bad := [c for c in _containers(spec) if _context(c).get("privileged")]:
        yield f"privileged ({_told(bad)} must not set securityContext.privileged=true)"


def _host_paths(spec: dict[str, Any]) -> Iterator[str]:
    if bad := [volume["name"] for volume in spec.get("volumes") or [] if "hostPath" in volume]:
        yield f"hostPath volumes (volume{'s' if len(bad) > 1 else ''} " + ", ".join(f'"{name}"' for name in bad) + ")"


def _host_ports(spec: dict[str, Any]) -> Iterator[str]:
    bad = [c for c in _containers(spec) if any(port.get("hostPort") for port in c.get("ports") or [])]
    if bad:
        ports = sorted({port["hostPort"] for c in bad for port in c["ports"] if port.get("hostPort")})
        yield f"hostPort ({_told(bad)} uses hostPort{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))})"


def _sysctls(spec: dict[str, Any]) -> Iterator[str]:
    given = (spec.get("securityContext") or {}).get("sysctls") or []
    if bad := [item["name"] for item in given if item["name"] not in _SYSCTLS]:
        yield f"forbidden sysctls ({', '.join(bad)})"


def _proc_mount(spec: dict[str, Any]) -> Iterator[str]:
    if bad := [c for c in _containers(spec) if _context(c).get("procMount", "Default") != "Default"]:
        yield f"procMount ({_told(bad)} must not set securityContext.procMount)"


def _baseline_capabilities(spec: dict[str, Any]) -> Iterator[str]:
    added = {name for c in _containers(spec) for name in (_context(c).get("capabilities") or {}).get("add") or []}
    if bad := sorted(added - _BASELINE_CAPABILITIES):
        yield "non-default capabilities (must not include " + ", ".join(f'"{name}"' for name in bad) + ")"


def _unconfined(spec: dict[str, Any]) -> Iterator[str]:
    contexts = [spec.get("securityContext") or {}, *(_context(c) for c in _containers(spec))]
    if any((context.get("seccompProfile") or {}).get("type") == "Unconfined" for context in contexts):
        yield 'seccompProfile (pod or containers must not set securityContext.seccompProfile.type to "Unconfined")'


def _escalation(spec: dict[str, Any]) -> Iterator[str]:
    if bad := [c for c in _containers(spec) if _context(c).get("allowPrivilegeEscalation") is not False]:
        yield (
            f"allowPrivilegeEscalation != false ({_told(bad)} must set securityContext.allowPrivilegeEscalation=false)"
        )


def _capabilities(spec: dict[str, Any]) -> Iterator[str]:
    told = []
    given = [(c, _context(c).get("capabilities") or {}) for c in _containers(spec)]
    if bad := [c for c, capabilities in given if "ALL" not in (capabilities.get("drop") or [])]:
        told.append(f'{_told(bad)} must set securityContext.capabilities.drop=["ALL"]')
    allowed = {"NET_BIND_SERVICE"}
    if bad := [c for c, capabilities in given if set(capabilities.get("add") or []) - allowed]:
        names = sorted({name for _, capabilities in given for name in capabilities.get("add") or []} - allowed)
        told.append(f"{_told(bad)} must not include {', '.join(names)} in securityContext.capabilities.add")
    if told:
        yield f"unrestricted capabilities ({'; '.join(told)})"


def _volume_types(spec: dict[str, Any]) -> Iterator[str]:
    for volume in spec.get("volumes") or []:
        if bad := [kind for kind in volume if kind not in _VOLUMES and kind != "name"]:
            yield f'restricted volume types (volume "{volume["name"]}" uses restricted volume type "{bad[0]}")'


def _root(spec: dict[str, Any]) -> Iterator[str]:
    default = (spec.get("securityContext") or {}).get("runAsNonRoot")
    if bad := [c for c in _containers(spec) if _context(c).get("runAsNonRoot", default) is not True]:
        yield f"runAsNonRoot != true (pod or {_told(bad)} must set securityContext.runAsNonRoot=true)"


def _root_user(spec: dict[str, Any]) -> Iterator[str]:
    if (spec.get("securityContext") or {}).get("runAsUser") == 0:
        yield "runAsUser=0 (pod must not set runAsUser=0)"
    if bad := [c for c in _containers(spec) if _context(c).get("runAsUser") == 0]:
        yield f"runAsUser=0 ({_told(bad)} must not set runAsUser=0)"


def _seccomp(spec: dict[str, Any]) -> Iterator[str]:
    default = (spec.get("securityContext") or {}).get("seccompProfile") or {}
    bad = [
        c
        for c in _containers(spec)
        if (_context(c).get("seccompProfile") or default).get("type") not in ("RuntimeDefault", "Localhost")
    ]
    if bad:
        yield (
            f"seccompProfile (pod or {_told(bad)} must set securityContext.seccompProfile.type to "
            '"RuntimeDefault" or "Localhost")'
        )
