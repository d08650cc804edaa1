"""The port to every object store: what the rest of ``store`` needs of a datastore, and nothing more.

Keys are ``/``-separated, relative to the store's root, never start with ``/`` and never hold ``.`` or ``..`` parts
(:func:`check_key`), so no key can leave the root.  ``airflow_mlpipe.testing.StoreContract`` is the executable form of
this page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airflow_mlpipe.errors import PathError


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What one LIST or HEAD tells of an object.

    :param key: relative to the store's root. :param size: bytes. :param modified: seconds since the epoch by the
        *store's* clock. :param etag: as the store gives it, without quotes. :param version: version id or generation.
    """

    key: str
    size: int
    modified: float
    etag: str | None = None
    version: str | None = None


TEMPORARY = ".mlpipe-tmp"
"""Folder below a store's root for what is only there for a moment: unfinished writes, probes.  Never listed, no key."""


def check_key(key: str) -> str:
    """Return ``key`` if it stays below the root.

    :raises PathError: for an empty, absolute or climbing key, one with NUL, a backslash or an empty part, or one in
        :data:`TEMPORARY`.
    """
    parts = key.split("/")
    if "\x00" in key or "\\" in key or any(p in ("", ".", "..") for p in parts) or parts[0] == TEMPORARY:
        raise PathError("not a key below the store's root", where="store", given=key)
    return key


Tap = Callable[[memoryview], object]
"""Sees the bytes of a transfer as they pass, in order, and at the end, before anything becomes visible, once an empty
view: hashing happens while bytes move, and an error that it raises, then at the latest, undoes the transfer."""


class ObjectStore(Protocol):
    """A datastore's root.

    Every method may raise :class:`~airflow_mlpipe.errors.StoreUnavailableError` (after the implementation's own
    retries with back-off) and :class:`~airflow_mlpipe.errors.StoreError` (refused: credentials, permissions, quota).
    """

    url: str
    """The root's URL, without credentials, without a final ``/``."""

    server: object
    """Equal for two stores whose objects one server can copy from one to the other; ``None``: not known."""

    @property
    def creates_exclusively(self) -> bool:
        """Whether :meth:`create` is atomic here.  Probed once per store, by writing the same key twice."""
        ...

    def get(self, key: str) -> bytes:
        """Whole object.  :raises ObjectNotFoundError: when it is not there."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Write or overwrite, atomically: a reader sees the old bytes or the new."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Write only if absent; of any number of racing callers exactly one gets ``True``.

        Where the store cannot (:attr:`creates_exclusively` is false) it is a check and a write.
        """
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """One object's facts, or ``None``."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Every object below ``prefix`` (a folder: ``"a"`` lists ``a/b`` and not ``ab``), in no particular order."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove; a key that is not there is no error."""
        ...

    def upload(self, path: Path, key: str, *, tap: Tap | None = None) -> None:
        """Write a local file, streaming, in bounded memory, atomically; overwrites."""
        ...

    def download(self, key: str, path: Path, *, tap: Tap | None = None) -> None:
        """Write an object into a local file that must not exist, streaming.

        :raises ObjectNotFoundError: when it is not there.  A failure leaves no file.
        """
        ...

    def copy(self, source: str, target: str) -> None:
        """Server-side copy within the store; overwrites.  :raises ObjectNotFoundError: when there is no source."""
        ...

    def touch(self, key: str) -> bool:
        """Make ``modified`` of an object now, so that gc sees that it is wanted; ``False`` when it is gone."""
        ...

    def now(self) -> float:
        """The store's clock, seconds since the epoch (from the modification time of an object just written)."""
        ...

    def uri(self, key: str) -> str:
        """Full URL of an object, without credentials."""
        ...
