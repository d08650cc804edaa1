"""One file across: the cheapest way that there is between two stores, hashed as it passes.

- Between two places of one server the server copies, and no byte passes here.
- A local file is uploaded, an object comes into a local file, an object streams into another store: in pieces, in
  bounded memory.  What passed is checked at its end, before anything becomes visible: against the digest if one is
  known, and a local file's stats against those that were listed.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from airflow_mlpipe.errors import (
    CorruptedError,
    InputChangedError,
    InputError,
    ObjectNotFoundError,
    StoreError,
    StoreUnavailableError,
)
from airflow_mlpipe.fingerprint.digest import Hasher
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore
from airflow_mlpipe.store.incoming import PART
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.outgoing import ahead
from airflow_mlpipe.transfer.files import SourceFile
from airflow_mlpipe.transfer.pace import Pace
from airflow_mlpipe.transfer.progress import Progress
from airflow_mlpipe.transfer.source import Source, local_tag, object_tag

_log = logging.getLogger(__name__)

Bytes = bytes | memoryview


@runtime_checkable
class _Reads(Protocol):
    """A store that gives an object in pieces."""

    def open(self, key: str) -> tuple[ObjectInfo, Iterator[Bytes]]: ...


@runtime_checkable
class _Writes(Protocol):
    """A store that takes one in pieces."""

    def write(self, key: str, size: int, pieces: Iterator[Bytes]) -> None: ...


@runtime_checkable
class _Copies(Protocol):
    """A store whose server copies from another one."""

    def copy_from(self, other: object, source: str, target: str, size: int) -> bool: ...


class Mover:
    """Brings files from one store to another.  Thread-safe.

    :param pace: asked before bytes pass. :param progress: told when they have.
    """

    def __init__(self, source: Source, target: ObjectStore, pace: Pace, progress: Progress) -> None:
        self._source, self._target = source, target
        self._pace, self._progress = pace, progress
        self._server_copies = not isinstance(target, LocalObjectStore)
        self._streams = isinstance(source.store, _Reads) and isinstance(target, _Writes)

    def move(self, file: SourceFile, key: str) -> str:
        """Bring one file to a key of the target; the digest of its bytes, empty if nobody saw them.

        :raises InputChangedError: when the file is not any more what was listed; then nothing is visible.
        :raises CorruptedError: when its bytes are not those of its digest. :raises StoreError: and its kinds.
        """
        self._pace.check()
        if self._copied(file, key):
            self._progress.passed(file.size)
            return file.digest
        watch = _Watch(file, self._source, self._pace, self._progress)
        try:
            self._send(file, key, watch)
        except ObjectNotFoundError as error:
            watch.undo()
            raise _changed(file, self._source, "it is not there any more") from error
        except BaseException:
            watch.undo()
            raise
        return watch.hasher.digest()

    def _send(self, file: SourceFile, key: str, watch: _Watch) -> None:
        source, target = self._source.store, self._target
        if isinstance(source, LocalObjectStore):
            try:
                target.upload(source.path(file.key), key, tap=watch)
            except FileNotFoundError as error:
                raise _changed(file, self._source, "it is not there any more") from error
            except OSError as error:
                raise InputError(f"cannot be read ({error.strerror})", where=source.uri(file.key)) from error
        elif self._streams:
            self._stream(file, key, watch)
        else:
            with tempfile.TemporaryDirectory(prefix="mlpipe-transfer-") as folder:
                source.download(file.key, Path(folder) / "file", tap=watch)
                target.upload(Path(folder) / "file", key)

    def _stream(self, file: SourceFile, key: str, watch: _Watch) -> None:
        source, target = cast("_Reads", self._source.store), cast("_Writes", self._target)
        info, pieces = source.open(file.key)
        watch.same_object(info)
        if info.size > PART and isinstance(target, LocalObjectStore):
            pieces = ahead(pieces)  # what comes next is on its way while this is hashed and written
        target.write(key, info.size, watch.through(pieces))

    def _copied(self, file: SourceFile, key: str) -> bool:
        """Server-side, if that can be."""
        source, target = self._source.store, self._target
        if not self._server_copies:
            return False
        try:
            if source is target:
                target.copy(file.key, key)
                return True
            return isinstance(target, _Copies) and target.copy_from(source, file.key, key, file.size)
        except ObjectNotFoundError as error:
            raise _changed(file, self._source, "it is not there any more") from error
        except StoreUnavailableError:
            raise
        except StoreError as error:
            # Two buckets of one server that are in two regions, or one that may be read and not copied from.
            self._server_copies = False
            _log.info("The server does not copy by itself, so the bytes pass through this machine: %s", error)
            return False


class _Watch:
    """Sees a file's bytes as they pass, in order: a :data:`~airflow_mlpipe.store.base.Tap`."""

    def __init__(self, file: SourceFile, source: Source, pace: Pace, progress: Progress) -> None:
        self.hasher = Hasher()
        self._file, self._source = file, source
        self._pace, self._progress = pace, progress

    def __call__(self, view: memoryview) -> None:
        size = len(view)
        self._pace.spend(size)
        if size:
            self.hasher.update(view)
            self._progress.passed(size)
        else:
            self._at_end()

    def through(self, pieces: Iterator[Bytes]) -> Iterator[Bytes]:
        """The same pieces, seen."""
        for piece in pieces:
            self(memoryview(piece))
            yield piece
        self(memoryview(b""))

    def same_object(self, info: ObjectInfo) -> None:
        """:raises InputChangedError: when an object is not what was listed."""
        listed = self._file.tag
        if not self._file.digest and listed[:2] == object_tag(info)[:2] and listed != object_tag(info):
            raise _changed(self._file, self._source, "it was written to")

    def undo(self) -> None:
        """What passed counts for nothing."""
        self._progress.passed(-self.hasher.size)

    def _at_end(self) -> None:
        file, store = self._file, self._source.store
        digest = self.hasher.digest()
        if file.digest and digest != file.digest:
            if self._source.movable:
                raise _changed(file, self._source, f"its bytes are {digest} now")
            raise CorruptedError(
                "the stored bytes do not have their digest; they are not delivered",
                where=store.uri(file.key),
                given=digest,
            )
        if self.hasher.size != file.size:
            raise _changed(file, self._source, f"it had {file.size} bytes, and {self.hasher.size} were read")
        if self._source.movable and isinstance(store, LocalObjectStore):
            try:
                now = local_tag(os.stat(store.path(file.key)))
            except FileNotFoundError:
                now = ""
            if now != file.tag:
                raise _changed(file, self._source, "it was written to")


def _changed(file: SourceFile, source: Source, how: str) -> InputChangedError:
    return InputChangedError(
        "the source changed while it was transferred; nothing is published",
        where=f"{source.store.url}/{file.key}",
        given=how,
        fix="run the task again when nobody writes the source; what has arrived is not sent again",
    )
