"""Garbage: what no remembered result or run needs.  First a plan, then a sweep that looks again.

**What is kept.**  A reuse record is remembered until it was not used for ``unused_for`` (never forgotten by default,
never when pinned); a run until it is that old.  Whatever a remembered record or run refers to is kept: trees, blobs,
key documents.  All else below the folders of :mod:`airflow_mlpipe.store.layout`, ``blobs/`` and ``trees/`` is garbage
once it is older than the grace time; objects elsewhere are none of our business.

**Why this is safe while pipelines run.**  Ages are counted by the store's clock.  A publication that finds its bytes in
the store makes them young again when half of the grace time is over, so none of what it counts on is old enough.  The
sweep plans a second time and takes only what is garbage in both plans and unchanged when looked at right before.  It
removes records before trees before blobs: killed anywhere, it leaves no record whose outputs it took.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol, get_args, runtime_checkable

from airflow_mlpipe.store import reachable
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore
from airflow_mlpipe.store.layout import ATTEMPTS, KEYS, QUARANTINE, USAGE, stem_fingerprint
from airflow_mlpipe.store.reachable import Remembered, stem_of
from airflow_mlpipe.store.reading import parallel
from airflow_mlpipe.store.values import Gone
from airflow_mlpipe.store.workspace import Workspace

Kind = Literal[
    "record", "run", "value", "candidate", "key", "usage", "lease", "attempt", "quarantine", "tree", "blob", "temporary"
]
ORDER: tuple[Kind, ...] = get_args(Kind)
"""In this order a sweep removes: what refers to something goes before it."""

GRACE = timedelta(hours=24)
_BATCH = 500
# Keys as fingerprint.digest spells them; whatever else somebody put there is not ours to remove.
_CONTENT = re.compile(r"(?:blobs/[0-9a-f]{2}/sha256t?_[0-9a-f]{64}|trees/[0-9a-f]{2}/tree_[0-9a-f]{64}\.json)\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageObject:
    """One object that nothing needs.

    :param datastore: name of the datastore that it is in; empty for the workspace.
    :param size: bytes. :param modified: seconds since the epoch by the store's clock.
    :param reason: why it is garbage, for people.
    """

    kind: Kind
    key: str
    size: int
    modified: float
    reason: str
    datastore: str = ""
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Garbage:
    """A plan: what may go.

    :param objects: in the order in which a sweep removes them. :param kept: how many of each kind are needed.
    """

    objects: tuple[GarbageObject, ...] = ()
    kept: Mapping[str, int] = field(default_factory=dict)
    grace: timedelta = GRACE
    unused_for: timedelta | None = None

    @property
    def size(self) -> int:
        """Bytes that a sweep frees."""
        return sum(one.size for one in self.objects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep did.  :param spared: planned, and needed or changed since."""

    deleted: tuple[GarbageObject, ...] = ()
    spared: tuple[GarbageObject, ...] = ()

    @property
    def size(self) -> int:
        """Bytes freed."""
        return sum(one.size for one in self.deleted)


@runtime_checkable
class _LeavesBehind(Protocol):
    """A store whose killed writers leave something that no listing shows."""

    def leftovers(self, *, age: float = 0.0) -> Iterator[ObjectInfo]: ...

    def discard(self, leftovers: Iterable[ObjectInfo]) -> None: ...


def collect(
    workspace: Workspace,
    *,
    grace: timedelta = GRACE,
    unused_for: timedelta | None = None,
    datastores: Mapping[str, ObjectStore] | None = None,
    copies: Mapping[str, ObjectStore] | None = None,
    gone: Gone | None = None,
) -> Garbage:
    """Plan: find everything that nothing needs.  Changes nothing.

    :param grace: younger objects are never taken.  A publication must take less than half of it, and it must be no
        shorter than that of :class:`Contents` (a day) unless nothing publishes meanwhile.
    :param unused_for: forget results that were not used, and runs that are not younger, for so long.
    :param datastores: further datastores with outputs of this workspace, by name.  Only name one that no *other*
        workspace publishes to: what that one needs looks like garbage from here.
    :param copies: places by name that plain copies of outputs are written to.  Only what killed writers left there is
        looked for; no name may be one of ``datastores``.
    :param gone: tells which XComs of ordinary tasks are gone; without it their values are needed until ``unused_for``.
    :raises WorkspaceVersionError: when something there was written by a newer version: what it needs is not known.
    """
    workspace.check_format()
    store, seconds = workspace.store, grace.total_seconds()
    now = store.now()
    remembered = reachable.remember(
        store,
        now=now,
        grace=seconds,
        unused_for=None if unused_for is None else unused_for.total_seconds(),
        gone=gone,
    )
    found = [_garbage(kind, info, reason) for kind, info, reason in remembered.forgotten]
    found += _unneeded_answers(store, remembered, now - seconds)
    kept = dict(remembered.kept)
    homes = {"": workspace.contents.store, **(datastores or {})}
    for name, home in homes.items():
        found += _unneeded_contents(name, home, remembered, seconds, kept)
        found += _temporaries(name, home, seconds)
    if store is not homes[""]:
        found += _temporaries("", store, seconds)
    for name, place in (copies or {}).items():
        found += _temporaries(name, place, seconds)
    objects = sorted(found, key=lambda one: (ORDER.index(one.kind), one.datastore, one.key))
    return Garbage(objects=tuple(objects), kept=kept, grace=grace, unused_for=unused_for)


