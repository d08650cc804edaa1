"""A folder as a value: one :class:`Tree` per directory, nested by digest, so that two trees differ in O(changes).

A tree says names, kinds, executable bits, sizes and digests, in one order (the bytes of the names), and nothing of
where or when: equal trees are equal folders.  An empty folder is an empty tree.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from airflow_mlpipe.errors import CorruptedError, PathError
from airflow_mlpipe.fingerprint.digest import check_digest
from airflow_mlpipe.model.documents import parse, tag, to_bytes

_DOMAIN = b"mlpipe.tree/1\0"
_KINDS = ("file", "folder")


def check_name(name: str, *, where: str = "tree") -> str:
    """Return ``name`` if it can be the name of a file or folder everywhere.

    :raises PathError: for ``.``, ``..``, an empty name, one with ``/`` or NUL, and one that is not valid UTF-8.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise PathError("not the name of a file", where=where, given=name)
    try:
        name.encode()
    except UnicodeEncodeError:
        raise PathError(
            "the name is not valid UTF-8, so no store can hold it", where=where, given=name, fix="rename the file"
        ) from None
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEntry:
    """One member of a folder.

    :param executable: whether the owner may execute the file; False for a folder.
    :param size: bytes; of a folder, of all files below it. :param files: 1, or how many files are below the folder.
    :param digest: of the bytes, or of the folder's :class:`Tree`.
    """

    name: str
    kind: Literal["file", "folder"]
    executable: bool = False
    size: int
    files: int = 1
    digest: str


EntryRow = tuple[str, Literal["file", "folder"], bool, int, int, str]
"""A :class:`TreeEntry` on its way into a document: name, kind, executable, size, files, digest."""


@dataclass(frozen=True)  # no slots: the digest is kept once computed
class Tree:
    """The content of one directory.

    :param entries: in any order; kept sorted.
    :raises PathError: for a bad name, or one that is there twice.
    """

    entries: tuple[TreeEntry, ...] = ()

    def __post_init__(self) -> None:
        # The order of code points is the order of UTF-8 bytes.
        entries = tuple(sorted(self.entries, key=lambda e: e.name))
        previous = None
        for entry in entries:
            if check_name(entry.name) == previous:
                raise PathError("this name is there twice", where="tree", given=entry.name)
            previous = entry.name
        object.__setattr__(self, "entries", entries)

    @property
    def size(self) -> int:
        """Bytes of all files below."""
        return sum(e.size for e in self.entries)

    @property
    def files(self) -> int:
        """Number of files below."""
        return sum(e.files for e in self.entries)

    @cached_property
    def digest(self) -> str:
        """``tree:<hex>``."""
        return digest_of_tree(self.to_bytes())

    def entry(self, name: str) -> TreeEntry | None:
        """The member of this name."""
        return next((e for e in self.entries if e.name == name), None)

    def as_entry(self, name: str) -> TreeEntry:
        """This folder as a member of another."""
        return TreeEntry(name=name, kind="folder", size=self.size, files=self.files, digest=self.digest)

    def to_bytes(self) -> bytes:
        """The document in the store; an entry is the list ``[name, kind, executable, size, files, digest]``."""
        return write_rows([(e.name, e.kind, e.executable, e.size, e.files, e.digest) for e in self.entries])

    @classmethod
    def from_rows(cls, rows: Iterable[EntryRow]) -> Tree:
        """The tree of rows that this process made.  :raises PathError: for a bad or double name."""
        return cls(
            tuple(
                TreeEntry(name=name, kind=kind, executable=executable, size=size, files=files, digest=digest)
                for name, kind, executable, size, files, digest in rows
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str = "tree") -> Tree:
        """Read :meth:`to_bytes` back.

        :raises CorruptedError: for anything that :meth:`to_bytes` does not write, unsorted or double names included.
        :raises WorkspaceVersionError: when it is newer.
        """
        document = parse(data, "tree", 1, where=where)
        rows = document.get("entries")
        if not isinstance(rows, list):
            raise CorruptedError("a tree without entries", where=where)
        entries = tuple(_entry(row, where) for row in rows)
        if any(a.name >= b.name for a, b in itertools.pairwise(entries)):
            raise CorruptedError("the names are not in order", where=where)
        return cls(entries)


def write_rows(rows: list[EntryRow]) -> bytes:
    """The document of a tree whose rows are in order and whose names are checked."""
    return to_bytes(tag("tree", 1) | {"entries": rows})


def digest_of_tree(data: bytes) -> str:
    """The digest of a tree's bytes; not that of the same bytes as a file."""
    return f"tree:{hashlib.sha256(_DOMAIN + data).hexdigest()}"


def _entry(row: Any, where: str) -> TreeEntry:
    if not isinstance(row, list) or [type(m) for m in row] != [str, str, bool, int, int, str]:
        raise CorruptedError("not an entry of a tree", where=where, given=row)
    name, kind, executable, size, files, digest = row
    folder = kind == "folder"
    try:
        check_name(name, where=where)
    except PathError as error:
        raise CorruptedError("not the name of a file", where=where, given=name) from error
    if kind not in _KINDS or size < 0 or files < 0 or (executable if folder else files != 1):
        raise CorruptedError("not an entry of a tree", where=where, given=row)
    if check_digest(digest).startswith("tree:") != folder:
        raise CorruptedError("a digest of the wrong kind", where=where, given=row)
    return TreeEntry(name=name, kind=kind, executable=executable, size=size, files=files, digest=digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeDiff:
    """What differs between two folders: relative POSIX paths, sorted; an empty folder ends with ``/``."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


Load = Callable[[str], Tree]
"""Gives the tree of a digest."""


def walk(tree: Tree, load: Load, prefix: str = "") -> Iterator[tuple[str, TreeEntry]]:
    """Every entry below a tree with its relative path, folders before their members."""
    for entry in tree.entries:
        path = prefix + entry.name
        yield path, entry
        if entry.kind == "folder":
            yield from walk(load(entry.digest), load, f"{path}/")


def diff(old: Tree, new: Tree, load: Load) -> TreeDiff:
    """What differs; subtrees of the same digest are not loaded.

    :param load: gives the tree of a digest of a folder below ``old`` or ``new``; its errors pass through.
    """
    found: dict[str, list[str]] = {"added": [], "removed": [], "changed": []}
    _diff(old, new, load, "", found)
    return TreeDiff(**{name: tuple(sorted(paths)) for name, paths in found.items()})


_EMPTY = Tree().digest


def _diff(old: Tree, new: Tree, load: Load, prefix: str, found: dict[str, list[str]]) -> None:
    before = {e.name: e for e in old.entries}
    after = {e.name: e for e in new.entries}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        # An empty folder is named itself; once it has members, they are.
        if was and now and was.kind == now.kind == "folder" and _EMPTY not in (was.digest, now.digest):
            _diff(load(was.digest), load(now.digest), load, f"{prefix}{name}/", found)
        elif was and now and was.kind == now.kind == "file":
            found["changed"].append(prefix + name)
        else:
            found["removed"].extend(_leaves(was, load, prefix))
            found["added"].extend(_leaves(now, load, prefix))


def _leaves(entry: TreeEntry | None, load: Load, prefix: str) -> Iterator[str]:
    if entry is None:
        return
    if entry.kind == "file":
        yield prefix + entry.name
    elif tree := load(entry.digest).entries:
        for member in tree:
            yield from _leaves(member, load, f"{prefix}{entry.name}/")
    else:
        yield f"{prefix}{entry.name}/"
