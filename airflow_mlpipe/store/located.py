"""Where the data of a DataReference are: one file, one folder, or the matches of a glob.

The one place that turns a reference into paths or keys, for the fingerprint and for staging alike, so that what is
hashed is what is staged.  A glob means the same on every store: ``*`` and ``?`` do not cross ``/``, ``**`` does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airflow_mlpipe.errors import InputError, PathError
from airflow_mlpipe.model.data import DataReference, Datastore, Kind
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore


class Datastores(Protocol):
    """Opens datastores by name."""

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """The root of a datastore."""
        ...

    def local_root(self, datastore: Datastore) -> Path | None:
        """The folder of a datastore that is one; ``None`` for any other."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedFolder:
    """Data in a folder of this machine.

    :param path: the file or folder; of a glob, the folder that its fixed part names.
    :param matches: of a glob, the paths of the matching files relative to ``path``, sorted.
    """

    kind: Kind
    path: Path
    matches: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedObjects:
    """Data in an object store.

    :param root: the key of the file, or the prefix of the folder (without a final ``/``, empty for the store's root).
    :param objects: what one listing told, sorted by key.
    """

    kind: Kind
    store: ObjectStore
    root: str
    objects: tuple[ObjectInfo, ...]


Located = LocatedFolder | LocatedObjects


def locate(data: DataReference, stores: Datastores) -> Located:
    """Find the data of a reference.

    :raises InputError: when nothing is there. :raises PathError: when a link leads out of the datastore's root.
    """
    folder = stores.local_root(data.datastore)
    if folder is not None:
        return _locate_local(data, folder)
    return _locate_objects(data, stores.datastore(data.datastore))


def fixed_part(pattern: str) -> str:
    """The folders of a glob before its first wildcard: ``raw/2026-*/a.csv`` gives ``raw``."""
    parts = pattern.split("/")
    first = next(i for i, part in enumerate(parts) if set(part) & set("*?["))
    return "/".join(parts[:first])


def glob_expression(pattern: str) -> re.Pattern[str]:
    """A glob as a regular expression on whole ``/``-separated paths."""
    out, i = "", 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out, i = out + r"(?:[^/]+/)*", i + 3
        elif pattern.startswith("**", i):
            out, i = out + ".*", i + 2
        elif pattern[i] == "*":
            out, i = out + "[^/]*", i + 1
        elif pattern[i] == "?":
            out, i = out + "[^/]", i + 1
        elif pattern[i] == "[" and (end := pattern.find("]", i + 2)) > 0:
            inner = pattern[i + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            out, i = out + f"[{'^' + inner[1:] if inner[0] == '!' else inner}]", end + 1
        else:
            out, i = out + re.escape(pattern[i]), i + 1
    return re.compile(out + r"\Z", re.DOTALL)


def _where(data: DataReference) -> str:
    return f"input {data.name!r} ({data.path or '/'} in datastore {data.datastore.name!r})"


def _missing(data: DataReference, looked: str) -> InputError:
    what = "nothing matches" if data.is_glob else "the data are not there"
    return InputError(
        what, where=_where(data), given=looked, fix="check the path, or write the data before this step runs"
    )


def _locate_local(data: DataReference, root: Path) -> LocatedFolder:
    relative = fixed_part(data.path) if data.is_glob else data.path.rstrip("/")
    path = root / relative if relative else root
    real, real_root = os.path.realpath(path), os.path.realpath(root)
    if os.path.commonpath([real, real_root]) != real_root:
        raise PathError("a link leads out of the datastore's root", where=_where(data), given=real)
    if not os.path.exists(path):
        raise _missing(data, str(path))
    if not data.is_glob:
        kind: Kind = "folder" if os.path.isdir(path) else "file"
        if kind == "file" and data.path.endswith("/"):
            raise InputError("a folder is wanted, and this is a file", where=_where(data), given=str(path))
        return LocatedFolder(kind=kind, path=path)
    expression = glob_expression(data.path[len(relative) :].lstrip("/"))
    matches = tuple(sorted(m for m in _files(path) if expression.match(m)))
    if not matches:
        raise _missing(data, f"{root}/{data.path}")
    return LocatedFolder(kind="folder", path=path, matches=matches)


def _files(root: Path) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        base = os.path.relpath(folder, root).replace(os.sep, "/")
        for name in names:
            yield name if base == "." else f"{base}/{name}"


def _locate_objects(data: DataReference, store: ObjectStore) -> LocatedObjects:
    root = fixed_part(data.path) if data.is_glob else data.path.rstrip("/")
    if root and not data.is_glob and not data.path.endswith("/") and (info := store.head(root)) is not None:
        return LocatedObjects(kind="file", store=store, root=root, objects=(info,))
    found = [i for i in store.list(root) if not i.key.endswith("/")]
    if data.is_glob:
        expression = glob_expression(data.path)
        found = [i for i in found if expression.match(i.key)]
    if not found:
        raise _missing(data, store.uri(data.path.rstrip("/")) if data.path else store.url)
    return LocatedObjects(kind="folder", store=store, root=root, objects=tuple(sorted(found, key=lambda i: i.key)))
