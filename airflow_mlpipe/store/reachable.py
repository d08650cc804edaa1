"""What a workspace remembers, and what those memories consist of: the marking half of gc."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from airflow_mlpipe.errors import CorruptedError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.fingerprint.tree import Tree, digest_of_tree
from airflow_mlpipe.model.documents import parse
from airflow_mlpipe.model.records import ReuseRecord, StepRun
from airflow_mlpipe.model.reference import OutputReference, references_in
from airflow_mlpipe.store import leases, records, runs
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore
from airflow_mlpipe.store.layout import (
    ATTEMPTS,
    CANDIDATES,
    LAST,
    LEASES,
    MODULES,
    PINS,
    RECORDS,
    RUNS,
    USAGE,
    VALUES,
    fingerprint_stem,
    is_fingerprint,
    stem_fingerprint,
)
from airflow_mlpipe.store.reading import parallel
from airflow_mlpipe.store.values import Gone

log = logging.getLogger(__name__)

T = TypeVar("T")
Forgotten = tuple[Literal["record", "run", "value", "lease", "candidate"], ObjectInfo, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a workspace remembers; a fingerprint is said as the part of a key, ``mlp1-<hex>``.

    :param results: with a record. :param leased: being executed. :param explained: whose key document is needed.
    :param outputs: digests of outputs in the workspace. :param elsewhere: of those in any other datastore, together:
        one place can have several names (a connection's, a URL's), and what is needed under one may not go under
        another.
    :param forgotten: documents that do not count any more, and why. :param kept: how many count, by kind.
    """

    results: frozenset[str]
    leased: frozenset[str]
    explained: frozenset[str]
    outputs: frozenset[str]
    elsewhere: frozenset[str]
    forgotten: tuple[Forgotten, ...]
    kept: Mapping[str, int]


def stem_of(key: str) -> str:
    """The fingerprint's part of a key: ``records/ab/mlp1-ab...json`` gives ``mlp1-ab...``; leases and attempts too."""
    return key.split("/")[2].removesuffix(".json") if key.count("/") >= 2 else ""


def remember(
    store: ObjectStore, *, now: float, grace: float, unused_for: float | None, gone: Gone | None = None
) -> Remembered:
    """Read all records, runs, XComs' values and leases of a workspace.

    :param now: by the store's clock. :param grace: seconds; younger documents count whatever they look like.
    :param unused_for: seconds after which an unused record and a run stop counting; ``None``: never.
    :param gone: tells which XComs are gone; without it values are needed until ``unused_for``.
    :raises WorkspaceVersionError: when a newer version wrote one of them.
    """
    used = {stem_of(info.key): info.modified for info in store.list(USAGE)}
    pinned = {stem_of(info.key) for info in store.list(PINS)}
    forgotten: list[Forgotten] = []
    kept_records: list[ReuseRecord] = []
    kept_runs: list[StepRun] = []

    def expired(modified: float) -> bool:
        return unused_for is not None and now - modified >= max(unused_for, grace)

    for info, record in _documents(store, RECORDS, records.decode):
        stem = stem_of(info.key)
        if record is None:
            if now - info.modified >= grace and stem_fingerprint(stem):
                forgotten.append(("record", info, "it cannot be read"))
        elif stem not in pinned and expired(max(info.modified, used.get(stem, 0.0))):
            forgotten.append(("record", info, "it was not used for long"))
        else:
            kept_records.append(record)
    kinds: tuple[tuple[Literal["run", "value"], str], ...] = (("run", RUNS), ("run", LAST), ("value", VALUES))
    pushed: list[tuple[ObjectInfo, StepRun]] = []
    for kind, folder in kinds:
        for info, run in _documents(store, folder, runs.decode):
            if run is None:
                if now - info.modified >= grace:
                    forgotten.append((kind, info, "it cannot be read"))
            elif expired(info.modified):
                forgotten.append((kind, info, "it is old"))
            elif kind == "value":
                pushed.append((info, run))
            else:
                kept_runs.append(run)
    # A young one may be of a task that has not pushed yet: what it refers to is written first.
    old = [(info.key, run) for info, run in pushed if now - info.modified >= grace]
    without_xcom = frozenset(gone(old)) if gone is not None and old else frozenset()
    forgotten += [("value", info, "its XCom is gone") for info, _ in pushed if info.key in without_xcom]
    kept_values = [run for info, run in pushed if info.key not in without_xcom]
    leased, over = _leases(store, now=now, grace=grace)
    offered, untaken = _candidates(store, now=now, grace=grace)
    code = _ordered(store, leased, now=now, grace=grace)
    outputs = [
        *offered,
        *(o for record in kept_records for o in (*record.outputs, *references_in(record.xcoms))),
        *(o for run in (*kept_runs, *kept_values) for o in run.outputs),
    ]
    results = frozenset(_stems(record.fingerprint for record in kept_records))
    return Remembered(
        results=results,
        leased=leased,
        explained=results
        | leased
        | frozenset(_stems(mark for run in kept_runs for mark in (run.fingerprint, run.previous))),
        outputs=_digests(output for output in outputs if not output.datastore) | code,
        elsewhere=_digests(output for output in outputs if output.datastore),
        forgotten=(*forgotten, *over, *untaken),
        kept={"record": len(kept_records), "run": len(kept_runs), "value": len(kept_values), "lease": len(leased)},
    )


