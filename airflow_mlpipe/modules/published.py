"""A published version of a module: the document that a library keeps, and what is said of it later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.model.documents import check_tag, tag, to_bytes
from airflow_mlpipe.modules.definition import ModuleDefinition

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRevision:
    """Where the code was when it was published.

    :param revision: of git. :param dirty: whether the folder had changes that are in no revision.
    :param remote: the repository's URL, without credentials.
    """

    revision: str
    dirty: bool = False
    remote: str = ""

    def __str__(self) -> str:
        parts = (self.revision[:12], "with changes" * self.dirty, f"of {self.remote}" if self.remote else "")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModule:
    """A version in a library.

    :param code: digest of its folder. :param author: who published it. :param published: seconds since the epoch.
    """

    definition: ModuleDefinition
    code: str
    author: str
    published: float
    revision: SourceRevision | None = None

    @property
    def digest(self) -> str:
        """Of what the version stands for: definition and code, and not of who published it, and when."""
        return digest_of(self.definition, self.code)

    def to_json(self) -> dict[str, Any]:
        """The document in the store."""
        revision = self.revision
        return tag("module", _VERSION) | {
            "definition": self.definition.to_json(),
            "code": self.code,
            "digest": self.digest,
            "author": self.author,
            "published": self.published,
            "revision": None
            if revision is None
            else {"revision": revision.revision, "dirty": revision.dirty, "remote": revision.remote},
        }

    @classmethod
    def from_json(cls, document: object, *, where: str) -> PublishedModule:
        """Read :meth:`to_json` back.

        :raises CorruptedError: when it is none, or does not have the digest that it says.
        :raises WorkspaceVersionError: when it is newer.
        """
        members = check_tag(document, "module", _VERSION, where=where)
        try:
            revision = members["revision"]
            found = cls(
                definition=ModuleDefinition.from_json(members["definition"], where=where),
                code=members["code"],
                author=members["author"],
                published=members["published"],
                revision=None if revision is None else SourceRevision(**revision),
            )
            said = members["digest"]
        except (KeyError, TypeError) as error:
            raise CorruptedError(f"members are missing ({error!r})", where=where) from error
        if found.digest != said:
            raise CorruptedError(
                "the module does not have the digest that its document says: somebody changed it",
                where=where,
                given=found.digest,
                valid=(said,),
            )
        return found


def digest_of(definition: ModuleDefinition, code: str) -> str:
    """The digest of a definition and its code."""
    return digest_bytes(to_bytes({"definition": definition.to_json(), "code": code}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What somebody said of a version: that it is deprecated, or yanked."""

    by: str
    why: str
    since: float

    def __str__(self) -> str:
        return f"{self.why} ({self.by})" if self.why else f"by {self.by}"

    def to_json(self) -> dict[str, Any]:
        """The document in the store."""
        return tag("module-mark", _VERSION) | {"by": self.by, "why": self.why, "since": self.since}

    @classmethod
    def from_json(cls, document: object, *, where: str) -> Mark:
        """Read :meth:`to_json` back; errors as :meth:`PublishedModule.from_json`."""
        members = check_tag(document, "module-mark", _VERSION, where=where)
        try:
            return cls(by=members["by"], why=members["why"], since=members["since"])
        except KeyError as error:
            raise CorruptedError(f"members are missing ({error!r})", where=where) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a library has of one name.

    :param versions: as their keys spell them. :param deprecated, yanked: what is said of versions.
    :param default: the version that the name alone stands for, if somebody said so.
    """

    versions: tuple[str, ...] = ()
    deprecated: Mapping[str, Mark] = field(default_factory=dict)
    yanked: Mapping[str, Mark] = field(default_factory=dict)
    default: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a host remembers it."""
        return tag("module-listing", _VERSION) | {
            "versions": list(self.versions),
            "deprecated": {version: mark.to_json() for version, mark in self.deprecated.items()},
            "yanked": {version: mark.to_json() for version, mark in self.yanked.items()},
            "default": self.default,
        }

    @classmethod
    def from_json(cls, document: object, *, where: str) -> Listing:
        """Read :meth:`to_json` back; errors as :meth:`PublishedModule.from_json`."""
        members = check_tag(document, "module-listing", _VERSION, where=where)
        try:
            return cls(
                versions=tuple(members["versions"]),
                deprecated={v: Mark.from_json(m, where=where) for v, m in members["deprecated"].items()},
                yanked={v: Mark.from_json(m, where=where) for v, m in members["yanked"].items()},
                default=members["default"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptedError(f"members are missing ({error!r})", where=where) from error
