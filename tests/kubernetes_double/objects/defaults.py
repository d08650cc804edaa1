"""What an apiserver fills in."""

from __future__ import annotations

from typing import Any

from kubernetes_double.objects.resources import Object

_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_POD = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
    "terminationGracePeriodSeconds": 30,
    "enableServiceLinks": True,
    "preemptionPolicy": "PreemptLowerPriority",
    "priority": 0,
}
# How long a pod stays on a node that is not ready or not reached, unless it says otherwise.
_NODE_TROUBLE = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }
    for key in ("not-ready", "unreachable")
]


def pod_template(spec: dict[str, Any]) -> None:
    """Defaults of a pod's specification, wherever it stands."""
    for key, value in _POD.items():
        if key not in ("priority", "preemptionPolicy"):
            spec.setdefault(key, value)
    spec.setdefault("securityContext", {})
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _container(container)
    for volume in spec.get("volumes") or []:
        _volume(volume)


def pod(obj: Object) -> None:
    """Defaults of a pod, and the state that it begins in."""
    spec = obj["spec"]
    pod_template(spec)
    spec.setdefault("serviceAccountName", "default")
    spec["serviceAccount"] = spec["serviceAccountName"]
    spec["priority"], spec["preemptionPolicy"] = spec.get("priority", 0), _POD["preemptionPolicy"]
    tolerations = spec.setdefault("tolerations", [])
    for usual in _NODE_TROUBLE:
        if not any(given.get("key") in (usual["key"], None) for given in tolerations):
            tolerations.append(dict(usual))
    obj["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}


def _container(container: dict[str, Any]) -> None:
    image = container.get("image", "")
    last = image.rpartition("/")[2]
    floating = "@" not in last and (":" not in last or last.endswith(":latest"))
    container.setdefault("imagePullPolicy", "Always" if floating else "IfNotPresent")
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    resources = container.setdefault("resources", {})
    for name, amount in (resources.get("limits") or {}).items():
        resources.setdefault("requests", {}).setdefault(name, amount)
    for kind in ("requests", "limits"):
        if kind in resources:
            resources[kind] = {name: str(amount) for name, amount in resources[kind].items()}
    for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
        if kind in container:
            container[kind] = {**_PROBE, **container[kind]}
            if "httpGet" in container[kind]:
                container[kind]["httpGet"] = {"path": "/", "scheme": "HTTP", **container[kind]["httpGet"]}


def _volume(volume: dict[str, Any]) -> None:
    for kind in ("secret", "configMap", "downwardAPI", "projected"):
        if kind in volume:
            volume[kind].setdefault("defaultMode", 0o644)


def qos_class(spec: dict[str, Any]) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``."""
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    resources = [container.get("resources") or {} for container in containers]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def job(obj: Object) -> None:
    """Defaults of a job: how often, how many, and by which labels it knows its pods."""
    spec, metadata = obj["spec"], obj["metadata"]
    spec.setdefault("parallelism", 1)
    spec.setdefault("completions", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    pod_template(spec["template"].setdefault("spec", {}))
    obj["status"] = {}
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    labels |= {"batch.kubernetes.io/job-name": metadata["name"], "job-name": metadata["name"]}


def job_identity(obj: Object) -> None:
    """What only an identity makes possible: the selector."""
    uid = obj["metadata"]["uid"]
    labels = obj["spec"]["template"]["metadata"]["labels"]
    labels |= {"batch.kubernetes.io/controller-uid": uid, "controller-uid": uid}
    obj["spec"].setdefault("selector", {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})
