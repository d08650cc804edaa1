"""Look: one listing of each side and what was written down make the plan.  Nothing is changed and nothing is sent.

Local files whose stats are new, though they have the size of what was delivered, are read, to see whether their bytes
are new, too: that is cheaper than to send them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import unquote

from airflow_mlpipe.errors import InputError, PathError, StoreError, StoreUnavailableError
from airflow_mlpipe.fingerprint.hashing import FileJob, digest_files
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.transfer.destination import Destination
from airflow_mlpipe.transfer.files import Found, Row, SourceFile
from airflow_mlpipe.transfer.options import TransferOptions
from airflow_mlpipe.transfer.planning import Plan, make_plan, target_path
from airflow_mlpipe.transfer.selection import Selection
from airflow_mlpipe.transfer.source import Source
from airflow_mlpipe.transfer.state import State, StateStore, source_mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What both sides look like, and what there is to do.

    :param listed: the source's files that take part, as they were listed. :param files: the same with the digests that
        are known, and of a move what was moved before.
    :param learned: whether files were read, so that it is worth writing down what they are.
    """

    source: Source
    destination: Destination
    options: TransferOptions
    listed: tuple[SourceFile, ...]
    files: tuple[SourceFile, ...]
    there: Mapping[str, Found]
    state: State
    plan: Plan
    learned: bool = False

    @property
    def lost(self) -> tuple[str, ...]:
        """Files that were moved from this source, and are at neither side as they were delivered."""
        if self.options.mode != "move":
            return ()
        mark, here = source_mark(self.source.id), {file.path for file in self.files}
        return tuple(
            path or row.path
            for path, row in sorted(self.state.noted.items())
            if row.source == mark and path not in self.state.rows and (path or row.path) not in here
        )

    @property
    def size(self) -> int:
        """Bytes of all files that take part."""
        return sum(file.size for file in self.files)


def look(source: Source, destination: Destination, options: TransferOptions, *, anew: bool = False) -> Look:
    """Look at both sides.

    :param anew: whether everything is to be sent, whatever is there.
    :raises InputError: when no file takes part. :raises PathError: when the two sides are in each other, and for a name
        that the destination cannot have. :raises StoreError: and its kinds.
    """
    selection = Selection(options.include, options.exclude)
    with ThreadPoolExecutor(1, "mlpipe-transfer-look") as other_side:
        listing = other_side.submit(destination.files)  # while this side is listed: each waits for another store
        listed = tuple(file for file in source.files() if source.kind == "file" or selection.takes(file.path))
        _check_apart(source, destination, listed)
        there, whole = listing.result()
    state = StateStore(destination.store, destination.root).load(there)
    mark = source_mark(source.id)
    files, learned = _with_digests(source, destination, listed, state.noted, mark)
    if options.mode == "move":
        files += _moved_before(source, files, state.rows, mark, selection)
    if not files:
        raise InputError(
            "there is no file to transfer" + (" that include and exclude take" if selection_is_said(options) else ""),
            where=source.id,
            fix="check the path and the patterns, or write the data before this step runs",
        )
    plan = make_plan(
        files,
        listed=listed,
        there=there,
        rows=state.rows,
        source=mark,
        kind=destination.kind,
        mode=options.mode,
        takes=lambda path: source.takes(path) and selection.takes(path),
        whole=whole,
        anew=anew,
    )
    return Look(
        source=source,
        destination=destination,
        options=options,
        listed=listed,
        files=files,
        there=there,
        state=state,
        plan=plan,
        learned=learned,
    )


def selection_is_said(options: TransferOptions) -> bool:
    """Whether the author said what takes part."""
    return bool(options.include or options.exclude)


def _check_apart(source: Source, destination: Destination, listed: Sequence[SourceFile]) -> None:
    """A transfer into its own source would send what it wrote, and a sync into a folder above would remove it."""
    keys = [destination.key(file.path) for file in listed]  # each is checked
    destination.check_links(keys)
    store, other = source.store, destination.store
    if store is not other and (store.server is None or store.server != other.server):
        return
    here, there = _place(store), _place(other)
    inside = f"{there}{destination.root}/" if destination.root else there
    for file, key in zip(listed, keys, strict=True):
        origin, target = f"{here}{file.key}", f"{there}{key}"
        into_source = target.startswith(here) and source.covers(target[len(here) :])
        if into_source or origin == target or (destination.kind == "folder" and origin.startswith(inside)):
            raise PathError(
                "source and destination are the same place, or in each other",
                where=source.id,
                given=target,
                fix="give a destination outside of the source",
            )


def _place(store: ObjectStore) -> str:
    """Where a store's root is, as the beginning of a text that ends in a key."""
    url = unquote(store.url) if store.url.startswith("file:") else store.url
    return f"{url}/"


def _with_digests(
    source: Source, destination: Destination, listed: Sequence[SourceFile], rows: Mapping[str, Row], mark: str
) -> tuple[tuple[SourceFile, ...], bool]:
    """The files with their digests, where one is known or worth reading for."""
    known = _known_at(source, listed)
    files: list[SourceFile] = []
    doubtful: list[int] = []
    local = isinstance(source.store, LocalObjectStore)
    for file in listed:
        row = rows.get(target_path(destination.kind, file.path))
        if not file.digest and row is not None and row.source == mark and file.trusted and row.source_tag == file.tag:
            file = file.with_digest(row.digest)
        elif not file.digest and file.path in known:
            file = file.with_digest(known[file.path])
        elif not file.digest and local and (not file.trusted or (row is not None and row.size == file.size)):
            doubtful.append(len(files))
        files.append(file)
    if doubtful:
        digests = [""] * len(doubtful)
        paths = [str(source.store.path(files[n].key)) for n in doubtful]  # type: ignore[attr-defined]
        digest_files(
            [FileJob(path, files[n].size, digests, i) for i, (n, path) in enumerate(zip(doubtful, paths, strict=True))]
        )
        for n, digest in zip(doubtful, digests, strict=True):
            files[n] = files[n].with_digest(digest)
    learned = any(files[n].trusted for n in doubtful)
    return tuple(files), learned


def _known_at(source: Source, listed: Sequence[SourceFile]) -> dict[str, str]:
    """Digests of files that an earlier transfer brought to the source."""
    if not source.movable or all(file.digest for file in listed):
        return {}
    there = {target_path(source.kind, file.path): Found(file.size, file.tag, 0.0) for file in listed if file.trusted}
    try:
        rows = StateStore(source.store, source.root).load(there).rows
    except StoreUnavailableError:
        raise
    except StoreError:
        return {}  # somebody else's store, of which one folder may be read
    return {
        file.path: row.digest for file in listed if (row := rows.get(target_path(source.kind, file.path))) is not None
    }


def _moved_before(
    source: Source, files: Sequence[SourceFile], rows: Mapping[str, Row], mark: str, selection: Selection
) -> tuple[SourceFile, ...]:
    """Files that were moved from this source and are at the destination: without them a move that was killed between
    its last removal and its record would find nothing to do, and say that its source is missing.
    """
    names = {target_path(source.kind, file.path) for file in files}
    return tuple(
        SourceFile(row.path or source.name, "", row.size, row.source_tag, True, row.digest)
        for path, row in sorted(rows.items())
        if row.source == mark and path not in names and (source.kind == "file" or selection.takes(path))
    )
