"""Who may do what: bearer tokens, and the rules of their users."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml

from kubernetes_double.api import status
from kubernetes_double.objects.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One identity.

    :param allowed: verbs and kinds, as in ``("get", "pods")`` or ``("create", "pods/eviction")``; ``*`` is all.
    :param namespaces: where; empty for everywhere.
    """

    name: str
    token: str
    allowed: tuple[tuple[str, str], ...] = (("*", "*"),)
    namespaces: tuple[str, ...] = ()

    def may(self, verb: str, kind: str, namespace: str) -> bool:
        """Whether a rule allows it."""
        if self.namespaces and namespace not in self.namespaces:
            return False
        return any(v in ("*", verb) and k in ("*", kind) for v, k in self.allowed)


class Users:
    """The users by their tokens."""

    def __init__(self) -> None:
        self._by_token: dict[str, User] = {}

    def add(
        self, name: str, allowed: tuple[tuple[str, str], ...] = (("*", "*"),), namespaces: tuple[str, ...] = ()
    ) -> User:
        """A new user with a token of its own."""
        user = User(name=name, token=secrets.token_urlsafe(24), allowed=allowed, namespaces=namespaces)
        self._by_token[user.token] = user
        return user

    def revoke(self, user: User) -> None:
        """Its token is refused from now on."""
        self._by_token.pop(user.token, None)

    def of(self, authorization: str | None) -> User:
        """Who sent the header.  :raises ApiError: 401."""
        kind, _, token = (authorization or "").partition(" ")
        user = self._by_token.get(token.strip()) if kind.lower() == "bearer" else None
        if user is None:
            raise status.unauthorized()
        return user


def authorize(user: User, verb: str, resource: Resource, subresource: str, namespace: str, name: str) -> None:
    """:raises ApiError: 403, in the words of RBAC."""
    kind = f"{resource.plural}/{subresource}" if subresource else resource.plural
    if user.may(verb, kind, namespace):
        return
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {verb} resource "{kind}" in API group "{resource.group}" {scope}'
    raise status.forbidden(resource, name, why)


def write_kubeconfig(path: Path, *, server: str, trusted: Path, user: User, namespace: str) -> Path:
    """The file that a client of this user reads."""
    name = "kubernetes-double"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": base64.b64encode(trusted.read_bytes()).decode(),
                },
            }
        ],
        "users": [{"name": user.name, "user": {"token": user.token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user.name, "namespace": namespace}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document))
    return path
