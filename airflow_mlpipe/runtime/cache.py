"""Stage: the bytes that this host has already, by digest, so that staging an input is making links.

A cached blob is read-only, and its modification time is one that its digest gives (:func:`mtime_of`).  So one ``stat``
tells that it is whole: bytes were verified when it was put here, and whoever writes to it afterwards - a program that
runs as root is not stopped by the mode - moves its modification time.  Such a blob is dropped and fetched again.

Blobs are never links to a store's own files: whatever a program does to its inputs, the store is not touched.

An executable file and another one of the same bytes are two blobs, because links share their mode.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

from airflow_mlpipe.fingerprint.digest import check_digest
from airflow_mlpipe.store.copying import copy_file

if TYPE_CHECKING:
    from airflow_mlpipe.fingerprint.local import LocalContent

THREADS = 16
"""Blobs fetched at once; what they wait for is the store."""

_EPOCH = 1_000_000_000  # 2001-09-09: later than 1980, which zip files cannot go below
_READ = 0o444
_READ_AND_EXECUTE = 0o555


class BlobSource(Protocol):
    """Where blobs come from: the contents of a datastore."""

    def fetch(self, digest: str, target: Path) -> None:
        """Write the verified bytes of a digest to a file that is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's bytes and mode."""

    digest: str
    size: int
    executable: bool = False

    @property
    def mode(self) -> int:
        """Nobody may write."""
        return _READ_AND_EXECUTE if self.executable else _READ


def mtime_of(digest: str) -> int:
    """The modification time, in whole seconds (any file system keeps those), of a cached blob and of its links."""
    return _EPOCH + int(digest.rpartition(":")[2][:7], 16)


class BlobCache:
    """The blobs of this host.

    :param root: folder; on the file system of the attempts' folders, so that links can be made.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def path(self, blob: Blob) -> str:
        """Where a blob is, if it is there."""
        algorithm, _, number = check_digest(blob.digest).partition(":")
        return f"{self._root}/{number[:2]}/{algorithm}_{number}{'.x' if blob.executable else ''}"

    def is_whole(self, blob: Blob) -> bool:
        """Whether it is there, and nobody wrote to it."""
        try:
            status = os.stat(self.path(blob))
        except FileNotFoundError:
            return False
        return status.st_size == blob.size and int(status.st_mtime) == mtime_of(blob.digest)

    def fill(self, source: BlobSource, blobs: Iterable[Blob]) -> int:
        """Fetch what is missing; returns how many bytes that were.

        :raises StoreError: and its kinds, as ``source`` does. :raises OSError: of the local disk.
        """
        missing = [blob for blob in dict.fromkeys(blobs) if not self.is_whole(blob)]
        if len(missing) == 1:
            self._fetch(source, missing[0])
        elif missing:
            with ThreadPoolExecutor(THREADS, "mlpipe-fetch") as pool:
                fetches = [pool.submit(self._fetch, source, blob) for blob in missing]
                try:
                    for fetch in fetches:
                        fetch.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
        return sum(blob.size for blob in missing)

    def _fetch(self, source: BlobSource, blob: Blob) -> None:
        temporary = self._temporary()
        try:
            source.fetch(blob.digest, Path(temporary))
            self._put(temporary, blob)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise

    def adopt(self, path: str, blob: Blob) -> None:
        """Move a file whose bytes were just read and hashed into the cache.

        A link, a file of another file system, and one with other names are left where they are.
        """
        with contextlib.suppress(OSError):  # this saves a fetch later, and nothing depends on it
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or self.is_whole(blob):
                return
            temporary = self._temporary()
            os.rename(path, temporary)
            self._put(temporary, blob)

    def adopt_all(self, path: Path, content: LocalContent) -> None:
        """:meth:`adopt` the files of an output, so that the next step on this host links them instead of fetching them.

        :param content: what :class:`LocalIndex` found at ``path``.
        """
        for relative, entry in content.walk():
            if entry.kind == "file":
                file = f"{path}/{relative}" if content.kind == "folder" else str(path)
                self.adopt(file, Blob(entry.digest, entry.size, entry.executable))

    def link(self, blob: Blob, target: str) -> None:
        """Give a blob one more name; a copy where the file system has no link (for it).

        :raises FileNotFoundError: when the blob is not there (any more).
        """
        source = self.path(blob)
        try:
            os.link(source, target)
        except FileNotFoundError:
            raise
        except OSError:
            copy_file(Path(source), Path(target))
            os.chmod(target, blob.mode)
            os.utime(target, (mtime_of(blob.digest),) * 2)

    def drop(self, blob: Blob) -> None:
        """Forget a blob; names that it has elsewhere stay."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(blob))

    def remove_unused(self, seconds: float) -> int:
        """Remove blobs that nothing was staged from for so long; returns how many bytes that were.

        The change time of a blob is when a name was last given to it or taken away.
        """
        freed = 0
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    status = os.stat(path)
                    if status.st_nlink == 1 and time.time() - status.st_ctime >= seconds:
                        os.unlink(path)
                        freed += status.st_size
        return freed

    def _temporary(self) -> str:
        folder = os.path.join(self._root, "new")
        os.makedirs(folder, exist_ok=True)
        return f"{folder}/{token_hex(12)}"

    def _put(self, temporary: str, blob: Blob) -> None:
        os.chmod(temporary, blob.mode)
        os.utime(temporary, (mtime_of(blob.digest),) * 2)
        path = self.path(blob)
        try:
            os.rename(temporary, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.rename(temporary, path)


def make_read_only(folders: Iterable[str]) -> None:
    """Take the right to write from folders, so that a program cannot change what is in its inputs by accident."""
    for folder in folders:
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) & ~0o222)
