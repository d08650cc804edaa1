"""Digests of bytes that say how they were made, and where such bytes lie in a store.

``sha256:<hex>`` is the SHA-256 of the bytes; anybody can check it with ``sha256sum``.  Above :data:`CHUNK` bytes it is
``sha256t:<hex>``: the SHA-256 of a fixed prefix, the length and the digests of the 64 MiB chunks, so that one large
file is hashed on all cores (hashlib frees the GIL).  ``tree:<hex>`` is that of a folder (:mod:`.tree`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from airflow_mlpipe.errors import CorruptedError, InputChangedError

CHUNK = 64 * 2**20
"""Bytes of a chunk; longer contents have a ``sha256t:`` digest."""

BLOCK = 2**18
"""Bytes read at once: small enough to stay in a core's cache between the read and the hash."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC
_CHUNKS_DOMAIN = b"mlpipe.chunks/1\0"
_DIGEST = re.compile(r"(?:sha256|sha256t|tree):[0-9a-f]{64}\Z")


def cores() -> int:
    """How many cores this process may use: the best number of hashing threads."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Hasher:
    """Digest of a stream of unknown length, fed as it passes."""

    __slots__ = ("_chunk", "_done", "_room", "_size")

    def __init__(self) -> None:
        self._chunk = hashlib.sha256()
        self._room = CHUNK
        self._done: list[bytes] = []
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes seen."""
        return self._size

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add the next bytes."""
        view = memoryview(data).cast("B")
        self._size += len(view)
        while len(view):
            if not self._room:
                self._done.append(self._chunk.digest())
                self._chunk, self._room = hashlib.sha256(), CHUNK
            part = view[: self._room]
            self._chunk.update(part)
            self._room -= len(part)
            view = view[len(part) :]

    def digest(self) -> str:
        """The digest of what was added; more may be added afterwards."""
        if not self._done:
            return f"sha256:{self._chunk.hexdigest()}"
        return _combine([*self._done, self._chunk.digest()], self._size)


def _combine(chunks: Iterable[bytes], size: int) -> str:
    whole = hashlib.sha256(_CHUNKS_DOMAIN + size.to_bytes(8, "big"))
    for chunk in chunks:
        whole.update(chunk)
    return f"sha256t:{whole.hexdigest()}"


def digest_bytes(data: bytes | bytearray | memoryview) -> str:
    """The digest of bytes in memory."""
    if len(data) <= CHUNK:
        return f"sha256:{hashlib.sha256(data).hexdigest()}"
    hasher = Hasher()
    hasher.update(data)
    return hasher.digest()


def digest_file(path: str | os.PathLike[str], *, threads: int | None = None) -> str:
    """The digest of a file, in bounded memory.

    :param threads: for a file above :data:`CHUNK` bytes; by default one per core.
    :raises OSError: when it cannot be read. :raises InputChangedError: when it is shortened meanwhile.
    """
    return digest_and_size(path, threads=threads)[0]


def digest_and_size(
    path: str | os.PathLike[str], *, threads: int | None = None, expected: int = BLOCK
) -> tuple[str, int]:
    """The digest of a file and how many bytes it is of: a file that grows meanwhile has one size, this.

    :param expected: its size as far as is known; saves a small file a call to the system.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        if expected < BLOCK:
            # One byte more than expected is asked for, so that an answer of just this length means the end of the file.
            data = os.read(descriptor, expected + 1)
            if len(data) == expected:
                return digest_bytes(data), expected
        size = os.fstat(descriptor).st_size
        if size <= CHUNK:
            return f"sha256:{_digest_range(descriptor, 0, size, path).hex()}", size
        return _digest_chunks(descriptor, size, path, threads or cores()), size
    finally:
        os.close(descriptor)


def _digest_chunks(descriptor: int, size: int, path: str | os.PathLike[str], threads: int) -> str:
    starts = range(0, size, CHUNK)
    with ThreadPoolExecutor(min(threads, len(starts)), "mlpipe-digest") as pool:
        chunks = pool.map(lambda start: _digest_range(descriptor, start, min(CHUNK, size - start), path), starts)
        return _combine(chunks, size)


def _digest_range(descriptor: int, start: int, length: int, path: str | os.PathLike[str]) -> bytes:
    """SHA-256 of one range.  It reads into a buffer and not from a map: a map of a file that shrinks is a SIGBUS."""
    found = hashlib.sha256()
    buffer = memoryview(bytearray(min(BLOCK, length) or 1))
    end = start + length
    while start < end:
        read = os.preadv(descriptor, [buffer[: end - start]], start)
        if not read:
            raise InputChangedError("the file became shorter while it was read", where=os.fspath(path))
        found.update(buffer[:read])
        start += read
    return found.digest()


def check_digest(text: object) -> str:
    """Return ``text`` if it is a digest of this package.

    :raises CorruptedError: when it is none.
    """
    if not isinstance(text, str) or not _DIGEST.match(text):
        valid = "sha256:, sha256t: or tree: and 64 hex digits"
        raise CorruptedError("not a digest", where="digest", given=text, valid=valid)
    return text


def blob_key(digest: str) -> str:
    """Where a store keeps the bytes of this digest: ``blobs/<aa>/sha256_<hex>``.

    :raises CorruptedError: when it is no digest.
    """
    algorithm, _, number = check_digest(digest).partition(":")
    return f"blobs/{number[:2]}/{algorithm}_{number}"


def tree_key(digest: str) -> str:
    """Where a store keeps the tree of this digest: ``trees/<aa>/tree_<hex>.json``.

    :raises CorruptedError: when it is no digest.
    """
    algorithm, _, number = check_digest(digest).partition(":")
    return f"trees/{number[:2]}/{algorithm}_{number}.json"
