"""What an input is for a fingerprint: its content's identity, which rung of the ladder gave it, and its members.

The digest decides; everything else is there so that a person can read the key document and ``why`` can name files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.fingerprint.canonical import dump
from airflow_mlpipe.fingerprint.local import LocalContent
from airflow_mlpipe.fingerprint.tree import TreeEntry
from airflow_mlpipe.model.reference import OutputReference

Rung = Literal["digest", "version", "etag", "mtime", "declared"]
"""How an identity was found: bytes were hashed (now, or when we wrote them); the store's version ids; its ETags and
sizes; modification times and sizes; the author's word."""

MOST_MEMBERS = 2000
_SHORT = 12
_MANY_DOMAIN = b"mlpipe.many/1\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentIdentity:
    """The identity of one input.

    :param digest: what decides; of bytes, of a tree, or of a listing. :param rung: how it was found.
    :param filename: of a file, the name that programs see (it is part of what they see, so it counts).
    :param members: short identities by relative path, to name differences; ``None`` above :data:`MOST_MEMBERS` files.
    """

    kind: Literal["file", "folder", "many"]
    digest: str
    rung: Rung = "digest"
    size: int = 0
    files: int = 1
    filename: str = ""
    executable: bool = False
    members: Mapping[str, str] | None = None

    @property
    def deciding(self) -> dict[str, Any]:
        """What a fingerprint contains."""
        decides: dict[str, Any] = {"kind": self.kind, "digest": self.digest}
        return decides | {"filename": self.filename, "executable": self.executable} if self.kind == "file" else decides

    def to_json(self) -> dict[str, Any]:
        """Plain members, those that say nothing left out."""
        shown: dict[str, Any] = {n: v for n in self.__slots__ if n != "members" and (v := getattr(self, n)) != ""}
        return shown | ({"members": dict(self.members)} if self.members is not None else {})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ContentIdentity:
        """Read :meth:`to_json` back.  :raises CorruptedError: when it is none."""
        try:
            return cls(**{name: document[name] for name in cls.__slots__ if name in document})
        except TypeError as error:
            raise CorruptedError(f"not an identity ({error})", where="key document") from error

    @classmethod
    def of_local(
        cls, content: LocalContent, *, digest: str | None = None, filename: str | None = None
    ) -> ContentIdentity:
        """Of what a local path holds.  :param digest: instead of the content's own, when parts of it are volatile."""
        members = None
        if content.kind == "folder" and content.files <= MOST_MEMBERS:
            members = members_of(content.walk())
        elif content.kind == "folder":
            members = top_members(content)
        return cls(
            kind=content.kind,
            digest=digest or content.digest,
            size=content.size,
            files=content.files,
            filename=(filename or content.name) if content.kind == "file" else "",
            executable=content.executable,
            members=members,
        )

    @classmethod
    def of_reference(cls, reference: OutputReference, members: Mapping[str, str] | None = None) -> ContentIdentity:
        """Of an output that this package published: nothing is read."""
        return cls(
            kind=reference.kind,
            digest=reference.identity,
            size=reference.size,
            files=reference.files,
            filename=reference.filename,
            executable=reference.executable,
            members=members,
        )

    @classmethod
    def declared(cls, kind: Literal["file", "folder"], version: str, *, filename: str = "") -> ContentIdentity:
        """Of data whose version the author vouches for."""
        return cls(kind=kind, digest=f"declared:{version}", rung="declared", files=0, filename=filename)


def many(identities: Iterable[ContentIdentity]) -> ContentIdentity:
    """The identity of an input that gathers several, in their order."""
    each = tuple(identities)
    digest = hashlib.sha256(_MANY_DOMAIN + dump([i.deciding for i in each])).hexdigest()
    weakest: Rung = max((i.rung for i in each), key=_STRENGTH.index, default="digest")
    return ContentIdentity(
        kind="many",
        digest=f"many:{digest}",
        rung=weakest,
        size=sum(i.size for i in each),
        files=sum(i.files for i in each),
        members={f"{n:05d}": short(i.digest) for n, i in enumerate(each)} if len(each) <= MOST_MEMBERS else None,
    )


_STRENGTH: tuple[Rung, ...] = ("digest", "version", "etag", "mtime", "declared")


def members_of(entries: Iterable[tuple[str, TreeEntry]]) -> dict[str, str]:
    """Files and empty folders by relative path, with enough of their digests to tell changes."""
    return {
        f"{path}/" if entry.kind == "folder" else path: short(entry.digest) + ("x" if entry.executable else "")
        for path, entry in entries
        if entry.kind == "file" or not entry.files
    }


def top_members(content: LocalContent) -> dict[str, str] | None:
    """The members of a large folder's first level, its folders by their trees; ``None`` if even those are too many."""
    entries = content.trees[content.digest].entries
    if len(entries) > MOST_MEMBERS:
        return None
    return {e.name + ("/" if e.kind == "folder" else ""): short(e.digest) for e in entries}


def short(digest: str) -> str:
    """Enough of a digest to tell members apart when they are shown; never used to decide."""
    return digest.rpartition(":")[2][:_SHORT]
