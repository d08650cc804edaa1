"""Transfers between stores of a test, without Airflow: what the step does, and what passed.

``python -m support.transfers kill FOLDER MODE old|new`` plays one transfer again and again in ``FOLDER/0``,
``FOLDER/1``, ..., each in a process of its own that gets SIGKILL just before its 1st, 2nd, ... change of the file
system, until one runs to its end; a line of JSON for each tells what was left (:class:`Point`).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from airflow_mlpipe.model.data import DataReference, Datastore
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.exporting import manifest_key
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.transfer.ends import destination_of, source_of
from airflow_mlpipe.transfer.engine import Delivered, carry_out, remember
from airflow_mlpipe.transfer.files import INCOMPLETE, is_ours
from airflow_mlpipe.transfer.looking import Look, look
from airflow_mlpipe.transfer.options import TransferOptions
from airflow_mlpipe.transfer.pace import Pace


@dataclass
class Stores:
    """Datastores by name; ``said`` collects what the last transfers said."""

    stores: Mapping[str, ObjectStore]
    said: list[str] = field(default_factory=list)

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """One of them."""
        return self.stores[datastore.name]

    def local_root(self, datastore: Datastore) -> Path | None:
        """The folder of one that is a folder."""
        store = self.stores[datastore.name]
        return store.root if isinstance(store, LocalObjectStore) else None

    def look(self, source: str, target: str, *, anew: bool = False, **options: Any) -> Look:
        """Look; ``lake:raw/`` is a path in a datastore."""
        (a, path), (b, place) = source.split(":", 1), target.split(":", 1)
        told = TransferOptions(**options)
        goal = DataReference(Datastore(b), place, name="target")
        origin = source_of(DataReference(Datastore(a), path, name="source"), goal, self, told.mode)
        return look(origin, destination_of(goal, origin, self, where="test"), told, anew=anew)

    def transfer(
        self, source: str, target: str, *, pace: Pace | None = None, journal_every: float = 1.0, **options: Any
    ) -> Delivered:
        """Look, and do what there is to do."""
        found = self.look(source, target, **options)
        if found.plan.is_empty:
            return remember(found)
        return carry_out(found, pace or Pace(), self.said.append, every=0.0, journal_every=journal_every)


def write(folder: Path, files: Mapping[str, str], *, old: bool = True) -> None:
    """Write files.  :param old: whether their stats are those of files that nobody touched for a while."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if old:
        age(folder)


def age(folder: Path) -> None:
    """Wait until the stats of a folder's files are trusted, which takes two seconds."""
    youngest = max((p.stat().st_ctime for p in folder.rglob("*") if p.is_file()), default=0.0)
    while time.time() - youngest < 2.1:
        time.sleep(0.02)


def texts(store: ObjectStore, folder: str) -> dict[str, str]:
    """What is in a folder of a store, this package's own files left out."""
    return {i.key[len(folder) + 1 :]: store.get(i.key).decode() for i in store.list(folder) if not is_ours(i.key)}


def looks_whole(store: ObjectStore, folder: str) -> bool:
    """Whether somebody who knows the manifest, or somebody who only looks into the folder, takes it for whole."""
    return store.head(manifest_key(folder, is_file=True)) is not None or (
        store.head(f"{folder}/{INCOMPLETE}") is None and next(iter(store.list(folder)), None) is not None
    )


# ---- killing ---------------------------------------------------------------------------------------------------------

OLD = {"a": "old a", "sub/b": "old b", "gone": "old"}
NEW = {"a": "new a!", "sub/b": "old b", "sub/c": "new c", "d": "new d"}


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one kill left.

    :param killed: ``False`` for the last one, which ran to its end. :param whole: whether the folder looked whole.
    :param there: what was in it. :param arrived: files whose arrival was written down.
    :param again: how many files the next try sent. :param after: what is in it then. :param left: keys of scratch files
        and journals that are left then.
    """

    killed: bool
    whole: bool
    there: Mapping[str, str]
    source: Mapping[str, str]
    arrived: list[str]
    again: int
    after: Mapping[str, str]
    left: list[str]


def in_folder(folder: Path) -> Stores:
    """A lake and a shelf."""
    return Stores({name: LocalObjectStore(folder / name) for name in ("lake", "shelf")})


def prepare(folder: Path, *, old: bool) -> None:
    """What is there before."""
    if old:
        write(folder / "lake" / "old", OLD, old=False)
        in_folder(folder).transfer("lake:old/", "shelf:data")
    write(folder / "lake" / "new", NEW, old=False)


def arrived(stores: Stores) -> list[str]:
    """Files that a transfer wrote down as arrived and that it has not come to the end of."""
    shelf = stores.stores["shelf"]
    rows = [
        row[0]
        for info in shelf.list(".mlpipe/transfers")
        if "/arrived/" in info.key
        for row in json.loads(shelf.get(info.key))["rows"]
    ]
    return sorted(rows)


def play(folder: Path, mode: str, *, old: bool) -> None:
    """Print a point for each kill."""
    from support.crash import kill_before

    for change in count():
        here = folder / str(change)
        prepare(here, old=old)
        child = os.fork()
        if child == 0:
            kill_before(change)
            in_folder(here).transfer("lake:new/", "shelf:data", journal_every=0.0, concurrency=1, mode=mode)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        stores = in_folder(here)
        lake, shelf = stores.stores["lake"], stores.stores["shelf"]
        seen = {"whole": looks_whole(shelf, "data"), "there": texts(shelf, "data"), "source": texts(lake, "new")}
        known = arrived(stores)
        again = stores.transfer("lake:new/", "shelf:data", journal_every=0.0, concurrency=1, mode=mode)
        point = Point(
            killed=os.WIFSIGNALED(status),
            **seen,
            arrived=known,
            again=again.sent,
            after=texts(shelf, "data"),
            left=arrived(stores),
        )
        print(json.dumps(asdict(point)), flush=True)
        if not point.killed:
            assert status == 0, status
            return


if __name__ == "__main__":
    play(Path(sys.argv[2]), sys.argv[3], old=sys.argv[4] == "old")
