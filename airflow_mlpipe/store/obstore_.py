"""S3 and Azure through obstore, the transfer engine: a tenth of the CPU of the Python clients, in bounded memory.

Its own API and not its fsspec face, which reads whole objects into memory.  Two clients of one store: one that tries
its requests again by itself, for transfers and listings, whose many requests cannot be repeated as one; and one that
never does, for the rest, so that a create that was tried twice is known to have been.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_mlpipe.store.base import ObjectInfo, check_key
from airflow_mlpipe.store.incoming import PART, Bytes
from airflow_mlpipe.store.options import CONNECT_TIMEOUT, TIMEOUT, azure_options, flag, seconds
from airflow_mlpipe.store.outgoing import Sent, ahead
from airflow_mlpipe.store.remote import RemoteStore
from airflow_mlpipe.store.retry import Fault, Guard, RetryPolicy

_MOST_PARTS = 9_000  # S3 allows 10,000
_SENDERS = 8
_COPY_LIMIT = 5 << 30  # of one S3 CopyObject request
_OTHER_ENDPOINT = {"AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"}
_ONCE = {"max_retries": 0, "retry_timeout": timedelta(seconds=1)}
_STATUS = re.compile(r"status code: (\d{3})")
_NO_ANSWER = re.compile(
    r"error sending request|error trying to connect|connection|timed? ?out|dns error|broken pipe"
    r"|error decoding response body|HTTP error",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a store's root is on its server.

    :param copier: makes an obstore store whose ``copy`` takes keys of the whole bucket.
    :param crosses: whether that copy's target begins with the name of a bucket, which may be another one.
    """

    bucket: str
    prefix: str
    copier: Callable[[], Any]
    crosses: bool

    def key(self, key: str) -> str:
        """A key of the store as one of the bucket."""
        return f"{self.prefix}/{key}" if self.prefix else key


