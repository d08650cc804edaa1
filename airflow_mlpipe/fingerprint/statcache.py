"""What was known of a local folder when it was last read: stat rows and digests, one small file per root.

It is a cache: anything unexpected in it is the same as its absence, two processes may write it at once (the last one
wins), and deleting it costs time only.  A stored row stands for its digest only if it could be trusted when it was
written (:func:`trusted`); the others are stored as ``None``, which equals no row.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RACY_NS = 2 * 10**9
"""Younger than this, a file may change again without its times changing.  Two seconds is the coarsest clock of a file
system (FAT); git has the same rule (Documentation/technical/racy-git.txt)."""

Row = list[Any]
"""``[name]`` of a folder; ``[name, mode, size, mtime_ns, ctime_ns, inode]`` of a file."""

_FORMAT = "mlpipe.statcache/1"


@dataclass(slots=True)
class Directory:
    """One directory of a root.

    :param rows: of its members, in the order that the system lists them. :param digests: of the members, likewise.
    :param tree: digest of the directory's tree. :param size: bytes below. :param files: files below.
    """

    rows: list[Row]
    digests: list[str] = field(default_factory=list)
    tree: str = ""
    size: int = 0
    files: int = 0


def trusted(row: Row, now_ns: int) -> bool:
    """Whether an equal row, seen later, means equal bytes.

    The change time is what catches ``cp -p`` and restored modification times.  A time in the future is never trusted:
    it says nothing about what happens between now and then.

    :param now_ns: when reading began, nanoseconds since the epoch.
    """
    limit = now_ns - RACY_NS
    return len(row) == 1 or (row[3] < limit and row[4] < limit)


def load(cache: Path | None, root: str, purpose: str = "") -> dict[str, Directory]:
    """What is remembered of a root: its directories by relative path; nothing if nothing usable is."""
    if cache is None:
        return {}
    try:
        checksum, _, body = _file(cache, root, purpose).read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != checksum:
            return {}
        document = json.loads(body)
        if document["format"] != _FORMAT or document["root"] != root:
            return {}
        return {path: _directory(*members) for path, members in document["directories"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _directory(rows: list[Row], digests: list[str], tree: str, size: int, files: int) -> Directory:
    if type(rows) is not list or type(digests) is not list or len(rows) != len(digests) or type(tree) is not str:
        raise ValueError("not a directory of the cache")
    return Directory(rows, digests, tree, size, files)


def save(cache: Path | None, root: str, directories: dict[str, Directory], now_ns: int, purpose: str = "") -> None:
    """Remember.  A cache that cannot be written is not an error: the answer does not depend on it."""
    if cache is None:
        return
    members = {
        path: [[row if trusted(row, now_ns) else None for row in d.rows], d.digests, d.tree, d.size, d.files]
        for path, d in directories.items()
    }
    document = {"format": _FORMAT, "root": root, "directories": members}
    body = json.dumps(document, separators=(",", ":")).encode()
    with contextlib.suppress(OSError):
        write_atomically(_file(cache, root, purpose), hashlib.sha256(body).hexdigest().encode() + b"\n" + body)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file of the cache so that a reader sees all of it or none.

    :raises OSError: when it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _file(cache: Path, root: str, purpose: str) -> Path:
    key = hashlib.sha256(f"{root}\0{purpose}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return cache / "stat" / f"{key}.json"
