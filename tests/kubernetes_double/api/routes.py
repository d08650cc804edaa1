"""From a path and a method to a verb."""

from __future__ import annotations

import re
from typing import Protocol

from kubernetes_double.api import discovery, status
from kubernetes_double.api.call import Answer, Call, Stream, Target
from kubernetes_double.api.users import authorize
from kubernetes_double.api.verbs import Verbs
from kubernetes_double.objects.resources import BY_PATH

_PATH = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/v1"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/[^/]+))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?/?$"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class PodActions(Protocol):
    """What only pods have."""

    def log(self, target: Target, call: Call) -> Answer | Stream:
        """The log of a container."""

    def evict(self, target: Target, call: Call) -> Answer:
        """A deletion that tells the pod why."""


class Routes:
    """The whole API."""

    def __init__(self, verbs: Verbs, pods: PodActions) -> None:
        self._verbs, self._pods = verbs, pods

    def answer(self, call: Call) -> Answer | Stream:
        """What the request asks for.  :raises ApiError: if it is refused."""
        if (known := discovery.answer(call.path)) is not None:
            return Answer(200, known)
        if call.path == "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews":
            return _access_review(call)
        target = _target(call.path)
        verb = _verb(target, call)
        authorize(call.user, verb, target.resource, target.subresource, target.namespace, target.name)
        if target.subresource in ("log", "eviction"):
            return self._action(target, call)
        return self._do(verb, target, call)

    def _action(self, target: Target, call: Call) -> Answer | Stream:
        if (target.subresource, call.method) == ("log", "GET"):
            return self._pods.log(target, call)
        if (target.subresource, call.method) == ("eviction", "POST"):
            return self._pods.evict(target, call)
        raise status.unsupported(target.resource)

    def _do(self, verb: str, target: Target, call: Call) -> Answer | Stream:
        match verb:
            case "get":
                return self._verbs.get(target)
            case "list" | "watch":
                return self._verbs.list_or_watch(target, call)
            case "create" if not target.name:
                return self._verbs.create(target, call)
            case "update" if target.name:
                return self._verbs.replace(target, call)
            case "patch" if target.name:
                return self._verbs.patch(target, call)
            case "delete":
                return self._verbs.delete(target, call)
            case "deletecollection":
                return self._verbs.delete_many(target, call)
        raise status.unsupported(target.resource)


def _target(path: str) -> Target:
    found = _PATH.match(path)
    resource = BY_PATH.get((found["group"] or "", found["plural"])) if found else None
    if found is None or resource is None:
        raise status.no_such_path()
    subresource = found["subresource"] or ""
    if subresource and subresource not in resource.subresources:
        raise status.no_such_path()
    if bool(found["namespace"]) and not resource.namespaced:
        raise status.no_such_path()
    return Target(
        resource=resource, namespace=found["namespace"] or "", name=found["name"] or "", subresource=subresource
    )


def _verb(target: Target, call: Call) -> str:
    if call.method == "GET":
        if target.name:
            return "get"
        return "watch" if call.flag("watch") else "list"
    if call.method == "DELETE":
        return "delete" if target.name else "deletecollection"
    if call.method not in _VERBS:
        raise status.unsupported(target.resource)
    return _VERBS[call.method]


def _access_review(call: Call) -> Answer:
    body = call.body if isinstance(call.body, dict) else {}
    asked = (body.get("spec") or {}).get("resourceAttributes") or {}
    kind = asked.get("resource", "") + (f"/{asked['subresource']}" if asked.get("subresource") else "")
    allowed = call.user.may(asked.get("verb", ""), kind, asked.get("namespace", ""))
    return Answer(201, {**body, "metadata": {}, "status": {"allowed": allowed}})
