"""Where data go: a file or a folder of a datastore, and the marks that say whether the folder is whole.

Two marks, both this package's own: a manifest *beside* the folder (``a/.b.mlpipe-manifest.json`` of ``a/b``), which is
removed first and written last; and a file *in* it, written first and removed last (:data:`.files.INCOMPLETE`), so that
a half-filled folder does not look whole to somebody who knows of no manifest.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.errors import ObjectNotFoundError, PathError
from airflow_mlpipe.model.data import Kind
from airflow_mlpipe.model.documents import tag, to_bytes
from airflow_mlpipe.store.base import TEMPORARY, ObjectStore, check_key
from airflow_mlpipe.store.config import OURS
from airflow_mlpipe.store.exporting import MANIFEST, manifest_document, manifest_key
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.oserrors import os_errors
from airflow_mlpipe.transfer.files import INCOMPLETE, Found, Row, is_ours
from airflow_mlpipe.transfer.source import local_tag, object_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A place in a datastore.

    :param root: key of the file, or of the folder (empty: the store's root).
    :raises PathError: for a root that is no key, or is this package's own.
    """

    store: ObjectStore
    root: str
    kind: Kind

    def __post_init__(self) -> None:
        if self.root and is_ours(check_key(self.root)):
            raise PathError("this place is airflow_mlpipe's own", where=self.store.url, given=self.root)
        if self.kind == "file" and not self.root:
            raise PathError("a file needs a name", where=self.store.url, fix="give the destination a path")

    @property
    def uri(self) -> str:
        """For people and for lineage."""
        return self.store.uri(self.root) if self.root else self.store.url

    def key(self, path: str) -> str:
        """Where a file goes.  :raises PathError: for a path that leaves the folder."""
        if self.kind == "file":
            return self.root
        key = check_key(f"{self.root}/{path}" if self.root else path)
        if is_ours(key):
            raise PathError("a file of this name is airflow_mlpipe's own", where=self.store.url, given=key)
        return key

    def check_links(self, keys: Iterable[str]) -> None:
        """:raises PathError: when a link would lead a file, or the removal of one, out of the datastore's root."""
        if not isinstance(self.store, LocalObjectStore):
            return
        top = os.path.realpath(self.store.root)
        folders = {key.rpartition("/")[0] for key in keys} | ({self.root} if self.kind == "folder" else set())
        for folder in sorted(folders):
            real = os.path.realpath(self.store.root / folder)
            if real != top and not real.startswith(f"{top.rstrip('/')}/"):
                raise PathError(
                    "a link leads out of the datastore's root", where=f"{self.store.url}/{folder}", given=real
                )

    def files(self) -> tuple[dict[str, Found], bool]:
        """What is there now by relative path, and whether it is marked as whole.  One listing."""
        if self.kind == "file":
            return self._single(), True
        found: dict[str, Found] = {}
        broken = False
        start = len(self.root) + 1 if self.root else 0
        for key, one in self._listed():
            if is_ours(key):
                broken = broken or key[start:] == INCOMPLETE
            else:
                found[key[start:]] = one
        return found, not broken and self.store.head(self._manifest) is not None

    def some(self, paths: Iterable[str]) -> dict[str, Found]:
        """A few files, each asked for."""
        return {path: one for path in paths if (one := self._one(self.key(path))) is not None}

    def begin(self) -> None:
        """From now on the folder is not whole."""
        if self.kind == "folder":
            self.store.put(self._sign, to_bytes(tag("incomplete", 1)))
            self.unmark()

    def unmark(self) -> None:
        """From now on there is no manifest."""
        if self.kind == "folder":
            self.store.delete([self._manifest])

    def publish(self, rows: Iterable[Row]) -> None:
        """From now on it is."""
        if self.kind == "folder":
            files = {row.path: (row.size, row.digest) for row in rows}
            self.store.delete([self._sign])
            self.store.put(self._manifest, manifest_document(files))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files; only such as are below the root."""
        self.store.delete([self.key(path) for path in paths])

    @property
    def _manifest(self) -> str:
        return manifest_key(self.root, is_file=True) if self.root else MANIFEST

    @property
    def _sign(self) -> str:
        return f"{self.root}/{INCOMPLETE}" if self.root else INCOMPLETE

    def _single(self) -> dict[str, Found]:
        one = self._one(self.root)
        return {} if one is None else {"": one}

    def _one(self, key: str) -> Found | None:
        if isinstance(self.store, LocalObjectStore):
            return _local(self.store, key)
        info = self.store.head(key)
        return None if info is None else Found(info.size, object_tag(info), info.modified)

    def _listed(self) -> Iterator[tuple[str, Found]]:
        if isinstance(self.store, LocalObjectStore):
            yield from _walk(self.store, self.root)
            return
        for info in self.store.list(self.root):
            if not info.key.endswith("/"):
                yield info.key, Found(info.size, object_tag(info), info.modified)


def _local(store: LocalObjectStore, key: str) -> Found | None:
    path = store.path(key)
    try:
        with os_errors(store.url, "head", path, absent=True):
            status = path.stat()
    except ObjectNotFoundError:
        return None
    return _found(status) if stat.S_ISREG(status.st_mode) else None


def _walk(store: LocalObjectStore, root: str) -> Iterator[tuple[str, Found]]:
    """Files below a local folder; links to folders are not followed, as in the store's own listing."""
    top: Path = store.path(root) if root else store.root
    folders = [(str(top), f"{root}/" if root else "")]
    while folders:
        folder, start = folders.pop()
        with os_errors(store.url, "list", Path(folder), missing_ok=True), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if start or entry.name not in (TEMPORARY, OURS):
                        folders.append((entry.path, f"{start}{entry.name}/"))
                    continue
                with contextlib.suppress(FileNotFoundError):  # deleted since the folder was read, or a dangling link
                    status = entry.stat()
                    if stat.S_ISREG(status.st_mode):
                        yield f"{start}{entry.name}", _found(status)


def _found(status: os.stat_result) -> Found:
    return Found(status.st_size, local_tag(status), status.st_mtime_ns / 1e9)
