"""A plain copy of an output at a path of the author's choice, for readers who know nothing of digests.

The copy is complete exactly while its manifest (:data:`MANIFEST`) is there: that is removed first and written last.
Files that an earlier copy put there, and this one has not, go; files of anybody else stay.  The bytes are copied inside
the store where source and target are in one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from airflow_mlpipe.errors import CorruptedError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import blob_key
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore, check_key
from airflow_mlpipe.store.publishing import parallel_all

MANIFEST = ".mlpipe-manifest.json"
"""Of a folder: in it.  Of a file ``a/b.csv``: ``a/.b.csv.mlpipe-manifest.json``."""

PENDING = ".pending"
"""At the end of the name of a list of what may be there while no manifest is."""

Files = Mapping[str, tuple[int, str]]
"""Size and digest by relative path; the path of an output that is a file is empty."""


class Source(Protocol):
    """Where the blobs are."""

    store: ObjectStore

    def fetch(self, digest: str, target: Path) -> None:
        """Write a blob to a file."""
        ...


def export(source: Source, files: Files, prefix: str, target: ObjectStore, threads: int) -> None:
    """Make ``prefix`` of ``target`` hold these files; what is there and unchanged is not written.

    :raises ObjectNotFoundError: when a blob is gone. :raises StoreError: and its kinds.
    """
    check_key(prefix)
    manifest = manifest_key(prefix, is_file="" in files)
    before = _read(target, manifest)
    pending = _read(target, manifest + PENDING)
    earlier = {**pending, **before}
    there = {info.key: info.size for info in _listed(target, prefix, files)}
    stale = [
        path
        for path, (size, digest) in files.items()
        if before.get(path) != (size, digest) or there.get(_key(prefix, path)) != size
    ]
    gone = [path for path in earlier if path not in files]
    if not stale and not gone and before:
        if pending:  # whoever wrote the manifest was killed right after it
            target.delete([manifest + PENDING])
        return
    # Whoever is killed from here on leaves a list of everything that may be there.
    target.put(manifest + PENDING, manifest_document({**earlier, **files}))
    target.delete([manifest])
    inside = _place_in(source.store, target)
    parallel_all(lambda path: _copy(source, files[path][1], _key(prefix, path), target, inside), stale, threads)
    target.delete(_key(prefix, path) for path in gone)
    target.put(manifest, manifest_document(files))
    target.delete([manifest + PENDING])


def manifest_key(prefix: str, *, is_file: bool) -> str:
    """Where the manifest of a copy is."""
    if not is_file:
        return f"{prefix}/{MANIFEST}"
    folder, slash, name = prefix.rpartition("/")
    return f"{folder}{slash}.{name}{MANIFEST}"


def _key(prefix: str, path: str) -> str:
    return f"{prefix}/{path}" if path else prefix


def _listed(target: ObjectStore, prefix: str, files: Files) -> list[ObjectInfo]:
    if "" not in files:
        return list(target.list(prefix))
    info = target.head(prefix)
    return [] if info is None else [info]


def _copy(source: Source, digest: str, key: str, target: ObjectStore, inside: str | None) -> None:
    if inside is not None:
        target.copy(f"{inside}{blob_key(digest)}", key)
        return
    with tempfile.TemporaryDirectory(prefix="mlpipe-export-") as folder:
        file = Path(folder) / "blob"
        source.fetch(digest, file)
        target.upload(file, key)


def _place_in(store: ObjectStore, target: ObjectStore) -> str | None:
    """Where in ``target`` the root of ``store`` is, as a prefix of keys; ``None`` when it is not in it."""
    if store is target:
        return ""
    # Equal URLs may be of two servers.
    if store.server is None or store.server != target.server:
        return None
    root = f"{target.url}/"
    if not f"{store.url}/".startswith(root):
        return None
    inner = f"{store.url}/"[len(root) :]
    return unquote(inner) if root.startswith("file:") else inner


def manifest_document(files: Files) -> bytes:
    """A manifest: path, size and digest of every file, in the order of the paths."""
    rows = [[path, size, digest] for path, (size, digest) in sorted(files.items())]
    return to_bytes(tag("manifest", 1) | {"files": rows})


def _read(target: ObjectStore, key: str) -> dict[str, tuple[int, str]]:
    """The files of a manifest; nothing when there is none, or something else is there."""
    try:
        document = parse(target.get(key), "manifest", 1, where=target.uri(key))
        return {str(path): (int(size), str(digest)) for path, size, digest in document["files"]}
    except (ObjectNotFoundError, CorruptedError, KeyError, TypeError, ValueError):
        return {}