def contents(store: ObjectStore, digests: Iterable[str]) -> frozenset[str]:
    """Keys of all trees and blobs that these outputs consist of.

    A tree that is gone or broken needs nothing: its output counts as gone and is made again when somebody wants it.
    """
    needed: set[str] = set()
    wanted = set(digests)
    seen: set[str] = set()
    while wanted:
        seen |= wanted
        trees = [digest for digest in wanted if digest.startswith("tree:")]
        needed.update(key for digest in wanted if (key := _key(digest)))
        wanted = {entry.digest for tree in parallel(lambda d: _tree(store, d), trees) for entry in tree.entries} - seen
    return frozenset(needed)


def published_code(store: ObjectStore) -> frozenset[str]:
    """Digests of the code of all modules that were published here: kept as long as they are in the library.

    :raises CorruptedError: for one that cannot be read: what it needs is not known.
    :raises WorkspaceVersionError: for one that a newer version wrote.
    """

    def code_of(info: ObjectInfo) -> object:
        try:
            return parse(store.get(info.key), "module", 1, where=store.uri(info.key)).get("code")
        except ObjectNotFoundError:
            return None  # removed since the listing

    infos = (i for i in store.list(MODULES) if i.key.split("/")[2:3] == ["versions"] and i.key.endswith(".json"))
    return frozenset(code for code in parallel(code_of, infos) if isinstance(code, str))


def _key(digest: str) -> str | None:
    try:
        return tree_key(digest) if digest.startswith("tree:") else blob_key(digest)
    except CorruptedError:
        return None  # of data that are not kept by digest


def _tree(store: ObjectStore, digest: str) -> Tree:
    try:
        key = tree_key(digest)
        data = store.get(key)
        if digest_of_tree(data) != digest:
            raise CorruptedError("the bytes do not have the digest in their name", where=store.uri(key))
        return Tree.from_bytes(data, where=store.uri(key))
    except ObjectNotFoundError:
        return Tree()
    except CorruptedError as error:
        log.warning("%s What it needs is not known.", error)
        return Tree()


def _documents(
    store: ObjectStore, folder: str, decode: Callable[[bytes, str], T]
) -> Iterator[tuple[ObjectInfo, T | None]]:
    """Every document with what it says, ``None`` for one that cannot be read.  Changes nothing, unlike ``reading``."""

    def load(info: ObjectInfo) -> tuple[ObjectInfo, T | None] | None:
        try:
            return info, decode(store.get(info.key), store.uri(info.key))
        except ObjectNotFoundError:
            return None  # removed since the listing
        except CorruptedError:
            return info, None

    objects = (info for info in store.list(folder) if info.key.endswith(".json"))
    yield from (loaded for loaded in parallel(load, objects) if loaded is not None)


def _leases(store: ObjectStore, *, now: float, grace: float) -> tuple[frozenset[str], list[Forgotten]]:
    """Fingerprints that somebody executes, and what is left of leases that are over."""
    folders: dict[str, list[ObjectInfo]] = {}
    for info in store.list(LEASES):
        folders.setdefault(info.key.rpartition("/")[0], []).append(info)
    alive: set[str] = set()
    over: list[Forgotten] = []
    for folder, objects in folders.items():
        held = leases.find(store, folder)
        if held is not None and held.expires_in(now) > 0:
            alive.add(folder.rpartition("/")[2])
        elif now - max(info.modified for info in objects) >= grace and stem_fingerprint(folder.rpartition("/")[2]):
            over.extend(("lease", info, "it ran out") for info in objects)
    return frozenset(alive), over


def _candidates(store: ObjectStore, *, now: float, grace: float) -> tuple[list[OutputReference], list[Forgotten]]:
    """What young candidates refer to, whatever else is in them; and those that no worker took."""
    offered: list[OutputReference] = []
    untaken: list[Forgotten] = []
    for info, document in _documents(store, CANDIDATES, _decode_any):
        if now - info.modified >= grace:
            untaken.append(("candidate", info, "no worker took it"))
        else:
            offered += references_in(document)
    return offered, untaken


def _ordered(store: ObjectStore, leased: frozenset[str], *, now: float, grace: float) -> frozenset[str]:
    """The code of attempts that another machine may not have begun yet, and checkpoints for the next one."""
    return frozenset(
        str(document.get("code") or document["tree"])
        for info, document in _documents(store, ATTEMPTS, _decode_any)
        if (now - info.modified < grace or info.key.split("/")[1] in leased)
        and isinstance(document, Mapping)
        and (document.get("code") or document.get("tree"))
    )


def _decode_any(data: bytes, where: str) -> object:
    try:
        return json.loads(data)
    except ValueError as error:
        raise CorruptedError(f"not JSON ({error})", where=where) from error


def _digests(outputs: Iterable[OutputReference]) -> frozenset[str]:
    return frozenset(output.digest for output in outputs)


def _stems(fingerprints: Iterable[str | None]) -> Iterator[str]:
    for fingerprint in fingerprints:
        # A run may bear the name of an uncacheable attempt, which has no key document.
        if fingerprint is not None and is_fingerprint(fingerprint):
            yield fingerprint_stem(fingerprint).split("/")[1]
