"""Any fsspec filesystem as an object store: what serves every scheme that obstore does not, and Airflow's connections.

Nothing is believed that fsspec caches: listings are asked for anew, and identity is the caller's business (``ukey`` and
``checksum`` of many filesystems are guesses).  Glob characters in keys are plain characters: only the methods that take
one path literally are used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any

from airflow_mlpipe.errors import InputChangedError
from airflow_mlpipe.store.base import ObjectInfo, check_key
from airflow_mlpipe.store.incoming import PART
from airflow_mlpipe.store.outgoing import Sent
from airflow_mlpipe.store.remote import RemoteStore
from airflow_mlpipe.store.retry import Fault, Guard, RetryPolicy

_OBJECT_STORES = frozenset({"s3", "s3a", "abfs", "abfss", "az", "gs", "gcs"})
_MODIFIED = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_ETAG = ("ETag", "etag")
_VERSION = ("VersionId", "version_id", "generation")

# Bases of the exceptions that mean "no answer", by name: importing every client to ask isinstance is what this avoids.
_NO_ANSWER = frozenset(
    {
        *("ConnectionError", "TimeoutError", "FSTimeoutError"),
        *(
            "HTTPClientError",
            "EndpointConnectionError",
            "ConnectTimeoutError",
            "ReadTimeoutError",
            "ConnectionClosedError",
        ),
        *("ServiceRequestError", "ServiceResponseError"),
        *("ClientConnectionError", "ClientPayloadError", "SSHException", "ConnectionLost"),
    }
)
_DENIED = frozenset(
    {"PermissionError", "ClientAuthenticationError", "NoCredentialsError", "CredentialUnavailableError"}
)


class FsspecStore(RemoteStore):
    """A folder of an fsspec filesystem.

    :param fs: the filesystem; a synchronous one. :param root: the folder, as the filesystem spells it.
    :param url: the same as a URL without credentials.
    :param single: the same filesystem, sending each request once, for all that is tried again here.  By default ``fs``;
        where that tries again by itself and the answer of a first, successful try was lost, a create says ``False`` of
        the caller's own object.
    """

    def __init__(
        self,
        fs: Any,
        root: str,
        url: str,
        *,
        single: Any = None,
        retry: RetryPolicy | None = None,
        credentials: str = "the Airflow connection or the environment",
        exclusive: bool | None = None,
    ) -> None:
        protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
        # Elsewhere the check for an existing object is made by the client, so that two of them can both pass it.
        self._is_object_store = bool(protocols & _OBJECT_STORES)
        super().__init__(
            url,
            Guard(url, classify, credentials, retry),
            exclusive=exclusive if self._is_object_store else False,
            server=fs,  # filesystems are equal when they were made with the same options
        )
        self._patient = fs
        self._fs = fs if single is None else single
        self._root = root.rstrip("/")

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root or "/"

    def _get(self, key: str) -> bytes:
        return bytes(self._fs.cat_file(self._path(key)))

    def _put(self, key: str, data: bytes) -> None:
        if self._is_object_store:
            self._fs.pipe_file(self._path(key), data)
        else:
            with self._moved_into_place(key) as path:
                self._fs.pipe_file(path, data)

    def _put_new(self, key: str, data: bytes) -> None:
        self._fs.pipe_file(self._path(key), data, mode="create")

    def _head(self, key: str) -> ObjectInfo:
        path = self._path(key)
        self._forget(path)
        found = self._fs.info(path)
        if found.get("type") != "file":
            raise FileNotFoundError(path)
        return self._info(key, found)

    def _pages(self, prefix: str) -> Iterator[Sequence[ObjectInfo]]:
        path = self._path(prefix)
        self._forget(path)
        try:
            found = self._guard.run("list", prefix, lambda: self._fs.find(path, detail=True))
        except FileNotFoundError:
            return
        start = len(self._path("x")) - 1
        yield [self._info(name.lstrip("/")[start:], i) for name, i in _named(found) if i.get("type") == "file"]

    def _delete(self, keys: Sequence[str]) -> None:
        with ThreadPoolExecutor(min(16, len(keys))) as pool:
            for _ in pool.map(self._delete_one, keys):
                pass

    def _delete_one(self, key: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))

    def _upload(self, file: Sent, key: str) -> None:
        if self._is_object_store:
            self._write(file, self._path(key))
        else:
            with self._moved_into_place(key) as path:
                self._write(file, path)

    def _write(self, file: Sent, path: str) -> None:
        writer = self._patient.open(path, "wb", block_size=PART)
        try:
            for chunk in file.chunks(PART):
                writer.write(chunk)
        except BaseException:
            # Closing, also by the garbage collector, would complete the object.
            writer.closed = True
            with contextlib.suppress(Exception):  # giving parts back is a courtesy; the first error is the one to tell
                writer.discard()
            raise
        writer.close()

    @contextlib.contextmanager
    def _moved_into_place(self, key: str) -> Iterator[str]:
        """A filesystem shows a file while it is written: write it elsewhere and rename it."""
        scratch, path = self._path(self._scratch()), self._path(key)
        self._fs.makedirs(scratch.rpartition("/")[0], exist_ok=True)
        self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            yield scratch
            self._fs.mv(scratch, path)
        except BaseException:
            with contextlib.suppress(Exception):  # as above
                self._fs.rm_file(scratch)
            raise

    def _begin(self, key: str) -> tuple[ObjectInfo, bytes | None]:
        info = self._head(key)
        return info, bytes(self._fs.cat_file(self._path(key))) if info.size <= PART else None

    def _range(self, info: ObjectInfo, start: int, end: int) -> bytes:
        data = bytes(self._fs.cat_file(self._path(info.key), start=start, end=end))
        if len(data) != end - start:
            raise InputChangedError("the object became shorter while it was read", where=self.uri(info.key))
        return data

    def _finish(self, info: ObjectInfo) -> None:
        if self._head(info.key) != info:
            raise InputChangedError("the object changed while it was read", where=self.uri(info.key))

    def _copy(self, source: str, target: str) -> None:
        origin, path = self._path(source), self._path(target)
        if not self._is_object_store:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self._fs.cp_file(origin, path)

    def copy_from(self, other: object, source: str, target: str, size: int) -> bool:
        """Server-side copy of an object of another store; ``False`` where the filesystems are two."""
        if not isinstance(other, FsspecStore) or not self._is_object_store or self.server != other.server:
            return False
        origin, path = other._path(check_key(source)), self._path(check_key(target))
        self._guard.run("copy", source, lambda: self._fs.cp_file(origin, path))
        return True

    def _forget(self, path: str) -> None:
        """Filesystems cache what they list, for every thread that holds the same instance."""
        self._fs.invalidate_cache(path)

    def _info(self, key: str, found: Mapping[str, Any]) -> ObjectInfo:
        etag = _first(found, _ETAG)
        version = _first(found, _VERSION)
        modified = _first(found, _MODIFIED)
        if modified is None:
            modified = self._fs.modified(self._path(key))
        return ObjectInfo(
            key=key,
            size=int(found["size"]),
            modified=_seconds(modified),
            etag=str(etag).strip('"') if etag else None,
            version=str(version) if version and version != "null" else None,
        )


def _named(found: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # adlfs answers with a list when the folder is a file: that is not below itself.
    yield from found.items() if isinstance(found, Mapping) else ()


def _first(found: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((found[name] for name in names if found.get(name) is not None), None)


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).timestamp()
    return float(value)


def classify(error: BaseException) -> Fault | None:
    """What an exception of a filesystem means; they wrap those of their SDK, so its causes count too."""
    if isinstance(error, FileExistsError):
        return None
    seen: BaseException | None = error
    while seen is not None:
        fault = _classify_one(seen)
        if fault is not None:
            return fault
        seen = seen.__cause__ or seen.__context__
    from_client = type(error).__module__.partition(".")[0] not in ("builtins", "airflow_mlpipe")
    return Fault.REFUSED if isinstance(error, OSError) or from_client else None


def _classify_one(error: BaseException) -> Fault | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status == 404:
        return Fault.ABSENT
    if status in (401, 403) or names & _DENIED:
        return Fault.DENIED
    if status is not None:
        return Fault.UNANSWERED if status >= 500 or status in (408, 429) else Fault.REFUSED
    return Fault.UNANSWERED if names & _NO_ANSWER else None


def _status(error: BaseException) -> int | None:
    """The HTTP status of an SDK's exception: azure and aiohttp keep it as an attribute, botocore in the response."""
    response = getattr(error, "response", None)
    if isinstance(response, Mapping):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = getattr(error, "status_code", None) or getattr(error, "status", None) or getattr(error, "code", None)
    return status if isinstance(status, int) and 100 <= status < 600 else None