def sweep(
    workspace: Workspace,
    garbage: Garbage,
    *,
    datastores: Mapping[str, ObjectStore] | None = None,
    copies: Mapping[str, ObjectStore] | None = None,
    gone: Gone | None = None,
) -> Swept:
    """Remove what a plan found, as far as it is still garbage and unchanged.

    :param datastores: the same as for :func:`collect`. :param copies, gone: the same, too.
    :raises WorkspaceVersionError: as :func:`collect`.
    """
    again = collect(
        workspace,
        grace=garbage.grace,
        unused_for=garbage.unused_for,
        datastores=datastores,
        copies=copies,
        gone=gone,
    )
    still = set(again.objects)
    deleted: list[GarbageObject] = []
    for (kind, name), group in itertools.groupby(
        (one for one in garbage.objects if one in still), key=lambda one: (one.kind, one.datastore)
    ):
        store = _home(workspace, kind, name, {**(datastores or {}), **(copies or {})})
        while batch := list(itertools.islice(group, _BATCH)):
            doomed = [one for one in parallel(lambda one: _unchanged(store, one), batch) if one]  # noqa: B023
            _delete(store, doomed)
            deleted += doomed
    taken = set(deleted)
    return Swept(deleted=tuple(deleted), spared=tuple(one for one in garbage.objects if one not in taken))


def _home(workspace: Workspace, kind: Kind, name: str, datastores: Mapping[str, ObjectStore]) -> ObjectStore:
    if name:
        return datastores[name]
    return workspace.contents.store if kind in ("tree", "blob") else workspace.store


def _garbage(kind: Kind, info: ObjectInfo, reason: str, datastore: str = "") -> GarbageObject:
    return GarbageObject(
        kind=kind,
        key=info.key,
        size=info.size,
        modified=info.modified,
        etag=info.etag,
        reason=reason,
        datastore=datastore,
    )


def _unneeded_answers(store: ObjectStore, remembered: Remembered, before: float) -> Iterator[GarbageObject]:
    """Key documents, times of use, attempts and broken documents that nothing needs, last written ``before``."""
    for info in store.list(KEYS):
        stem = stem_of(info.key)
        if info.modified <= before and stem not in remembered.explained and stem_fingerprint(stem):
            yield _garbage("key", info, "no result or run has this fingerprint")
    for info in store.list(USAGE):
        stem = stem_of(info.key)
        if info.modified <= before and stem not in remembered.results and stem_fingerprint(stem):
            yield _garbage("usage", info, "there is no such result")
    attempts: dict[str, list[ObjectInfo]] = {}
    for info in store.list(ATTEMPTS):
        attempts.setdefault("/".join(info.key.split("/")[:3]), []).append(info)
    for folder, objects in attempts.items():
        # An attempt is as young as the youngest part of it.
        if max(info.modified for info in objects) <= before and folder.split("/")[1] not in remembered.leased:
            yield from (_garbage("attempt", info, "the attempt is over") for info in objects)
    for info in store.list(QUARANTINE):
        if info.modified <= before:
            yield _garbage("quarantine", info, "it could not be read")


def _unneeded_contents(
    name: str, store: ObjectStore, remembered: Remembered, grace: float, kept: dict[str, int]
) -> list[GarbageObject]:
    """Trees and blobs of one datastore that no remembered output consists of."""
    before = store.now() - grace
    outputs = remembered.elsewhere if name else remembered.outputs
    needed = reachable.contents(store, outputs | reachable.published_code(store))
    found: list[GarbageObject] = []
    kinds: tuple[tuple[Kind, str], ...] = (("tree", "trees"), ("blob", "blobs"))
    for kind, folder in kinds:
        for info in store.list(folder):
            if info.key in needed:
                kept[kind] = kept.get(kind, 0) + 1
            elif info.modified <= before and _CONTENT.match(info.key):
                found.append(_garbage(kind, info, "no remembered output consists of it", name))
    return found


def _temporaries(name: str, store: ObjectStore, grace: float) -> Iterator[GarbageObject]:
    if isinstance(store, _LeavesBehind):
        for info in store.leftovers(age=grace):
            yield _garbage("temporary", info, "its writer was killed", name)


def _unchanged(store: ObjectStore, one: GarbageObject) -> GarbageObject | None:
    if one.kind == "temporary":
        return one  # the store looks itself when it discards it
    info = store.head(one.key)
    return one if info is not None and (info.modified, info.etag) == (one.modified, one.etag) else None


def _delete(store: ObjectStore, doomed: Sequence[GarbageObject]) -> None:
    store.delete(one.key for one in doomed if one.kind != "temporary")
    if isinstance(store, _LeavesBehind):
        store.discard(
            ObjectInfo(key=one.key, size=one.size, modified=one.modified, etag=one.etag)
            for one in doomed
            if one.kind == "temporary"
        )
