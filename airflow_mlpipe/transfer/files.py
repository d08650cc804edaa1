"""The files of a transfer: as they are at the source, as they lie at the destination, and as they were delivered.

Also which of them are nobody's data: what this package puts into a datastore for itself is neither sent nor removed.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlpipe.store.base import TEMPORARY
from airflow_mlpipe.store.config import OURS
from airflow_mlpipe.store.exporting import MANIFEST, PENDING

INCOMPLETE = ".mlpipe-incomplete.json"
"""In a folder while a transfer into it is not finished, or was given up: what is there then is not the whole."""

_TAG = "tag:"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file at the source.

    :param path: relative to the source's root; of a single file, its name. :param key: in the source's store.
    :param tag: another one means that the file may have changed.
    :param trusted: whether an equal tag, seen later, means equal bytes.
    :param digest: of its bytes, where that is known without having sent it; else empty.
    """

    path: str
    key: str
    size: int
    tag: str
    trusted: bool = True
    digest: str = ""

    @property
    def content(self) -> str:
        """What stands for its bytes: the digest, else the tag."""
        return self.digest or f"{_TAG}{self.tag}"

    def with_digest(self, digest: str) -> SourceFile:
        """The same file, of which the digest is known."""
        return SourceFile(self.path, self.key, self.size, self.tag, self.trusted, digest)


@dataclass(frozen=True, slots=True)
class Found:
    """One file at the destination.  :param modified: by the store's clock, seconds since the epoch."""

    size: int
    tag: str
    modified: float


@dataclass(frozen=True, slots=True)
class Row:
    """One file that was delivered.

    :param content: its digest; ``tag:...``, where a server copied it and nobody knows the digest.
    :param source: which source it came from. :param source_tag: the file's tag there; empty when it was too young.
    :param target_tag: its tag at the destination; empty while that is not known.
    """

    path: str
    size: int
    content: str
    source: str
    source_tag: str
    target_tag: str = ""

    @property
    def digest(self) -> str:
        """The digest of its bytes; empty when it is not known."""
        return "" if self.content.startswith(_TAG) else self.content


def is_ours(key: str) -> bool:
    """Whether an object of a datastore is this package's own."""
    first, _, _ = key.partition("/")
    name = key.rpartition("/")[2]
    return first in (OURS, TEMPORARY) or name == INCOMPLETE or name.endswith((MANIFEST, MANIFEST + PENDING))
