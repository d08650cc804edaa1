"""Bytes by digest: Contents, the part of a datastore that holds what steps produced.

``blobs/<aa>/sha256_<hex>`` is a file's bytes, ``trees/<aa>/tree_<hex>.json`` a folder.  An object's name says what is
in it, so whatever is read is verified: what does not have its digest is removed, so that the next producer writes it
anew, and a :class:`CorruptedError` is raised; it is never handed on.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from airflow_mlpipe.errors import CorruptedError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import Hasher, blob_key, digest_bytes, digest_file, tree_key
from airflow_mlpipe.fingerprint.local import LocalContent, LocalIndex
from airflow_mlpipe.fingerprint.tree import Tree, TreeEntry, digest_of_tree, walk
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.exporting import export
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.publishing import Publisher, parallel_all
from airflow_mlpipe.store.verified import VerifiedBlobs

Kind = Literal["file", "folder"]

THREADS = 16
"""Requests under way at once; what they wait for is the store."""

GRACE = 86_400.0
"""Seconds: what gc takes is older than this."""

_TREES_KEPT = 4_096


class Contents:
    """Files and folders of a datastore, by digest.  Thread-safe.

    :param store: the datastore. :param threads: requests under way at once.
    :param index: for a local store: whose cache remembers that blobs were verified.
    :param grace: seconds that gc leaves young objects alone.
    """

    def __init__(
        self, store: ObjectStore, *, threads: int = THREADS, index: LocalIndex | None = None, grace: float = GRACE
    ) -> None:
        self.store = store
        self._threads = threads
        self._verified = (
            VerifiedBlobs(store, index.cache if index else None) if isinstance(store, LocalObjectStore) else None
        )
        self._publisher = Publisher(store, threads=threads, grace=grace, is_whole=self._is_whole)
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._lock = threading.Lock()

    def _is_whole(self, digest: str) -> bool:
        # Behind a network the right size has to do; whoever fetches verifies.
        return self._verified is None or self._verified.is_whole(digest)

    def publish(self, path: Path, content: LocalContent) -> None:
        """Store a file or folder.

        :param content: what :class:`LocalIndex` found at ``path``.
        :raises InputChangedError: when something in it changed since; what it changed into is not published.
        :raises StoreError: and its kinds.
        """
        blobs = self._publisher.publish(path, content)
        if self._verified is not None:
            self._verified.remember(content.digest, blobs)

    def take(self, path: Path, content: LocalContent) -> bool:
        """Store a file of the caller's own by moving it: its bytes are neither copied nor read again.

        :param path: a file that nobody else can write to, on this host. :param content: what :class:`LocalIndex` found.
        :returns: whether it is stored now; ``False`` where only :meth:`publish` can do it, that is for a folder, behind
            a network, and on another filesystem.
        :raises StoreError: and its kinds.
        """
        if self._verified is None or content.kind != "file":
            return False
        if self._publisher.keeps(blob_key(content.digest), content.size, lambda: self._is_known(content)):
            return True
        return self._verified.take(path, content.digest)

    def _is_known(self, content: LocalContent) -> bool:
        return self.file(content.digest, content.size) is not None

    def file(self, digest: str, size: int) -> Path | None:
        """The store's own verified file of a blob, for who only reads it; ``None`` where the store is not a folder of
        this host, and where the blob is gone or damaged.
        """
        if not isinstance(self.store, LocalObjectStore) or self._verified is None:
            return None
        return None if self._verified.broken(digest, {digest: size}) else self.store.path(blob_key(digest))

    def put_bytes(self, data: bytes) -> str:
        """Store bytes as a blob; their digest."""
        digest = digest_bytes(data)
        key = blob_key(digest)
        if not self.store.create(key, data):
            info = self.store.head(key)
            if info is None or info.size != len(data) or not self._is_whole(digest) or not self.store.touch(key):
                self.store.put(key, data)
        return digest

    def read_bytes(self, digest: str) -> bytes:
        """The bytes of a blob, whole in memory.

        :raises ObjectNotFoundError: when it is not there. :raises CorruptedError: when it has other bytes.
        """
        data = self.store.get(blob_key(digest))
        if digest_bytes(data) != digest:
            raise self._removed(blob_key(digest))
        return data

    def fetch(self, digest: str, target: Path) -> None:
        """Write the verified bytes of a blob to a file that is not there.

        :raises ObjectNotFoundError: when the blob is not there. :raises CorruptedError: when it has other bytes.
        """
        key = blob_key(digest)
        # Bytes can also be damaged on their way: only a second look condemns what is in the store.
        for _ in range(2):
            if self._download(key, target) == digest:
                return
            target.unlink()
        raise self._removed(key)

    def _download(self, key: str, target: Path) -> str:
        if isinstance(self.store, LocalObjectStore):
            # The kernel copies, and all cores hash, faster than one thread does both.
            self.store.download(key, target)
            return digest_file(target)
        hasher = Hasher()
        self.store.download(key, target, tap=hasher.update)
        return hasher.digest()

    def _removed(self, key: str) -> CorruptedError:
        self.store.delete([key])
        return CorruptedError(
            "the stored bytes do not have the digest in their name; they were removed",
            where=self.store.uri(key),
            fix="run the step that produced them again; it counts as missing now",
        )

    def tree(self, digest: str) -> Tree:
        """A folder.

        :raises ObjectNotFoundError: when it is not there. :raises CorruptedError: when it is something else.
        :raises WorkspaceVersionError: when a newer version wrote it.
        """
        with self._lock:
            if digest in self._trees:
                self._trees.move_to_end(digest)
                return self._trees[digest]
        key = tree_key(digest)
        data = self.store.get(key)
        if digest_of_tree(data) != digest:
            raise self._removed(key)
        tree = Tree.from_bytes(data, where=self.store.uri(key))
        with self._lock:
            self._trees[digest] = tree
            while len(self._trees) > _TREES_KEPT:
                self._trees.popitem(last=False)
        return tree

    def walk(self, digest: str) -> Iterator[tuple[str, TreeEntry]]:
        """Every entry of a folder with its relative path, folders before their members; errors as :meth:`tree`."""
        trees = self._all_trees(digest)
        for found in trees.values():
            if isinstance(found, Exception):
                raise found
        loaded = {name: found for name, found in trees.items() if isinstance(found, Tree)}
        yield from walk(loaded[digest], loaded.__getitem__)

    def _all_trees(self, digest: str) -> dict[str, Tree | CorruptedError | ObjectNotFoundError]:
        """A folder's tree and all nested ones, or what is wrong with them; a level of folders at a time."""
        found: dict[str, Tree | CorruptedError | ObjectNotFoundError] = {}
        level = [digest]
        while level:
            trees = parallel_all(self._try_tree, level, self._threads)
            found.update(zip(level, trees, strict=True))
            below = (e.digest for t in trees if isinstance(t, Tree) for e in t.entries if e.kind == "folder")
            level = [d for d in dict.fromkeys(below) if d not in found]
        return found

    def _try_tree(self, digest: str) -> Tree | CorruptedError | ObjectNotFoundError:
        try:
            return self.tree(digest)
        except (CorruptedError, ObjectNotFoundError) as error:
            return error

    def missing(self, digest: str, kind: Kind) -> tuple[str, ...]:
        """Keys of the objects of an output that are gone, or are not what they were.

        Trees are read and verified (and remembered by this process); blobs are asked for their size, and those of a
        local store are verified as far as their stats are new.

        :raises WorkspaceVersionError: when a newer version wrote one.
        """
        if kind == "file":
            return tuple(map(blob_key, self._broken(digest, {digest: None})))
        if self._verified is not None:
            self._forget_trees()
        with self._lock:
            remembered = set(self._trees)
        trees = self._all_trees(digest)
        gone = [tree_key(name) for name, found in trees.items() if not isinstance(found, Tree)]
        # What this process remembers may be gone meanwhile.
        asked = [(name, found) for name, found in trees.items() if isinstance(found, Tree) and name in remembered]
        heads = parallel_all(lambda pair: self.store.head(tree_key(pair[0])), asked, self._threads)
        gone += [
            tree_key(name)
            for (name, found), info in zip(asked, heads, strict=True)
            if info is None or info.size != len(found.to_bytes())
        ]
        sizes = {
            entry.digest: entry.size
            for found in trees.values()
            if isinstance(found, Tree)
            for entry in found.entries
            if entry.kind == "file"
        }
        return (*gone, *map(blob_key, self._broken(digest, sizes)))

    def _forget_trees(self) -> None:
        with self._lock:
            self._trees.clear()

    def _broken(self, output: str, sizes: Mapping[str, int | None]) -> list[str]:
        if self._verified is not None:
            return self._verified.broken(output, sizes)
        heads = parallel_all(lambda digest: self.store.head(blob_key(digest)), sizes, self._threads)
        return [
            digest
            for (digest, size), info in zip(sizes.items(), heads, strict=True)
            if info is None or size not in (None, info.size)
        ]

    def export(self, digest: str, kind: Kind, target_prefix: str, target_store: ObjectStore) -> None:
        """A plain copy of an output with readable paths; see :func:`airflow_mlpipe.store.exporting.export`.

        :raises ObjectNotFoundError: when something of the output is gone. :raises StoreError: and its kinds.
        """
        if kind == "file":
            info = self.store.head(blob_key(digest))
            if info is None:
                raise ObjectNotFoundError("the output is gone", where=self.store.uri(blob_key(digest)))
            files = {"": (info.size, digest)}
        else:
            files = {path: (e.size, e.digest) for path, e in self.walk(digest) if e.kind == "file"}
        export(self, files, target_prefix, target_store, self._threads)
