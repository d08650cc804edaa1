"""What tells clients which API this is: version, groups, kinds."""

from __future__ import annotations

from kubernetes_double.objects.resources import ALL, Object, Resource

VERSION = "v1.34.2"
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def answer(path: str) -> Object | str | None:
    """The document of a path; ``None`` for a path that is none of discovery."""
    match path.strip("/"):
        case "version":
            return _version()
        case "api":
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case "apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group()]}
        case "apis/batch":
            return {"kind": "APIGroup", "apiVersion": "v1", **_group()}
        case "api/v1":
            return _resources("")
        case "apis/batch/v1":
            return _resources("batch")
        case "healthz" | "livez" | "readyz":
            return "ok"
    return None


def _version() -> Object:
    major, minor, _ = VERSION.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{VERSION}+double",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "linux/amd64",
    }


def _group() -> Object:
    version = {"groupVersion": "batch/v1", "version": "v1"}
    return {"name": "batch", "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Object:
    listed = [entry for resource in ALL if resource.group == group for entry in _entries(resource)]
    version = f"{group}/v1" if group else "v1"
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": listed}


def _entries(resource: Resource) -> list[Object]:
    common = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced, "kind": resource.kind}
    own = {"name": resource.plural, **common, "verbs": _VERBS, "shortNames": list(resource.short)}
    return [own] + [
        {**common, "name": f"{resource.plural}/{name}", "singularName": "", "verbs": ["get"]}
        for name in resource.subresources
    ]
