"""Hashing many files at once: threads over batches of small files, chunks of large ones."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from airflow_mlpipe.errors import InputChangedError
from airflow_mlpipe.fingerprint.digest import CHUNK, cores, digest_and_size

_BATCH_BYTES = 8 * 2**20
_BATCH_FILES = 128
_WORTH_A_THREAD = 32 * 2**10
"""Mean bytes of a file above which threads help; below it they spend their time waiting for each other (the GIL)."""


@dataclass(slots=True)  # not frozen: there are as many as files, and a frozen one takes four times as long to make
class FileJob:
    """One file to hash; the digest is put into ``into[at]``.  :param size: what a stat said before."""

    path: str
    size: int
    into: list[str]
    at: int

    def run(self, threads: int = 1) -> None:
        """Hash it.  :raises InputChangedError: when it is not as long as the stat said. :raises OSError: unreadable."""
        self.into[self.at], size = digest_and_size(self.path, threads=threads, expected=self.size)
        if size != self.size:
            raise InputChangedError("the file changed while it was read", where=self.path)


def digest_files(jobs: list[FileJob], threads: int | None = None) -> None:
    """Hash all files, each once.

    :param threads: by default one per core.
    :raises InputChangedError: when one changes meanwhile. :raises OSError: when one cannot be read.
    """
    threads = threads or cores()
    small = [job for job in jobs if job.size <= CHUNK]
    if threads == 1 or sum(job.size for job in small) <= max(_BATCH_BYTES // 8, len(small) * _WORTH_A_THREAD):
        _run(small)
    else:
        with ThreadPoolExecutor(threads, "mlpipe-hash") as pool:
            for _ in pool.map(_run, _batches(small)):
                pass
    if large := [job for job in jobs if job.size > CHUNK]:
        each = max(1, threads // len(large))
        with ThreadPoolExecutor(min(threads, len(large)), "mlpipe-hash") as pool:
            for _ in pool.map(lambda job: job.run(each), large):
                pass


def _run(jobs: list[FileJob]) -> None:
    for job in jobs:
        job.run()


def _batches(jobs: list[FileJob]) -> Iterator[list[FileJob]]:
    """Groups that take about the same time, so that no thread is left alone with the rest."""
    batch: list[FileJob] = []
    room = _BATCH_BYTES
    for job in jobs:
        batch.append(job)
        room -= job.size
        if room <= 0 or len(batch) == _BATCH_FILES:
            yield batch
            batch, room = [], _BATCH_BYTES
    if batch:
        yield batch
