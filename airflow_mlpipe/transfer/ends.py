"""From what an author names to the two ends of a transfer.

A file goes to the very path that is named, or, if that ends in ``/`` or is the datastore's root, into that folder
under its own name.  What is in a folder, or matches a glob, goes below the path.
"""

from __future__ import annotations

from airflow_mlpipe.errors import DefinitionError, InputError
from airflow_mlpipe.model.data import DataReference, Kind
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.located import Datastores, fixed_part
from airflow_mlpipe.transfer.destination import Destination
from airflow_mlpipe.transfer.files import SourceFile
from airflow_mlpipe.transfer.options import Mode
from airflow_mlpipe.transfer.source import DataSource, Source
from airflow_mlpipe.transfer.state import StateStore, source_mark


class EmptiedSource:
    """A source from which everything was moved: an object store forgets a folder with its last object."""

    movable = True

    def __init__(self, store: ObjectStore, root: str, kind: Kind) -> None:
        self.store, self.root, self.kind = store, root, kind
        self.name = root.rpartition("/")[2]
        self.id = f"{store.url}/{root}"

    def covers(self, key: str) -> bool:
        """Nothing."""
        return False

    def takes(self, path: str) -> bool:
        """See :class:`Source`."""
        return True

    def files(self) -> list[SourceFile]:
        """None."""
        return []


def source_of(data: DataReference, target: DataReference, stores: Datastores, mode: Mode) -> Source:
    """The source of data that exist already; of a move also data that were there, and were moved to this target.

    :raises InputError: when nothing is there, and nothing was moved.
    """
    try:
        return DataSource(data, stores)
    except InputError:
        if mode != "move":
            raise
        store, root = stores.datastore(data.datastore), data.path.rstrip("/")
        if data.is_glob:
            root = fixed_part(data.path)
        there = stores.datastore(target.datastore)
        for kind, at in (("file", file_root(target, root)), ("folder", target.path.rstrip("/"))):
            emptied = EmptiedSource(store, root, "file" if kind == "file" else "folder")
            if StateStore(there, at).knows(source_mark(emptied.id), is_file=kind == "file"):
                return emptied
        raise


def destination_of(target: DataReference, source: Source, stores: Datastores, *, where: str) -> Destination:
    """The destination for a source.

    :raises DefinitionError: for a pattern. :raises PathError: for a path that is no key.
    """
    if target.is_glob:
        raise DefinitionError(
            "a destination is a path, not a pattern", where=where, given=target.path, fix="leave out *, ? and ["
        )
    root = file_root(target, source.name) if source.kind == "file" else target.path.rstrip("/")
    return Destination(store=stores.datastore(target.datastore), root=root, kind=source.kind)


def file_root(target: DataReference, name: str) -> str:
    """Where a file of some name, or path, goes."""
    into_folder = not target.path or target.path.endswith("/")
    return f"{target.path}{name.rpartition('/')[2]}" if into_folder else target.path
