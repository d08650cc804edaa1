"""The kinds that the double serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind, and where it is served.

    :param model: its class in the ``kubernetes`` package, which knows its fields.
    :param subresources: the ones served besides the object itself.
    """

    plural: str
    kind: str
    model: str
    group: str = ""
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """As objects name it."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def qualified(self) -> str:
        """As messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


PODS = Resource(plural="pods", kind="Pod", model="V1Pod", short=("po",), subresources=("status", "log", "eviction"))
EVENTS = Resource(plural="events", kind="Event", model="CoreV1Event", short=("ev",))
SECRETS = Resource(plural="secrets", kind="Secret", model="V1Secret")
CONFIG_MAPS = Resource(plural="configmaps", kind="ConfigMap", model="V1ConfigMap", short=("cm",))
CLAIMS = Resource(
    plural="persistentvolumeclaims", kind="PersistentVolumeClaim", model="V1PersistentVolumeClaim", short=("pvc",)
)
SERVICE_ACCOUNTS = Resource(plural="serviceaccounts", kind="ServiceAccount", model="V1ServiceAccount", short=("sa",))
NAMESPACES = Resource(plural="namespaces", kind="Namespace", model="V1Namespace", namespaced=False, short=("ns",))
NODES = Resource(plural="nodes", kind="Node", model="V1Node", namespaced=False, short=("no",), subresources=("status",))
JOBS = Resource(plural="jobs", kind="Job", model="V1Job", group="batch", subresources=("status",))

ALL = (PODS, EVENTS, SECRETS, CONFIG_MAPS, CLAIMS, SERVICE_ACCOUNTS, NAMESPACES, NODES, JOBS)
BY_PATH = {(resource.group, resource.plural): resource for resource in ALL}
