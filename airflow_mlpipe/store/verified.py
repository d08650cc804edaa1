"""Whether the blobs of a local store still have their digests, at the price of a stat each.

A store behind a network is asked for sizes; whoever fetches verifies.  Files of a local folder are easier to change by
hand, and cheaper to look at: one that has the size, times and inode that it had when its bytes were last verified has
those bytes (the rules, and their reasons, are those of :mod:`airflow_mlpipe.fingerprint.statcache`); any other is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from airflow_mlpipe.errors import InputChangedError
from airflow_mlpipe.fingerprint.digest import blob_key, digest_file
from airflow_mlpipe.fingerprint.statcache import RACY_NS, Row, trusted, write_atomically
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.reading import parallel

_FORMAT = "mlpipe.verified/1"


class VerifiedBlobs:
    """Remembers, for each output, the stats of its blobs when they were verified.

    :param store: the folder. :param cache: folder of this host for what is remembered; ``None``: nothing is.
    """

    def __init__(self, store: LocalObjectStore, cache: Path | None) -> None:
        self._store = store
        self._cache = cache

    def broken(self, output: str, sizes: Mapping[str, int | None]) -> list[str]:
        """Which blobs of an output are gone or have other bytes.

        :param output: its digest. :param sizes: the digests of its blobs, with their sizes where known.
        """
        now = time.time_ns()
        known = self._load(output)
        rows = {digest: self._row(digest) for digest in sizes}
        doubtful = [
            d for d, row in rows.items() if row is not None and sizes[d] in (None, row[2]) and known.get(d) != row
        ]
        whole = {d for d, ok in zip(doubtful, parallel(self._is_whole, doubtful), strict=True) if ok}
        whole |= {d for d, row in rows.items() if row is not None and known.get(d) == row}
        if doubtful:
            self._save(output, {d: row for d in whole if (row := rows[d]) and trusted(row, now)})
        return [digest for digest in sizes if digest not in whole]

    def is_whole(self, digest: str) -> bool:
        """Whether one blob has its digest, by reading it."""
        return self._is_whole(digest)

    def remember(self, output: str, digests: Iterable[str]) -> None:
        """Blobs of an output were written, and verified, just now."""
        now = time.time_ns()
        rows = ((digest, self._row(digest)) for digest in digests)
        self._save(output, {digest: row for digest, row in rows if row is not None and trusted(row, now)})

    def take(self, path: Path, digest: str) -> bool:
        """Move a file into the store whose bytes were just verified, and which nobody else knew.

        Its modification time is set back.  So it need not grow old before its stats are trusted: any write to it from
        now on moves that time, however coarse the clock is.
        """
        past = time.time_ns() - 2 * RACY_NS
        os.utime(path, ns=(past, past))
        if not self._store.take(path, blob_key(digest)):
            return False
        row = self._row(digest)
        self._save(digest, {} if row is None else {digest: row})
        return True

    def _row(self, digest: str) -> Row | None:
        try:
            status = os.stat(f"{self._store.root}/{blob_key(digest)}")
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        return [digest, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]

    def _is_whole(self, digest: str) -> bool:
        try:
            return digest_file(self._store.path(blob_key(digest))) == digest
        except (OSError, InputChangedError):
            return False

    def _file(self, output: str) -> Path | None:
        if self._cache is None:
            return None
        name = hashlib.sha256(f"{self._store.url}\0{output}".encode()).hexdigest()[:32]
        return self._cache / "verified" / f"{name}.json"

    def _load(self, output: str) -> dict[str, Row]:
        file = self._file(output)
        if file is None:
            return {}
        try:
            document = json.loads(file.read_bytes())
            return {row[0]: row for row in document["rows"]} if document["format"] == _FORMAT else {}
        except (OSError, ValueError, KeyError, TypeError, IndexError):
            return {}  # a cache that cannot be read costs time, nothing else

    def _save(self, output: str, rows: Mapping[str, Row]) -> None:
        file = self._file(output)
        if file is not None:
            with contextlib.suppress(OSError):  # and so does one that cannot be written
                write_atomically(file, json.dumps({"format": _FORMAT, "rows": list(rows.values())}).encode())
