"""After the journey: what a host keeps is made small again, and what killed workers left is removed.

While an attempt runs it holds a lock beside its folder, which ends with its worker, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.runtime.cache import BlobCache
from airflow_mlpipe.runtime.environments import Environments
from airflow_mlpipe.runtime.layout import remove
from airflow_mlpipe.runtime.stores import Host

_DETACHED_SECONDS = 30 * 86_400.0
VALUES = "values"
"""Folder of a cache for values as files under their own names, and as folders: links to its blobs."""

NEW = "new"
"""Folder of a cache for values that are being written; what lies there for long is of a killed worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What was removed: names, and bytes of blobs."""

    attempts: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    blob_bytes: int = 0


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """While the block runs, :func:`tidy` leaves an attempt's folder alone."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = _lock_of(folder)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield
        finally:
            if not folder.exists():
                path.unlink(missing_ok=True)


def mark_detached(folder: Path) -> None:
    """An attempt whose program goes on without a worker is left alone for a month, held or not."""
    until = time.time() + _DETACHED_SECONDS
    for path in (folder, _lock_of(folder)):
        os.utime(path, (until, until))


def tidy(host: Host, seconds: float) -> Tidied:
    """Remove from a host what nothing uses now, and nothing has used for so long.

    Folders of attempts whose worker is gone (or that ``keep_failed`` kept), checkpoints of steps that never succeeded,
    values that ordinary tasks read, environments, blobs.  Safe while steps run.

    :raises OSError: when something cannot be removed.
    """
    return Tidied(
        attempts=tidy_attempts(host.scratch, seconds),
        checkpoints=tuple(_checkpoints(host.cache / "checkpoints", seconds)),
        values=(*_unused(host.cache / VALUES, seconds), *_unused(host.cache / NEW, seconds)),
        environments=Environments(host.cache / "environments").remove_unused(seconds),
        blob_bytes=BlobCache(host.cache / "blobs").remove_unused(seconds),
    )


def tidy_attempts(scratch: Path, seconds: float) -> tuple[str, ...]:
    """Remove the folders of attempts that are so old and whose worker is gone; returns their names.

    :raises OSError: when one cannot be removed.
    """
    removed = []
    # A worker may have been killed between making its lock and its folder, or between removing them.
    for folder in sorted({path.with_suffix("") for path in scratch.glob("*") if _age(path) >= seconds}):
        path = _lock_of(folder)
        with path.open("a") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists():
                remove(folder)
                removed.append(folder.name)
            path.unlink(missing_ok=True)
    return tuple(removed)


def _checkpoints(root: Path, seconds: float) -> Iterator[str]:
    """By the youngest file in it: a step that runs for days writes checkpoints now and then."""
    for folder in sorted(root.glob("*")):
        if min(map(_age, (folder, *folder.rglob("*")))) >= seconds:
            remove(folder)
            yield folder.name


def _unused(root: Path, seconds: float) -> Iterator[str]:
    """Whoever uses a value again makes its folder young."""
    for folder in sorted(root.glob("*")):
        with contextlib.suppress(FileNotFoundError):
            if _age(folder) >= seconds:
                remove(folder)
                yield folder.name


def _age(path: Path) -> float:
    return time.time() - path.lstat().st_mtime


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
