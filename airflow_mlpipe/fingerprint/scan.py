"""One walk over a local folder: names and stats, links resolved, nothing read.

Links are followed while they stay below the root: what is published or hashed is a copy of the content.  A link that
leaves the root, points nowhere or leads back to a folder that it is in, is an error, never an omission.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_mlpipe.errors import OutputInvalidError, PathError
from airflow_mlpipe.fingerprint.statcache import Directory, Row
from airflow_mlpipe.fingerprint.tree import check_name

NameFilter = Callable[[str, bool], bool]
"""Whether a member counts: asked with its relative POSIX path, and whether it is a folder."""


@dataclass(slots=True)
class Scan:
    """What a walk found.

    :param root: a real path. :param directories: by relative path, parents before their folders; a root that is a file
        is the only row of the directory ``""``. :param single: whether the root is a file.
    """

    root: str
    directories: dict[str, Directory] = field(default_factory=dict)
    single: bool = False

    def absolute(self, directory: str) -> str:
        """Where a directory, or the file that the root is, is."""
        return os.path.join(self.root, directory) if directory else self.root


def scan(root: str, status: os.stat_result | None = None, keep: NameFilter | None = None) -> Scan:
    """Walk a real path.

    :param status: of a root that is a file; ``None`` for a folder. :param keep: which members count.
    :raises PathError: for a bad link or name. :raises OutputInvalidError: for a socket, a pipe or a device.
    :raises OSError: when something cannot be read.
    """
    found = Scan(root)
    if status is not None:
        found.single = True
        found.directories[""] = Directory([_row(os.path.basename(root), status, root)])
        return found
    waiting = [_Folder("", root, (root,))]
    while waiting:  # a stack and not recursion: a tree may be deeper than Python's stack
        waiting.extend(_scan_folder(found, waiting.pop(), keep))
    if keep is not None:
        _drop_empty(found)
    return found


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to walk: its relative path, its real one, and the real paths of the folders that lead to it."""

    path: str
    real: str
    chain: tuple[str, ...]


def _scan_folder(found: Scan, folder: _Folder, keep: NameFilter | None) -> list[_Folder]:
    """Add one directory; return its folders."""
    rows: list[Row] = []
    below: list[_Folder] = []
    prefix = f"{folder.path}/" if folder.path else ""
    with os.scandir(folder.real) as entries:
        for entry in entries:
            name, real = entry.name, entry.path
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_link := not is_folder and entry.is_symlink():
                if keep is not None and not keep(prefix + name, False) and not keep(prefix + name, True):
                    continue  # a link that does not count may point anywhere
                real = _resolve(real, found.root, folder.chain)
                is_folder = os.path.isdir(real)
            if keep is not None and not keep(prefix + name, is_folder):
                continue
            if is_folder:
                rows.append([check_name(name, where=folder.real)])
                below.append(_Folder(prefix + name, real, (*folder.chain, real)))
            else:
                rows.append(_row(name, os.stat(real) if is_link else entry.stat(follow_symlinks=False), real))
    found.directories[folder.path] = Directory(rows)
    return below


def _row(name: str, status: os.stat_result, path: str) -> Row:
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        what = "a socket" if stat.S_ISSOCK(mode) else "a pipe" if stat.S_ISFIFO(mode) else "a device"
        raise OutputInvalidError(f"this is {what}, not a file", where=path, fix="leave files and folders only")
    return [name, mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _resolve(link: str, root: str, chain: tuple[str, ...]) -> str:
    try:
        target = os.path.realpath(link, strict=True)
    except FileNotFoundError:
        raise PathError("the link points nowhere", where=link, given=os.readlink(link)) from None
    except OSError:
        raise PathError("the link forms a loop", where=link, given=os.readlink(link), fix="remove the link") from None
    if target != root and not target.startswith(root.rstrip("/") + "/"):
        raise PathError("the link leaves its folder", where=link, given=target, fix="copy the file, or move it inside")
    if target in chain:
        raise PathError(
            "the link leads back to a folder that it is in", where=link, given=target, fix="remove the link"
        )
    return target


def _drop_empty(found: Scan) -> None:
    """Leave out folders below which nothing counts, deepest first."""
    for path in reversed(list(found.directories)):
        if path and not found.directories[path].rows:
            del found.directories[path]
            parent, _, name = path.rpartition("/")
            found.directories[parent].rows.remove([name])
