"""Reading documents that may be broken: a broken one counts as absent, is set aside, and is said so in the log.

Every answer in a workspace can be computed again, so nothing here is worth an error that stops a pipeline.  One thing
is: a document of a newer version, because an older program cannot know what it would destroy.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from airflow_mlpipe.errors import CorruptedError, ObjectNotFoundError
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import QUARANTINE

log = logging.getLogger(__name__)

Decode = Callable[[bytes, str], "T"]
T = TypeVar("T")
U = TypeVar("U")

READERS = 16
"""Threads that read small objects at once; what they wait for is the store."""


def read(store: ObjectStore, key: str, decode: Decode[T]) -> T | None:
    """Read a document; ``None`` when there is none, or none that can be read (then it is set aside).

    :param decode: makes the value of the bytes and of where they were found; raises :class:`CorruptedError`.
    :raises WorkspaceVersionError: when it was written by a newer version.
    """
    try:
        data = store.get(key)
    except ObjectNotFoundError:
        return None
    try:
        return decode(data, store.uri(key))
    except CorruptedError as error:
        log.warning("%s It counts as absent and is kept as %s/%s.", error, QUARANTINE, key)
        set_aside(store, key, data)
        return None


def set_aside(store: ObjectStore, key: str, data: bytes) -> None:
    """Move a broken document out of the way, unless somebody has replaced it meanwhile.

    Copy first: whoever is killed in between leaves the document where the next reader finds it broken again.
    """
    store.put(f"{QUARANTINE}/{key}", data)
    try:
        if store.get(key) == data:
            store.delete([key])
    except ObjectNotFoundError:
        pass


def read_all(store: ObjectStore, prefix: str, decode: Decode[T]) -> Iterator[T]:
    """Read every document below a prefix, several at once, in no particular order.

    :raises WorkspaceVersionError: when one was written by a newer version.
    """
    keys = (info.key for info in store.list(prefix))
    yield from (value for value in parallel(lambda key: read(store, key, decode), keys) if value is not None)


def parallel(function: Callable[[U], T], items: Iterable[U]) -> Iterator[T]:
    """Apply ``function`` in threads.  The first error ends it and is raised."""
    items = iter(items)
    first = list(itertools.islice(items, 2))
    if len(first) < 2:
        yield from map(function, first)
        return
    items = itertools.chain(first, items)
    with ThreadPoolExecutor(READERS, thread_name_prefix="mlpipe-store") as pool:
        yield from pool.map(function, items)
