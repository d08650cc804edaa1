"""What a pod can be told of itself: the downward API."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from kubernetes_double.kubelet.trouble import Trouble
from kubernetes_double.objects.quantities import quantity
from kubernetes_double.objects.resources import Object

_MEMBER = re.compile(r"^metadata\.(labels|annotations)\['(.+)'\]$")


def field(pod: Object, path: str, address: str) -> str:
    """A ``fieldRef``.  :param address: of the pod; its status is written later than its containers start."""
    metadata = pod["metadata"]
    if found := _MEMBER.match(path):
        return str((metadata.get(found[1]) or {}).get(found[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        items = sorted((metadata.get(path.partition(".")[2]) or {}).items())
        return "\n".join(f"{key}={json.dumps(value)}" for key, value in items)
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }
    if path not in known:
        raise Trouble("CreateContainerConfigError", f"unsupported fieldPath: {path}")
    return str(known[path])


def resource_field(pod: Object, container: dict[str, Any], reference: dict[str, Any]) -> str:
    """A ``resourceFieldRef``, in units of its divisor, upwards."""
    named = reference.get("containerName")
    if named:
        containers = [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
        container = next(each for each in containers if each["name"] == named)
    kind, _, name = reference["resource"].partition(".")
    amount = (container["resources"].get(kind) or {}).get(name)
    if amount is None:
        amount = {"cpu": "4", "memory": "8Gi"}.get(name, "0") if kind == "limits" else "0"
    divisor = quantity(reference.get("divisor") or "1") or 1
    return str(math.ceil(quantity(amount) / divisor))
