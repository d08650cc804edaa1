"""A request, and the two kinds of answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kubernetes_double.api.users import User
from kubernetes_double.objects.resources import Object, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names.  :param name: empty for the collection."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose sender is known."""

    method: str
    path: str
    query: dict[str, str]
    content_type: str
    body: Any
    user: User

    def flag(self, name: str) -> bool:
        """A parameter that is true or not."""
        return self.query.get(name, "").lower() in ("true", "1")


@dataclass(frozen=True, slots=True)
class Answer:
    """A document, or a text."""

    code: int
    body: Object | str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """What comes bit by bit; an empty piece only asks whether somebody still listens.  :param kind: of hooks."""

    kind: str
    content_type: str
    pieces: Iterator[bytes]
