"""Publish: the bytes of an output into the store, blobs first, then trees from the deepest up, so that whatever names
something names what is there.

A blob is sent once, whoever has it already, and only if its bytes still have the digest that the output was identified
by.  A run that is killed here leaves blobs and trees that nothing refers to.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from airflow_mlpipe.errors import InputChangedError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import Hasher, blob_key, digest_bytes, tree_key
from airflow_mlpipe.fingerprint.local import LocalContent
from airflow_mlpipe.fingerprint.tree import Tree
from airflow_mlpipe.store.base import ObjectStore

T = TypeVar("T")

SMALL = 4 << 20
"""Bytes up to which a file is read whole and sent with one request."""

_PROBES = 16


@dataclass(frozen=True, slots=True)
class OutgoingBlob:
    """A file to publish: where it is, and what it was when the output was identified."""

    path: Path
    digest: str
    size: int


class Publisher:
    """Writes contents into a store.

    :param threads: blobs that are sent at once. :param grace: seconds that gc leaves young objects alone; an object
        that is there already and older than half of it is made young again.
    :param is_whole: tells whether a blob that is there, of the right size, has the right bytes.
    """

    def __init__(self, store: ObjectStore, *, threads: int, grace: float, is_whole: Callable[[str], bool]) -> None:
        self._store = store
        self._threads = threads
        self._grace = grace
        self._is_whole = is_whole

    def publish(self, path: Path, content: LocalContent) -> frozenset[str]:
        """Store a file or folder; the digests of its blobs.

        :raises InputChangedError: when a file is not any more what ``content`` says. :raises StoreError: and its kinds.
        """
        blobs: dict[str, OutgoingBlob] = {}
        folders: list[list[str]] = [[content.digest]] if content.kind == "folder" else []
        for relative, entry in content.walk():
            if entry.kind == "file":
                file = path / relative if content.kind == "folder" else path
                blobs.setdefault(entry.digest, OutgoingBlob(file, entry.digest, entry.size))
            else:
                depth = relative.count("/") + 1
                folders += [[] for _ in range(depth + 1 - len(folders))]
                folders[depth].append(entry.digest)
        self._send_all(list(blobs.values()))
        for level in reversed(folders):
            self._parallel(lambda digest: self._send_tree(content.trees[digest]), dict.fromkeys(level))
        return frozenset(blobs)

    def _send_all(self, blobs: list[OutgoingBlob]) -> None:
        small = [blob for blob in blobs if blob.size <= SMALL]
        large = sorted((blob for blob in blobs if blob.size > SMALL), key=lambda blob: -blob.size)
        # Large ones begin at once, each with parallel parts of its own; small ones fill the rest.
        look = self._look_first(small)
        self._parallel(lambda blob: self._send(blob, look or blob.size > SMALL), [*large, *small])

    def _look_first(self, blobs: list[OutgoingBlob]) -> bool:
        """Whether to ask for each blob before sending it: not when a sample says that they are all new, because then
        that would double the requests, and a create-only write finds the rest.
        """
        if not self._store.creates_exclusively:
            return True
        if len(blobs) <= _PROBES:
            return True
        sample = blobs[:: len(blobs) // _PROBES]
        return any(self._parallel(lambda blob: self._store.head(blob_key(blob.digest)), sample))

    def _send(self, blob: OutgoingBlob, look: bool) -> None:
        key = blob_key(blob.digest)
        if look and self._is_there(key, blob):
            return
        if blob.size > SMALL:
            self._send_large(key, blob)
            return
        data = _read(blob)
        if (look and not self._store.creates_exclusively) or (
            not self._store.create(key, data) and not self._is_there(key, blob)
        ):
            self._store.put(key, data)

    def _is_there(self, key: str, blob: OutgoingBlob) -> bool:
        return self.keeps(key, blob.size, lambda: self._is_whole(blob.digest))

    def keeps(self, key: str, size: int, is_whole: Callable[[], bool]) -> bool:
        """Whether the store has an object of this size that is whole, and will not lose it to a gc that runs just now.

        :param is_whole: asked when the size is right.
        """
        info = self._store.head(key)
        if info is None or info.size != size or not is_whole():
            return False
        return self._store.now() - info.modified < self._grace / 2 or self._store.touch(key)

    def _send_large(self, key: str, blob: OutgoingBlob) -> None:
        hasher = Hasher()

        def watch(data: memoryview) -> None:
            hasher.update(data)
            if not len(data) and hasher.digest() != blob.digest:
                raise _changed(blob)

        try:
            self._store.upload(blob.path, key, tap=watch)
        except OSError as error:
            raise _changed(blob) from error

    def _send_tree(self, tree: Tree) -> None:
        key, data = tree_key(tree.digest), tree.to_bytes()
        if self._store.create(key, data):
            return
        try:
            same = self._store.get(key) == data
            info = self._store.head(key) if same else None
        except ObjectNotFoundError:
            info = None
        if info is None or (self._store.now() - info.modified >= self._grace / 2 and not self._store.touch(key)):
            self._store.put(key, data)

    def _parallel(self, function: Callable[..., T], items: Iterable[object]) -> list[T]:
        return parallel_all(function, items, self._threads)


def parallel_all(function: Callable[..., T], items: Iterable[object], threads: int) -> list[T]:
    """Apply ``function`` in threads; the first error ends it at once and is raised."""
    items = iter(items)
    first = list(itertools.islice(items, 2))
    if len(first) < 2 or threads == 1:
        return [function(item) for item in itertools.chain(first, items)]
    with ThreadPoolExecutor(threads, "mlpipe-store") as pool:
        futures = [pool.submit(function, item) for item in itertools.chain(first, items)]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read(blob: OutgoingBlob) -> bytes:
    try:
        with blob.path.open("rb", buffering=0) as file:
            data = file.read(SMALL + 1)
    except OSError as error:
        raise _changed(blob) from error
    if digest_bytes(data) != blob.digest:
        raise _changed(blob)
    return data


def _changed(blob: OutgoingBlob) -> InputChangedError:
    return InputChangedError(
        "the file changed after it was identified; it is not published",
        where=str(blob.path),
        fix="see that nothing writes to the output once the program has ended",
    )
