"""What is known of a destination: what was delivered there, and what has arrived of a transfer that is under way.

Below ``.mlpipe/transfers/<id of the destination>/`` of the destination's datastore::

    state.json            every file that was delivered: size, content, where from, its tags at both ends
    arrived/<run>-<n>     what arrived since, written every second while a transfer runs, removed at its end

It is memory, not truth: whatever is missing, unreadable or does not fit what is there now is sent again.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_mlpipe.errors import CorruptedError, ObjectNotFoundError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore
from airflow_mlpipe.store.config import OURS
from airflow_mlpipe.transfer.files import Found, Row

_VERSION = 1


def source_mark(source: str) -> str:
    """A source's id as rows hold it: short, and the same in every process."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What was delivered.

    :param rows: by relative path; of a file the path is empty. :param noted: also those of files that are not there any
        more, or not as they were delivered: they still say what a file of the source is.
    :param stamp: another one means another state.
    :param journals: keys of what has arrived of transfers that did not come to their end.
    """

    rows: Mapping[str, Row] = field(default_factory=dict)
    noted: Mapping[str, Row] = field(default_factory=dict)
    stamp: str = ""
    journals: tuple[str, ...] = ()


class StateStore:
    """The state of one destination.

    :param store: the destination's datastore. :param root: of the destination in it.
    """

    def __init__(self, store: ObjectStore, root: str) -> None:
        self._store = store
        self._root = root
        name = hashlib.sha256(root.encode()).hexdigest()[:32]
        self._folder = f"{OURS}/transfers/{name}"
        self._key = f"{self._folder}/state.json"

    def load(self, there: Mapping[str, Found]) -> State:
        """What counts of what was written down: rows of files that are there now, and are what was delivered.

        :raises WorkspaceVersionError: when a newer version of this package wrote it.
        """
        listed = {info.key: info for info in self._store.list(self._folder)}
        state = listed.pop(self._key, None)
        noted = {} if state is None else {row.path: row for row in self._read(self._key)}
        rows = {
            path: row
            for path, row in noted.items()
            if (one := there.get(path)) is not None and (one.size, one.tag) == (row.size, row.target_tag)
        }
        for info in sorted(listed.values(), key=lambda info: (info.modified, info.key)):
            rows |= self._arrived(info, there)
        stamp = "" if state is None else f"{state.modified!r}-{state.etag}"
        return State(rows=rows, noted={**noted, **rows}, stamp=stamp, journals=tuple(sorted(listed)))

    def _arrived(self, journal: ObjectInfo, there: Mapping[str, Found]) -> dict[str, Row]:
        """Rows of a journal.  A file that was written to after the journal was is not what the journal says."""
        return {
            row.path: replace(row, target_tag=one.tag)
            for row in self._read(journal.key)
            if (one := there.get(row.path)) is not None and one.size == row.size and one.modified <= journal.modified
        }

    def knows(self, source: str, *, is_file: bool) -> bool:
        """Whether a file, or files, of a source were delivered, whatever became of them."""
        return any(row.source == source and (not row.path) == is_file for row in self._read(self._key))

    def stamp(self) -> str:
        """Of the state that is there now; see :class:`State`."""
        info = self._store.head(self._key)
        return "" if info is None else f"{info.modified!r}-{info.etag}"

    def save(self, rows: Iterable[Row], journals: Iterable[str] = ()) -> None:
        """Replace the state, and then remove the journals that it contains."""
        self._store.put(self._key, self._document(rows))
        self._store.delete(list(journals))

    def journal(self, every: float) -> Journal:
        """A new journal, written every so many seconds."""
        return Journal(self._store, f"{self._folder}/arrived/{secrets.token_hex(8)}", self._document, every)

    def _document(self, rows: Iterable[Row]) -> bytes:
        members = [[r.path, r.size, r.content, r.source, r.source_tag, r.target_tag] for r in rows]
        return to_bytes(tag("transfer", _VERSION) | {"destination": self._root, "rows": members})

    def _read(self, key: str) -> list[Row]:
        try:
            document = parse(self._store.get(key), "transfer", _VERSION, where=self._store.uri(key))
            if document["destination"] != self._root:
                return []
            return [_row(members) for members in document["rows"]]
        except (ObjectNotFoundError, CorruptedError, KeyError, TypeError, ValueError):
            return []


def _row(members: Any) -> Row:
    path, size, content, source, source_tag, target_tag = members
    return Row(str(path), int(size), str(content), str(source), str(source_tag), str(target_tag))


class Journal:
    """What arrives, while it does.  Thread-safe."""

    def __init__(self, store: ObjectStore, stem: str, document: Callable[[Iterable[Row]], bytes], every: float) -> None:
        self._store, self._stem, self._document, self._every = store, stem, document, every
        self._rows: list[Row] = []
        self._lock = threading.Lock()
        self._written = time.monotonic()
        self.keys: list[str] = []

    def add(self, row: Row) -> None:
        """A file has arrived and is verified."""
        with self._lock:
            self._rows.append(row)
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Write down what is not written yet, if it is time.  :raises StoreError: and its kinds."""
        with self._lock:
            due = bool(self._rows) and time.monotonic() - self._written >= self._every
            if due:
                self._written = time.monotonic()
        if due:
            self.flush()

    def flush(self) -> None:
        """Write down what is not written yet.  :raises StoreError: and its kinds; then the next call tries again."""
        with self._lock:
            rows, self._rows = self._rows, []
            if not rows:
                return
            key = f"{self._stem}-{len(self.keys)}"
            self.keys.append(key)
        try:
            self._store.put(key, self._document(rows))
        except BaseException:
            with self._lock:
                self._rows = rows + self._rows
            raise
