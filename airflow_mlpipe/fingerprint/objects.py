"""The identity of objects in a store from one listing, without reading them.

The ladder, strongest first: version id; ETag and size; modification time and size.  One rung serves a whole listing,
the weakest that all of its objects reach, and is named in the identity: two rungs never give one digest.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence
from typing import Literal, Protocol

from airflow_mlpipe.errors import InputError
from airflow_mlpipe.fingerprint.canonical import dump
from airflow_mlpipe.fingerprint.identity import MOST_MEMBERS, ContentIdentity, Rung

_DOMAIN = b"mlpipe.listing/1\0"


class ListedObject(Protocol):
    """What a listing tells of an object; ``store.base.ObjectInfo`` is one."""

    @property
    def key(self) -> str:
        """Where it is."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def modified(self) -> float:
        """Seconds since the epoch, by the store's clock."""
        ...

    @property
    def etag(self) -> str | None:
        """As the store gives it."""
        ...

    @property
    def version(self) -> str | None:
        """Version id or generation."""
        ...


def identify_objects(infos: Sequence[ListedObject], *, root: str, kind: Literal["file", "folder"]) -> ContentIdentity:
    """The identity of a file (one object) or a folder (any number).

    :param root: key of the file, or of the folder without its final ``/`` (``""``: the whole store).
    :raises InputError: for a file that is not exactly one object, and for an object outside ``root``.
    """
    if kind == "file" and len(infos) != 1:
        raise InputError("this is not one object", where=root, given=f"{len(infos)} objects")
    rung = _rung(infos)
    rows = [_row(info, root, kind, rung) for info in infos]
    rows.sort()
    digest = hashlib.sha256(_DOMAIN + dump([rung, rows])).hexdigest()
    members = None
    if kind == "folder" and len(rows) <= MOST_MEMBERS:
        members = {row[0]: _member(row) for row in rows}
    return ContentIdentity(
        kind=kind,
        digest=f"listing:{digest}",
        rung=rung,
        size=sum(info.size for info in infos),
        files=len(infos),
        filename=posixpath.basename(root) if kind == "file" else "",
        members=members,
    )


def _rung(infos: Sequence[ListedObject]) -> Rung:
    # S3 calls the version of every object "null" where versioning is off or suspended: that is no version.
    if infos and all(info.version and info.version != "null" for info in infos):
        return "version"
    return "etag" if all(info.etag for info in infos) else "mtime"


def _row(info: ListedObject, root: str, kind: str, rung: Rung) -> tuple[str, str, int]:
    # A file's own name counts as ``filename``, not as a part of its content.
    return ("" if kind == "file" else _relative(info.key, root)), _value(info, rung), info.size


def _value(info: ListedObject, rung: Rung) -> str:
    if rung == "version":
        return info.version or ""
    return (info.etag or "") if rung == "etag" else repr(float(info.modified))


def _relative(key: str, root: str) -> str:
    if not root:
        return key
    prefix = f"{root.rstrip('/')}/"
    if not key.startswith(prefix):
        raise InputError("an object outside the folder", where=root, given=key)
    return key[len(prefix) :]


def _member(row: tuple[str, str, int]) -> str:
    return hashlib.sha256(dump(row[1:])).hexdigest()[:12]
