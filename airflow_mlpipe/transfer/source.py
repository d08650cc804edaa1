"""Where data come from: a file, a folder or a glob of a datastore, or what a step published by digest.

A listing tells of every file a tag that changes when the file does.  Of local files it is made of their stats, with the
change time, which catches what keeps modification times; of objects it is the store's version, ETag or time.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from airflow_mlpipe.errors import InputError, PathError
from airflow_mlpipe.fingerprint.digest import blob_key
from airflow_mlpipe.fingerprint.scan import scan
from airflow_mlpipe.fingerprint.statcache import RACY_NS, Row, trusted
from airflow_mlpipe.model.data import DataReference, Kind
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore, check_key
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.located import Datastores, Located, LocatedFolder, LocatedObjects, glob_expression, locate
from airflow_mlpipe.transfer.files import SourceFile, is_ours


class Source(Protocol):
    """Something that can be listed, now and again."""

    @property
    def store(self) -> ObjectStore:
        """The store that it is in."""
        ...

    @property
    def root(self) -> str:
        """Key of the file, or of the folder (empty: the store's root)."""
        ...

    @property
    def kind(self) -> Kind:
        """File or folder."""
        ...

    @property
    def name(self) -> str:
        """Of a file, its name; of a folder, the last part of its path."""
        ...

    @property
    def movable(self) -> bool:
        """Whether its files are somebody's, who may change them, and may be removed."""
        ...

    @property
    def id(self) -> str:
        """Tells it from any other source."""
        ...

    def covers(self, key: str) -> bool:
        """Whether a file of this key in the source's store would be one of the source's."""
        ...

    def takes(self, path: str) -> bool:
        """Whether a file of this path, relative to the root, would be one of the source's."""
        ...

    def files(self) -> list[SourceFile]:
        """What is there now, this package's own files left out.  :raises InputError: when there is nothing."""
        ...


class DataSource:
    """Data of a datastore.

    :raises InputError: when nothing is there. :raises PathError: when a link leads out of the datastore's root.
    """

    movable = True

    def __init__(self, data: DataReference, stores: Datastores) -> None:
        self._data, self._stores = data, stores
        self._found: Located | None = locate(data, stores)
        self.store = stores.datastore(data.datastore)
        self.kind: Kind = self._found.kind
        if isinstance(self._found, LocatedObjects):
            self.root = self._found.root
        else:
            top = stores.local_root(data.datastore)
            relative = os.path.relpath(self._found.path, top or "/").replace(os.sep, "/")
            self.root = "" if relative == "." else relative

    @property
    def name(self) -> str:
        """See :class:`Source`."""
        return self.root.rpartition("/")[2]

    @property
    def id(self) -> str:
        """See :class:`Source`."""
        return f"{self.store.url}/{self.root}"

    def covers(self, key: str) -> bool:
        """See :class:`Source`."""
        if self._data.is_glob:
            return bool(glob_expression(self._data.path).match(key))
        return key == self.root or not self.root or key.startswith(f"{self.root}/")

    def takes(self, path: str) -> bool:
        """See :class:`Source`."""
        return self.covers(f"{self.root}/{path}" if self.root else path)

    def files(self) -> list[SourceFile]:
        """See :class:`Source`."""
        # What was found when this was made is one listing already.
        found, self._found = self._found or locate(self._data, self._stores), None
        return _local(found, self) if isinstance(found, LocatedFolder) else _objects(found, self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentSource:
    """What a step published: blobs, whose digests are known and which never change."""

    reference: OutputReference
    contents: Contents
    movable: bool = False

    @property
    def store(self) -> ObjectStore:
        """See :class:`Source`."""
        return self.contents.store

    @property
    def root(self) -> str:
        """See :class:`Source`."""
        return "blobs"

    @property
    def kind(self) -> Kind:
        """See :class:`Source`."""
        return self.reference.kind

    @property
    def name(self) -> str:
        """See :class:`Source`."""
        return self.reference.filename or self.reference.name

    @property
    def id(self) -> str:
        """Digests say all, wherever they are."""
        return "contents"

    def covers(self, key: str) -> bool:
        """See :class:`Source`."""
        return False

    def takes(self, path: str) -> bool:
        """See :class:`Source`."""
        return True

    def files(self) -> list[SourceFile]:
        """See :class:`Source`."""
        one = self.reference
        if one.kind == "file":
            return [SourceFile(self.name, blob_key(one.digest), one.size, one.digest, True, one.digest)]
        return [
            SourceFile(path, blob_key(entry.digest), entry.size, entry.digest, True, entry.digest)
            for path, entry in self.contents.walk(one.digest)
            if entry.kind == "file"
        ]


def local_tag(status: os.stat_result) -> str:
    """What changes when a local file does."""
    return f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}-{status.st_size:x}"


def object_tag(info: ObjectInfo) -> str:
    """What changes when an object does."""
    return f"v:{info.version}" if info.version else f"e:{info.etag}" if info.etag else f"m:{info.modified!r}"


def _local(found: LocatedFolder, source: DataSource) -> list[SourceFile]:
    try:
        return _scanned(found, source)
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(error.filename or found.path)) from error


def _scanned(found: LocatedFolder, source: DataSource) -> list[SourceFile]:
    now = time.time_ns()
    real = os.path.realpath(found.path)
    if found.kind == "file":
        status = os.stat(real)
        if not stat.S_ISREG(status.st_mode):
            raise InputError("neither a file nor a folder", where=str(found.path))
        row = [source.name, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        return [_of_row(source.name, source.root, row, now)]
    wanted = None if found.matches is None else frozenset(found.matches)
    files = []
    walked = scan(real, keep=None if wanted is None else lambda path, folder: folder or path in wanted)
    for folder, directory in walked.directories.items():
        start = f"{folder}/" if folder else ""
        for row in directory.rows:
            if len(row) > 1:
                path = f"{start}{row[0]}"
                files.append(_of_row(path, f"{source.root}/{path}" if source.root else path, row, now))
    return [file for file in files if not is_ours(file.key)]


def _of_row(path: str, key: str, row: Row, now: int) -> SourceFile:
    _, _, size, modified, changed, inode = row
    return SourceFile(path, key, size, f"{inode:x}-{modified:x}-{changed:x}-{size:x}", trusted(row, now))


def _objects(found: LocatedObjects, source: DataSource) -> list[SourceFile]:
    young = time.time() - RACY_NS / 1e9
    return [
        SourceFile(
            source.name if found.kind == "file" else _relative(info.key, found.root),
            _checked(info.key, source),
            info.size,
            object_tag(info),
            bool(info.version or info.etag) or info.modified < young,
        )
        for info in _ours_left_out(found.objects)
    ]


def _ours_left_out(objects: tuple[ObjectInfo, ...]) -> Iterator[ObjectInfo]:
    return (info for info in objects if not is_ours(info.key))


def _checked(key: str, source: DataSource) -> str:
    try:
        return check_key(key)
    except PathError as error:
        raise PathError(
            "an object's key cannot be a path",
            where=source.id,
            given=key,
            valid="parts between single slashes, none of them . or ..",
            fix="rename it, or leave it out: name what is wanted by a glob",
        ) from error


def _relative(key: str, root: str) -> str:
    return key[len(root) + 1 :] if root else key
