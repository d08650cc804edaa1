"""What an input is, for the fingerprint: of references, of local data, and of objects by the ladder of identities."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from airflow_mlpipe.fingerprint.digest import Hasher, digest_bytes
from airflow_mlpipe.fingerprint.identity import ContentIdentity, many
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.objects import identify_objects
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.step import InputPort
from airflow_mlpipe.store.base import ObjectInfo
from airflow_mlpipe.store.located import Datastores, LocatedFolder, LocatedObjects, fixed_part, glob_expression, locate


class IndexedDatastores(Datastores, Protocol):
    """Datastores, and what this host remembers of local files."""

    @property
    def index(self) -> LocalIndex:
        """Digests of local files."""
        ...

    @property
    def cache(self) -> Path:
        """Folder of this host for what is remembered."""
        ...


def identify_input(port: InputPort, stores: IndexedDatastores) -> ContentIdentity:
    """The identity of one input; of references nothing is read.

    :raises InputError: when data are missing or unreadable. :raises PathError: when a link leaves the root.
    """
    if port.data is not None:
        return identify_data(port.data, stores)
    each = tuple(ContentIdentity.of_reference(r) for r in port.references)
    return many(each) if port.many else each[0]


def identify_data(data: DataReference, stores: IndexedDatastores) -> ContentIdentity:
    """The identity of data that existed already: the declared version, else of what is there now."""
    if data.version is not None:
        name = data.path.rpartition("/")[2]
        return ContentIdentity.declared("folder" if not name or data.is_glob else "file", data.version, filename=name)
    found = locate(data, stores)
    if isinstance(found, LocatedFolder):
        return _of_folder(data, found, stores.index)
    if data.identity == "content":
        return _of_bytes(found, stores.cache)
    return identify_objects(found.objects, root=found.root, kind=found.kind)


def _of_folder(data: DataReference, found: LocatedFolder, index: LocalIndex) -> ContentIdentity:
    if found.matches is None:
        return ContentIdentity.of_local(index.identify(found.path))
    expression = glob_expression(data.path[len(fixed_part(data.path)) :].lstrip("/"))
    content = index.identify(
        found.path, name_filter=lambda path, folder: folder or bool(expression.match(path)), filter_key=data.path
    )
    return ContentIdentity.of_local(content)


def _of_bytes(found: LocatedObjects, cache: Path) -> ContentIdentity:
    """``identity="content"``: objects are read once, and again only when the store says that they are others."""
    read = [replace(i, etag=_digest(found, i, cache), version=None) for i in found.objects]
    identity = identify_objects(read, root=found.root, kind=found.kind)
    return replace(identity, rung="digest")


def _digest(found: LocatedObjects, info: ObjectInfo, cache: Path) -> str:
    facts = [found.store.url, info.key, info.size, info.modified, info.etag, info.version]
    memo = cache / "objects" / digest_bytes(json.dumps(facts).encode()).replace(":", "_")
    try:
        return memo.read_text()
    except FileNotFoundError:
        pass
    hasher = Hasher()
    memo.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=memo.parent) as folder:
        found.store.download(info.key, Path(folder) / "object", tap=hasher.update)
        (Path(folder) / "digest").write_text(digest := hasher.digest())
        os.replace(Path(folder) / "digest", memo)
    return digest
