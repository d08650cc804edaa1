"""The identity of files and folders on local disk, at the price of a walk when nothing changed.

``LocalIndex(cache).identify(path)`` reads every byte the first time and afterwards only what may have changed: a file
counts as unchanged if its size, modification time, change time and inode are those remembered, and were no longer young
then (:mod:`.statcache`).  Directories are compared as lists, at the speed of C, and keep their tree's digest.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from airflow_mlpipe.errors import InputError, PathError
from airflow_mlpipe.fingerprint import statcache
from airflow_mlpipe.fingerprint.hashing import FileJob, digest_files
from airflow_mlpipe.fingerprint.scan import NameFilter, Scan, scan
from airflow_mlpipe.fingerprint.statcache import Directory
from airflow_mlpipe.fingerprint.tree import EntryRow, Tree, TreeEntry, check_name, digest_of_tree, walk, write_rows

_OWNER_MAY_EXECUTE = stat.S_IXUSR


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalContent:
    """What a path holds.

    :param name: the last part of the path. :param digest: of the file's bytes, or of the folder's tree.
    :param size: bytes of content. :param files: number of files. :param executable: of a file.
    :param trees: of a folder: every nested tree by its digest, the folder's own included.
    """

    name: str
    kind: Literal["file", "folder"]
    digest: str
    size: int
    files: int = 1
    executable: bool = False
    trees: Mapping[str, Tree] = field(default_factory=dict, repr=False, compare=False)

    def walk(self) -> Iterator[tuple[str, TreeEntry]]:
        """Every entry with its path relative to the folder (POSIX), folders before members; a file is its own entry."""
        if self.kind == "folder":
            yield from walk(self.trees[self.digest], self.trees.__getitem__)
        else:
            yield self.name, self.entry()

    def entry(self, name: str | None = None) -> TreeEntry:
        """This content as a member of a tree."""
        return TreeEntry(
            name=name or self.name,
            kind=self.kind,
            executable=self.executable,
            size=self.size,
            files=self.files,
            digest=self.digest,
        )


class LocalIndex:
    """Identities of local paths, remembered.

    :param cache: folder for what is remembered; ``None``: nothing is.
    :param clock: nanoseconds since the epoch; a parameter so that tests can say what time it is.
    """

    def __init__(self, cache: Path | None, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._cache = cache
        self._clock = clock

    @property
    def cache(self) -> Path | None:
        """Folder for what is remembered."""
        return self._cache

    def identify(
        self, path: Path, *, name_filter: NameFilter | None = None, filter_key: str = "", threads: int | None = None
    ) -> LocalContent:
        """What a path holds now.

        :param name_filter: which members count, asked with the relative path and whether it is a folder; folders in
            which nothing counts are left out. :param filter_key: tells filters of one root apart in the cache.
        :param threads: that read and hash; by default one per core.
        :raises InputError: when it is not there or unreadable. :raises InputChangedError: when it changes meanwhile.
        :raises PathError: for a link that leaves the folder, points nowhere or forms a loop, and for a bad name.
        :raises OutputInvalidError: for a socket, a pipe or a device.
        """
        now = self._clock()
        try:
            root = os.path.realpath(path, strict=True)
            status = os.stat(root)
            if stat.S_ISDIR(status.st_mode):
                return self._folder(root, path.name, name_filter, filter_key, threads, now)
            return self._file(root, path.name, status, threads, now)
        except FileNotFoundError as error:
            raise InputError("there is no such file or folder", where=str(error.filename or path)) from error
        except OSError as error:
            if "loop" in str(error).lower():
                raise PathError("the link forms a loop", where=str(path), fix="remove the link") from error
            raise InputError(f"cannot be read ({error.strerror})", where=str(error.filename or path)) from error

    def digest_of(self, path: Path) -> str:
        """The digest of a path, as :meth:`identify` finds it; same errors."""
        return self.identify(path).digest

    def _file(self, root: str, name: str, status: os.stat_result, threads: int | None, now: int) -> LocalContent:
        found = scan(root, status)
        known = statcache.load(self._cache, root)
        _complete(found, known, threads)
        if known.get("") != found.directories[""]:
            statcache.save(self._cache, root, found.directories, now)
        row, digest = found.directories[""].rows[0], found.directories[""].digests[0]
        executable = bool(row[1] & _OWNER_MAY_EXECUTE)
        return LocalContent(name=name, kind="file", digest=digest, size=row[2], executable=executable)

    def _folder(
        self, root: str, name: str, name_filter: NameFilter | None, filter_key: str, threads: int | None, now: int
    ) -> LocalContent:
        purpose = f"filter:{filter_key}" if name_filter else ""
        found = scan(root, None, name_filter)
        known = statcache.load(self._cache, root, purpose)
        changed = _complete(found, known, threads)
        _build_trees(found, known, changed)
        if changed or len(known) != len(found.directories):
            statcache.save(self._cache, root, found.directories, now, purpose)
        top = found.directories[""]
        trees = _Trees(found.directories)
        return LocalContent(name=name, kind="folder", digest=top.tree, size=top.size, files=top.files, trees=trees)


def _complete(found: Scan, known: dict[str, Directory], threads: int | None) -> set[str]:
    """Fill in the digests of all files; return the directories whose rows are not exactly those known."""
    changed: set[str] = set()
    jobs: list[FileJob] = []
    for path, directory in found.directories.items():
        before = known.get(path)
        if before is not None and before.rows == directory.rows:
            directory.digests = before.digests
            continue
        changed.add(path)
        pairs = zip(before.rows, before.digests, strict=True) if before else ()
        rows = {row[0]: (row, digest) for row, digest in pairs if row}
        directory.digests = digests = [""] * len(directory.rows)
        folder = found.absolute(path)
        for i, row in enumerate(directory.rows):
            if len(row) == 1:
                continue
            was, digest = rows.get(row[0], (None, ""))
            if was == row:
                digests[i] = digest
            else:
                check_name(row[0], where=folder)
                jobs.append(FileJob(folder if found.single else f"{folder}/{row[0]}", row[2], digests, i))
    digest_files(jobs, threads)
    return changed


def _build_trees(found: Scan, known: dict[str, Directory], changed: set[str]) -> None:
    """Fill in the trees' digests, deepest first; mark as changed what a changed folder is in."""
    for path in reversed(found.directories):  # parents are found before their folders
        directory = found.directories[path]
        prefix = f"{path}/" if path else ""
        folders = [(i, found.directories[prefix + row[0]]) for i, row in enumerate(directory.rows) if len(row) == 1]
        if path not in changed and all(directory.digests[i] == folder.tree for i, folder in folders):
            before = known[path]
            directory.tree, directory.size, directory.files = before.tree, before.size, before.files
            continue
        changed.add(path)
        directory.digests = list(directory.digests)
        for i, folder in folders:
            directory.digests[i] = folder.tree
        rows = _entry_rows(directory, dict(folders))
        directory.tree = digest_of_tree(write_rows(rows))
        directory.size, directory.files = sum(r[3] for r in rows), sum(r[4] for r in rows)