class ObstoreStore(RemoteStore):
    """A prefix of a bucket, by obstore.

    :param store: an obstore store (whose prefix is the root) that tries requests again by itself.
    :param single: one of the same root that does not. :param place: where the root is; ``None``: not known.
    """

    def __init__(
        self,
        store: Any,
        url: str,
        *,
        single: Any,
        guard: Guard,
        exclusive: bool | None = None,
        server: object = None,
        place: Place | None = None,
    ) -> None:
        super().__init__(url, guard, exclusive=exclusive, server=server)
        import obstore

        self._api: Any = obstore
        self._store = store
        self._single = single
        self._place = place
        self._copiers: dict[str, Any] = {}

    def _get(self, key: str) -> bytes:
        return bytes(self._api.get(self._single, key).bytes())

    def _put(self, key: str, data: bytes) -> None:
        self._api.put(self._single, key, data, use_multipart=False)

    def _put_new(self, key: str, data: bytes) -> None:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            self._api.put(self._single, key, data, mode="create")
        except (AlreadyExistsError, PreconditionError) as error:
            raise FileExistsError(key) from error

    def _head(self, key: str) -> ObjectInfo:
        return _info(self._api.head(self._single, key))

    def _pages(self, prefix: str) -> Iterator[Sequence[ObjectInfo]]:
        for page in self._api.list(self._store, prefix or None, chunk_size=1000):
            yield [_info(meta) for meta in page]

    def _delete(self, keys: Sequence[str]) -> None:
        try:
            self._api.delete(self._store, list(keys))
        except FileNotFoundError:
            # Azure answers so when one of them is gone, and does not say which.
            for key in keys:
                try:
                    self._api.delete(self._store, key)
                except FileNotFoundError:
                    continue

    def _upload(self, file: Sent, key: str) -> None:
        chunk = max(PART, -(-file.size // _MOST_PARTS))
        self._api.put(
            self._store,
            key,
            file.chunks(PART),
            use_multipart=True,
            chunk_size=chunk,
            max_concurrency=max(1, _SENDERS * PART // chunk),
        )

    def _begin(self, key: str) -> tuple[ObjectInfo, Bytes | Iterator[Bytes] | None]:
        found = self._api.get(self._single, key)
        info = _info(found.meta)
        if info.size <= PART:
            return info, memoryview(found.bytes())
        return info, map(memoryview, found.stream(PART // 2))

    def _range(self, info: ObjectInfo, start: int, end: int) -> memoryview:
        options: dict[str, Any] = {"range": (start, end)}
        if info.etag:
            options["if_match"] = f'"{info.etag}"'
        return memoryview(self._api.get(self._single, info.key, options=options).bytes())

    def _copy(self, source: str, target: str) -> None:
        from obstore.exceptions import BaseError

        try:
            self._api.copy(self._single, source, target)
        except BaseError:
            if self._head(source).size < _COPY_LIMIT:
                raise
            # S3 copies no more than this at once: the bytes go through this machine, streaming.
            pieces = ahead(map(memoryview, self._api.get(self._store, source).stream(PART)))
            self._api.put(self._store, target, pieces, use_multipart=True, chunk_size=8 * PART)

    def copy_from(self, other: object, source: str, target: str, size: int) -> bool:
        """Server-side copy of an object of another store; ``False`` where one request cannot do it."""
        if not isinstance(other, ObstoreStore) or other._place is None or self._place is None:
            return False
        here, there = self._place, other._place
        if self.server is None or self.server != other.server or size >= _COPY_LIMIT:
            return False
        if not here.crosses and here.bucket != there.bucket:
            return False
        with self._lock:
            client = self._copiers.get(there.bucket)
            if client is None:
                client = self._copiers[there.bucket] = there.copier()
        to = here.key(check_key(target))
        to = f"{here.bucket}/{to}" if here.crosses else to
        self._guard.run("copy", source, lambda: self._api.copy(client, there.key(check_key(source)), to))
        return True


def _info(meta: Mapping[str, Any]) -> ObjectInfo:
    etag = meta["e_tag"]
    return ObjectInfo(
        key=meta["path"],
        size=meta["size"],
        modified=meta["last_modified"].timestamp(),
        etag=etag.strip('"') if etag else None,
        version=meta["version"],
    )


def classify(error: BaseException) -> Fault | None:
    """What an exception of obstore means."""
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    if isinstance(error, FileNotFoundError):
        return Fault.ABSENT
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return Fault.DENIED
    if isinstance(error, ConnectionError | TimeoutError):
        return Fault.UNANSWERED
    return _classify_text(str(error)) if isinstance(error, BaseError) else None


def _classify_text(text: str) -> Fault:
    """Listings and uploads have one kind of exception; what went wrong is in its words."""
    if found := _STATUS.search(text):
        status = int(found[1])
        if status == 404:
            return Fault.ABSENT
        if status in (401, 403):
            return Fault.DENIED
        return Fault.UNANSWERED if status >= 500 or status in (408, 429) else Fault.REFUSED
    return Fault.UNANSWERED if _NO_ANSWER.search(text) else Fault.REFUSED


def open_obstore(
    scheme: str, bucket: str, prefix: str, url: str, options: Mapping[str, Any], policy: RetryPolicy
) -> ObstoreStore:
    """Open ``s3://`` or ``abfs://``; options as in :mod:`.options`.

    :raises ConfigurationError: for options that contradict each other.
    """
    client = {
        "connect_timeout": timedelta(seconds=seconds(options, "connect_timeout", CONNECT_TIMEOUT)),
        "read_timeout": timedelta(seconds=seconds(options, "timeout", TIMEOUT)),
        # A large part on a slow line takes its time; silence is what read_timeout bounds.
        "timeout": timedelta(hours=1),
        "allow_http": True,
    }
    make = _s3 if scheme == "s3" else _azure
    patient = {
        "max_retries": policy.tries - 1,
        "retry_timeout": timedelta(seconds=policy.seconds),
        "backoff": {
            "init_backoff": timedelta(seconds=policy.first),
            "max_backoff": timedelta(seconds=policy.longest),
            "base": 2,
        },
    }
    store, credentials, exclusive = make(bucket, prefix, options, client, patient)
    single, _, _ = make(bucket, prefix, options, client, _ONCE)
    guard = Guard(url, classify, credentials, policy)
    place = _place(scheme, bucket, prefix, options, client)
    server = (scheme, dict(options))
    return ObstoreStore(store, url, single=single, guard=guard, exclusive=exclusive, server=server, place=place)


def _place(scheme: str, bucket: str, prefix: str, options: Mapping[str, Any], client: Any) -> Place:
    if scheme != "s3":
        return Place(
            bucket=bucket, prefix=prefix, copier=lambda: _azure(bucket, "", options, client, _ONCE)[0], crosses=False
        )
    hosted = flag(options, "virtual_hosted")
    # obstore takes the endpoint of a "virtual hosted" bucket for that of the bucket.  Given the endpoint of the server
    # instead, the target of a copy can be in any bucket, while its source is in the named one.
    at = options.get("endpoint_url") or f"https://s3.{options.get('region') or 'us-east-1'}.amazonaws.com"
    crosses = not hosted and (bool(options.get("endpoint_url")) or not _OTHER_ENDPOINT & set(os.environ))
    whole = {**options, "endpoint_url": at, "virtual_hosted": "true"} if crosses else options
    return Place(bucket=bucket, prefix=prefix, copier=lambda: _s3(bucket, "", whole, client, _ONCE)[0], crosses=crosses)


_Made = tuple[Any, str, "bool | None"]


def _s3(bucket: str, prefix: str, options: Mapping[str, Any], client: Any, retry: Any) -> _Made:
    from obstore.store import S3Store

    names = {
        "key": "access_key_id",
        "secret": "secret_access_key",
        "token": "session_token",
        "endpoint_url": "endpoint",
        "region": "region",
    }
    config: Any = {theirs: options[ours] for ours, theirs in names.items() if options.get(ours)}
    if flag(options, "anon"):
        config["skip_signature"] = True
    if options.get("virtual_hosted") is not None:
        config["virtual_hosted_style_request"] = flag(options, "virtual_hosted")
    store = S3Store(bucket, prefix=prefix or None, config=config, client_options=client, retry_config=retry)
    named = "key" in options
    where = "the connection's key and secret" if named else "the environment (AWS_*) or the machine's role"
    # Amazon's own S3 has conditional writes; what else speaks the protocol may ignore them in silence.
    return store, where, None if options.get("endpoint_url") or _OTHER_ENDPOINT & set(os.environ) else True


def _azure(container: str, prefix: str, options: Mapping[str, Any], client: Any, retry: Any) -> _Made:
    from obstore.store import AzureStore

    container, found = azure_options(container, options)
    names = {
        "account_name": "account_name",
        "account_key": "account_key",
        "sas_token": "sas_key",
        "endpoint": "endpoint",
        "tenant_id": "tenant_id",
        "client_id": "client_id",
        "client_secret": "client_secret",
    }
    config: Any = {theirs: found[ours] for ours, theirs in names.items() if ours in found}
    if flag(options, "anon"):
        config["skip_signature"] = True
    store = AzureStore(container, prefix=prefix or None, config=config, client_options=client, retry_config=retry)
    given = {"account_key", "sas_token", "client_secret"} & set(found)
    where = f"the connection's {min(given)}" if given else "the environment (AZURE_*) or the machine's identity"
    return store, where, None if "endpoint" in found else True
