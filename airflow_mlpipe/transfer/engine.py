"""The verbs of a transfer, in order: send, verify, publish, remove.

Killed anywhere, it leaves the destination as it was, or one that is marked as not whole; what had arrived is written
down, and is not sent again.  A source that changes meanwhile is an error, and nothing is published.

1. The folder is marked as not whole.
2. Files are sent, the largest first, a few at once; every second what has arrived is written down.
3. Both sides are listed once more: what was sent is there, and the source is what it was.
4. ``sync`` removes at the destination what the source does not have; nothing outside of the destination's folder.
5. The state is written, then the mark is taken away and the manifest written.
6. ``move`` removes from the source what it was, as far as it still is.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_mlpipe.errors import InputChangedError, InputError, ObjectNotFoundError, StoreError
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.transfer.crew import work_all
from airflow_mlpipe.transfer.destination import Destination
from airflow_mlpipe.transfer.files import Found, Row, SourceFile
from airflow_mlpipe.transfer.identity import Contents
from airflow_mlpipe.transfer.looking import Look
from airflow_mlpipe.transfer.moving import Mover
from airflow_mlpipe.transfer.pace import Pace
from airflow_mlpipe.transfer.planning import target_path
from airflow_mlpipe.transfer.progress import Progress, files, size
from airflow_mlpipe.transfer.selection import Selection
from airflow_mlpipe.transfer.source import local_tag
from airflow_mlpipe.transfer.state import Journal, StateStore, source_mark

Say = Callable[[str], object]

EVERY = 5.0
"""Seconds between two lines of progress."""

JOURNAL_EVERY = 1.0
"""Seconds after which what has arrived is written down: at most what arrived in these is sent twice."""

_FEW = 16
"""Files that are asked for one by one rather than by a listing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a transfer did.

    :param rows: of every file at the destination that this package delivered, by relative path.
    :param files: those that took part, by the path that they have at the source: size, and what stands for their bytes.
    :param sent, sent_bytes: what passed, or was copied by a server. :param deleted: files removed at the destination.
    :param removed: files removed from the source.
    """

    rows: Mapping[str, Row]
    files: Contents
    sent: int = 0
    sent_bytes: int = 0
    deleted: int = 0
    removed: int = 0


def told(found: Look) -> str:
    """A plan in one line."""
    plan = found.plan
    parts = [f"{files(len(plan.send))} to send ({size(plan.size)})", f"{len(plan.keep):,} there already"]
    if plan.delete:
        parts.append(f"{files(len(plan.delete))} to remove at the destination")
    if plan.remove:
        parts.append(f"{files(len(plan.remove))} to remove from the source")
    return ", ".join(parts)


def remember(found: Look) -> Delivered:
    """For a plan with nothing to do: write down what was read to find that out, so that it is not read again."""
    if not (found.learned or found.state.journals):
        return Delivered(rows=found.state.rows, files=_contents(found, found.state.rows))
    rows = dict(found.state.rows)
    mark = source_mark(found.source.id)
    for file in found.files:
        path = target_path(found.destination.kind, file.path)
        if (row := rows.get(path)) is not None and file.digest and file.key:
            rows[path] = _row(path, file, file.digest, mark, row.target_tag)
    state = StateStore(found.destination.store, found.destination.root)
    # Somebody else may have delivered something meanwhile, whose state must not be lost.
    if state.stamp() == found.state.stamp:
        state.save(rows.values(), found.state.journals)
    return Delivered(rows=rows, files=_contents(found, rows))


def carry_out(
    found: Look, pace: Pace, say: Say, *, every: float = EVERY, journal_every: float = JOURNAL_EVERY
) -> Delivered:
    """Do what was planned.

    :param pace: limits it, and ends it when it is cancelled. :param say: gets lines for the task's log.
    :param every: seconds between two lines of progress.
    :param journal_every: seconds after which what has arrived is written down; 0: after every file.
    :raises InputChangedError: when the source changed meanwhile. :raises TransferCancelledError: when it was cancelled.
    :raises StoreError: and its kinds.
    """
    return _Transfer(found, pace, say, every, journal_every).run()


class _Transfer:
    """One transfer under way."""

    def __init__(self, found: Look, pace: Pace, say: Say, every: float, journal_every: float) -> None:
        self.found, self.pace, self.say, self.every = found, pace, say, every
        self.destination, self.plan = found.destination, found.plan
        self.kind = found.destination.kind
        self.mark = source_mark(found.source.id)
        self.state = StateStore(found.destination.store, found.destination.root)
        self.journal: Journal = self.state.journal(journal_every)

    def run(self) -> Delivered:
        """The verbs."""
        plan, destination = self.plan, self.destination
        if plan.send or plan.delete:
            destination.begin()
        arrived = self.send() if plan.send else {}
        there = self.verify(arrived)
        self.check_source()
        if plan.delete:
            destination.remove(plan.delete)
            self.say(f"removed {files(len(plan.delete))} at the destination that the source does not have")
        rows = self.publish(arrived, there)
        removed = self.remove_source() if plan.remove else 0
        return Delivered(
            rows=rows,
            files=_contents(self.found, rows),
            sent=len(plan.send),
            sent_bytes=plan.size,
            deleted=len(plan.delete),
            removed=removed,
        )

    def send(self) -> dict[str, Row]:
        """Send what is to be sent; what arrived, by path."""
        progress = Progress(len(self.plan.send), self.plan.size)
        mover = Mover(self.found.source, self.destination.store, self.pace, progress)
        arrived: dict[str, Row] = {}

        def one(file: SourceFile) -> None:
            path = target_path(self.kind, file.path)
            digest = mover.move(file, self.destination.key(file.path))
            row = _row(path, file, digest or file.content, self.mark)
            arrived[path] = row
            self.journal.add(row)
            progress.arrived()

        began = time.monotonic()
        last = [began]

        def tick() -> None:
            self.journal.flush_if_due()
            if (now := time.monotonic()) - last[0] >= self.every:
                last[0] = now
                self.say(progress.line())

        try:
            work_all(one, self.plan.send, self.found.options.concurrency, self.pace, tick, 1.0)
        except BaseException:
            with contextlib.suppress(StoreError):  # the error that ended it says more
                self.journal.flush()
            raise
        self.journal.flush()
        seconds = max(time.monotonic() - began, 1e-3)
        self.say(
            f"sent {files(len(self.plan.send))}, {size(self.plan.size)} in {seconds:.1f} s"
            f" ({size(self.plan.size / seconds)}/s)"
        )
        return arrived

    def verify(self, arrived: Mapping[str, Row]) -> Mapping[str, Found]:
        """What was sent is at the destination, in its size.

        :raises StoreError: naming what is not.
        """
        if not arrived:
            return self.found.there
        there = self.destination.some(arrived) if len(arrived) <= _FEW else self.destination.files()[0]
        lost = [path for path, row in arrived.items() if path not in there or there[path].size != row.size]
        if lost:
            raise StoreError(
                "what was sent is not at the destination, or not whole",
                where=self.destination.uri,
                given=sorted(lost)[:5],
                fix="see that nobody else writes there, and run the task again",
            )
        return {**self.found.there, **there}

    def check_source(self) -> None:
        """The source is what it was when it was listed.

        :raises InputChangedError: naming what is not.
        """
        source = self.found.source
        if not source.movable or not (self.plan.send or self.plan.delete):
            return
        takes = Selection(self.found.options.include, self.found.options.exclude).takes
        before = {file.path: file.tag for file in self.found.listed}
        try:
            now = {file.path: file.tag for file in source.files() if source.kind == "file" or takes(file.path)}
        except InputError:
            now = {}
        if now != before:
            differ = sorted(path for path in {*now, *before} if now.get(path) != before.get(path))
            raise InputChangedError(
                "the source changed while it was transferred; nothing is published",
                where=source.id,
                given=f"{', '.join(differ[:5])}{', ...' if len(differ) > 5 else ''}",
                fix="run the task again when nobody writes the source; what has arrived is not sent again",
            )

    def publish(self, arrived: Mapping[str, Row], there: Mapping[str, Found]) -> dict[str, Row]:
        """Write the state, then mark the folder as whole."""
        rows = dict(self.found.state.rows)
        for path in self.plan.delete:
            rows.pop(path, None)
        for file in self.plan.keep:
            path = target_path(self.kind, file.path)
            if file.key and file.digest:
                rows[path] = _row(path, file, file.digest, self.mark, rows[path].target_tag)
        for path, row in arrived.items():
            rows[path] = Row(path, row.size, row.content, row.source, row.source_tag, there[path].tag)
        self.state.save(rows.values(), (*self.found.state.journals, *self.journal.keys))
        self.destination.publish(rows.values())
        return rows

    def remove_source(self) -> int:
        """Remove from the source what was listed and did not change since; how many files."""
        store = self.found.source.store
        # The source may be what an earlier transfer delivered, and is not that any more.
        Destination(store=store, root=self.found.source.root, kind=self.kind).unmark()
        if not isinstance(store, LocalObjectStore):
            store.delete([file.key for file in self.plan.remove])
            removed = len(self.plan.remove)
        else:
            removed = sum(_remove_local(store, file) for file in self.plan.remove)
        self.say(f"removed {files(removed)} from the source")
        return removed


def _remove_local(store: LocalObjectStore, file: SourceFile) -> bool:
    """Folders stay: somebody may be about to write the next file there."""
    path = store.path(file.key)
    with contextlib.suppress(FileNotFoundError, ObjectNotFoundError):
        if local_tag(os.stat(path)) == file.tag:
            os.unlink(path)
            return True
    return False


def _row(path: str, file: SourceFile, content: str, mark: str, target_tag: str = "") -> Row:
    return Row(path, file.size, content, mark, file.tag if file.trusted else "", target_tag)


def _contents(found: Look, rows: Mapping[str, Row]) -> dict[str, tuple[int, str]]:
    contents = {}
    for file in found.files:
        row = rows.get(target_path(found.destination.kind, file.path))
        contents[file.path] = (file.size, row.content if row is not None else file.content)
    return contents