def _entry_rows(directory: Directory, folders: dict[int, Directory]) -> list[EntryRow]:
    """The rows of a directory's tree, without a value for each: there may be many thousand."""
    rows: list[EntryRow] = []
    for i, (row, digest) in enumerate(zip(directory.rows, directory.digests, strict=True)):
        if len(row) == 1:
            rows.append((row[0], "folder", False, folders[i].size, folders[i].files, digest))
        else:
            rows.append((row[0], "file", bool(row[1] & _OWNER_MAY_EXECUTE), row[2], 1, digest))
    rows.sort()  # by name: no two are equal
    return rows


class _Trees(Mapping[str, Tree]):
    """Trees by digest, made when asked for: deciding that nothing changed needs none of them."""

    def __init__(self, directories: dict[str, Directory]) -> None:
        self._directories = directories
        self._paths = {directory.tree: path for path, directory in directories.items()}
        self._made: dict[str, Tree] = {}

    def __getitem__(self, digest: str) -> Tree:
        if digest not in self._made:
            path = self._paths[digest]
            directory = self._directories[path]
            prefix = f"{path}/" if path else ""
            rows = enumerate(directory.rows)
            folders = {i: self._directories[prefix + row[0]] for i, row in rows if len(row) == 1}
            self._made[digest] = Tree.from_rows(_entry_rows(directory, folders))
        return self._made[digest]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
