"""A folder as an object store: LocalObjectStore.

Guarantees: a reader sees an object whole or not at all (every write goes to a temporary file of the same filesystem and
is renamed or linked into place), and a create has one winner among any number of threads and processes (``link(2)``
fails when the name is taken).  Both hold when the writer is killed at any moment; what is left then is a temporary file
that no listing shows (:meth:`LocalObjectStore.leftovers`).

Not guaranteed: that an object survives a power failure.  Nothing is fsynced, because every reader of this package
checks what it reads - blobs by digest and size, answers by their JSON - so a torn object counts as missing and is
written again, and an fsync for each of 10,000 small files costs more than the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path
from urllib.parse import quote

from airflow_mlpipe.errors import InputChangedError, ObjectNotFoundError
from airflow_mlpipe.store.base import TEMPORARY, ObjectInfo, Tap, check_key
from airflow_mlpipe.store.copying import copy_file
from airflow_mlpipe.store.oserrors import os_errors

_CHUNK = 1 << 20
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})
_READS = frozenset({"get", "head", "download", "copy", "touch"})


class LocalObjectStore:
    """A folder of this machine, or of a shared filesystem, as :class:`~airflow_mlpipe.store.base.ObjectStore`.

    Links to folders are not listed (they could leave the root, or run in circles).  As on any filesystem ``a`` and
    ``a/b`` cannot both be objects; the second is refused with a :class:`StoreError`.

    :param root: the folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self.url = self.root.as_uri().rstrip("/")
        self.server: object = "file"
        self._links: bool | None = None

    def __repr__(self) -> str:
        return f"LocalObjectStore({str(self.root)!r})"

    @property
    def creates_exclusively(self) -> bool:
        """Whether the filesystem has hard links (FAT, some FUSE mounts do not)."""
        if self._links is None:
            with self._errors("probe", self.root), self._written(b"") as temporary:
                self._links = _link(temporary, temporary.with_name(f"{temporary.name}.link"))
                temporary.with_name(f"{temporary.name}.link").unlink(missing_ok=True)
        return self._links

    def path(self, key: str) -> Path:
        """Where an object's file is.  :raises PathError: for a key that is none."""
        return self.root / check_key(key)

    def get(self, key: str) -> bytes:
        """See :meth:`ObjectStore.get`."""
        path = self.path(key)
        with self._errors("get", path):
            return path.read_bytes()

    def put(self, key: str, data: bytes) -> None:
        """See :meth:`ObjectStore.put`."""
        path = self.path(key)
        with self._errors("put", path), self._written(data) as temporary:
            _into_place(temporary, path)

    def create(self, key: str, data: bytes) -> bool:
        """See :meth:`ObjectStore.create`."""
        path = self.path(key)
        with self._errors("create", path):
            if path.exists():
                return False
            with self._written(data) as temporary:
                return self._create(temporary, path)

    def _create(self, temporary: Path, path: Path) -> bool:
        try:
            linked = _retry_parent(path, lambda: _link(temporary, path))
        except FileExistsError:
            return False
        if not linked:
            # No hard links here: a check and a rename, which two writers can both pass; creates_exclusively says so.
            self._links = False
            if path.exists():
                return False
            _into_place(temporary, path)
        return True

    def head(self, key: str) -> ObjectInfo | None:
        """See :meth:`ObjectStore.head`."""
        path = self.path(key)
        try:
            with self._errors("head", path):
                status = path.stat()
        except ObjectNotFoundError:
            return None
        return _info(key, status) if stat.S_ISREG(status.st_mode) else None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """See :meth:`ObjectStore.list`."""
        prefix = prefix.rstrip("/")
        top = self.path(prefix) if prefix else self.root
        folders = [(top, f"{prefix}/" if prefix else "")]
        while folders:
            folder, start = folders.pop()
            with self._errors("list", folder, missing_ok=True), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if start or entry.name != TEMPORARY:
                            folders.append((folder / entry.name, f"{start}{entry.name}/"))
                        continue
                    # Deleted since the folder was read, or a dangling link: not an object.
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat()
                        if stat.S_ISREG(status.st_mode):
                            yield _info(f"{start}{entry.name}", status)

    def delete(self, keys: Iterable[str]) -> None:
        """See :meth:`ObjectStore.delete`.  Folders that become empty go too, as they would in an object store."""
        for key in keys:
            path = self.path(key)
            with self._errors("delete", path, missing_ok=True):
                path.unlink()
                self._prune(path.parent)

    def _prune(self, folder: Path) -> None:
        # Not empty, or gone, or filled by somebody else in this moment: all three end the climb.
        with contextlib.suppress(OSError):
            while folder != self.root and self.root in folder.parents:
                folder.rmdir()
                folder = folder.parent

    def upload(self, path: Path, key: str, *, tap: Tap | None = None) -> None:
        """See :meth:`ObjectStore.upload`.  Without a tap the filesystem copies (or shares) the blocks itself."""
        target = self.path(key)
        path.stat()  # a source that is missing is the caller's error, not the store's
        with self._errors("upload", target), self._temporary() as temporary:
            if tap is None:
                copy_file(path, temporary)
            else:
                with path.open("rb", buffering=0) as reader, temporary.open("xb", buffering=0) as writer:
                    _pump(reader, writer, tap)
            _into_place(temporary, target)

    def write(self, key: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """Write what comes in pieces, atomically; overwrites.

        :param size: bytes in all. :param pieces: what they raise, also at their end, undoes it.
        :raises InputChangedError: when they are of another length.
        """
        target = self.path(key)
        with self._temporary() as temporary:
            written = 0
            with self._errors("write", target), temporary.open("xb", buffering=0) as writer:
                for piece in pieces:
                    written += len(piece)
                    _write_all(writer, memoryview(piece))
            if written != size:
                raise InputChangedError("the object changed while it was read", given=f"{written} of {size} bytes")
            with self._errors("write", target):
                _into_place(temporary, target)

    def take(self, path: Path, key: str) -> bool:
        """Move a file into the store: its bytes are not copied.

        :param path: a finished file that nobody else has open or another name for.
        :returns: ``False`` when it is on another filesystem; it stays where it is then.
        """
        target = self.path(key)
        path.stat()  # a source that is missing is the caller's error, not the store's
        with self._errors("upload", target):
            try:
                _into_place(path, target)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    return False
                raise
        return True

    def download(self, key: str, path: Path, *, tap: Tap | None = None) -> None:
        """See :meth:`ObjectStore.download`."""
        source = self.path(key)
        with self._errors("download", source):
            reader = source.open("rb", buffering=0)
        with reader, self._errors("download to", path):
            if tap is None:
                copy_file(source, path)
            else:
                _download(reader, path, tap)

    def copy(self, source: str, target: str) -> None:
        """See :meth:`ObjectStore.copy`."""
        origin, path = self.path(source), self.path(target)
        with self._errors("copy", origin), self._temporary() as temporary:
            copy_file(origin, temporary)
            _into_place(temporary, path)

    def touch(self, key: str) -> bool:
        """See :meth:`ObjectStore.touch`."""
        path = self.path(key)
        try:
            with self._errors("touch", path):
                os.utime(path)
        except ObjectNotFoundError:
            return False
        return True

    def now(self) -> float:
        """The filesystem's clock: the file server's, not this machine's, where the folder is mounted."""
        with self._errors("write", self.root), self._written(b"") as temporary:
            return temporary.stat().st_mtime_ns / 1e9  # as in a listing, to the last bit

    def uri(self, key: str) -> str:
        """See :meth:`ObjectStore.uri`."""
        return f"{self.url}/{quote(check_key(key))}"

    def leftovers(self, *, age: float = 0.0) -> Iterator[ObjectInfo]:
        """What writers that were killed left: temporary files that were not written to for ``age`` seconds."""
        with self._errors("list", self.root / TEMPORARY, missing_ok=True):
            now = self.now()
            for path in sorted((self.root / TEMPORARY).iterdir()):
                with contextlib.suppress(FileNotFoundError):
                    info = _info(f"{TEMPORARY}/{path.name}", path.stat())
                    if now - info.modified >= age:
                        yield info

    def discard(self, leftovers: Iterable[ObjectInfo]) -> None:
        """Remove leftovers, except those that were written to since."""
        for info in leftovers:
            path = self.root / TEMPORARY / info.key.removeprefix(f"{TEMPORARY}/")
            with self._errors("delete", path, missing_ok=True):
                if _info(info.key, path.stat()) == info:
                    path.unlink()

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[Path]:
        """The name of a new temporary file; whatever is there is removed afterwards."""
        folder = self.root / TEMPORARY
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{secrets.token_hex(8)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _written(self, data: bytes) -> Iterator[Path]:
        with self._temporary() as path:
            with path.open("xb", buffering=0) as writer:
                _write_all(writer, memoryview(data))
            yield path

    def _errors(self, operation: str, path: Path, *, missing_ok: bool = False) -> AbstractContextManager[None]:
        return os_errors(self.url, operation, path, absent=operation in _READS, missing_ok=missing_ok)


def _info(key: str, status: os.stat_result) -> ObjectInfo:
    # The tag changes with every write, and with nothing else but a touch; it is no statement about content.
    tag = f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_size:x}"
    return ObjectInfo(key=key, size=status.st_size, modified=status.st_mtime_ns / 1e9, etag=tag)


def _link(temporary: Path, path: Path) -> bool:
    """Give a finished file its name if that is free; ``False`` where the filesystem has no hard links.

    :raises FileExistsError: when the name is taken.
    """
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _download(reader: FileIO, path: Path, tap: Tap) -> None:
    with path.open("xb", buffering=0) as writer:
        try:
            _pump(reader, writer, tap)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def _pump(reader: FileIO, writer: FileIO, tap: Tap) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    while size := reader.readinto(buffer):
        tap(buffer[:size])
        _write_all(writer, buffer[:size])
    tap(memoryview(b""))


def _write_all(writer: FileIO, data: memoryview) -> None:
    # An unbuffered file may take less than it is given, which is how a disk that fills up shows first.
    while len(data):
        data = data[writer.write(data) :]


def _into_place(temporary: Path, path: Path) -> None:
    def replace() -> bool:
        os.replace(temporary, path)
        return True

    _retry_parent(path, replace)


def _retry_parent(path: Path, step: Callable[[], bool]) -> bool:
    """Run ``step`` with the parent folder there; a delete in this moment may take the folder away again."""
    for _ in range(100):
        try:
            return step()
        except FileNotFoundError:
            # So may the parent's parent be taken, between the two; the next round makes it again.
            with contextlib.suppress(FileNotFoundError, FileExistsError):
                path.parent.mkdir(parents=True, exist_ok=True)
    return step()
