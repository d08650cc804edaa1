"""From the plain values of a connection to a datastore that can be read and written: open_store.

The one place that knows which client serves which scheme: ``file`` is ours, ``s3`` and ``abfs`` go to obstore where it
is installed and to s3fs or adlfs where it is not, everything else to the fsspec filesystem of that name.  Opening does
no I/O, so a datastore that is down is an error of the first operation and not of this function.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow_mlpipe.errors import ConfigurationError, PathError
from airflow_mlpipe.store.base import ObjectStore, check_key
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.options import AZURE_SCHEMES, azure_options, check_options, for_fsspec
from airflow_mlpipe.store.retry import RetryPolicy


def open_store(config: StoreConfig, *, retry: RetryPolicy | None = None) -> ObjectStore:
    """Open a datastore.

    :param retry: how often and how long an operation is tried again.
    :raises ConfigurationError: for a URL that is none, an option that the scheme does not have, a missing extra.
    """
    scheme, rest = split_url(config.url)
    policy = retry or RetryPolicy()
    if scheme == "file" and config.filesystem is None:
        check_options(scheme, config.options)
        return LocalObjectStore(Path("/") / unquote(rest))
    bucket, _, prefix = rest.strip("/").partition("/")
    if prefix:
        _check_prefix(prefix, config.url)
    url = f"{scheme}://{bucket}/{prefix}".rstrip("/")
    if config.filesystem is None:
        check_options(scheme, config.options)
        if scheme == "s3" or scheme in AZURE_SCHEMES:
            _need_bucket(bucket, config.url)
            if importlib.util.find_spec("obstore") is not None:
                from airflow_mlpipe.store.obstore_ import open_obstore

                return open_obstore(scheme, bucket, prefix, url, config.options, policy)
    return _open_fsspec(scheme, bucket, rest, url, config, policy)


def _open_fsspec(
    scheme: str, bucket: str, rest: str, url: str, config: StoreConfig, policy: RetryPolicy
) -> ObjectStore:
    from airflow_mlpipe.store.fsspec_ import FsspecStore

    root = rest.rstrip("/") or "/"
    if config.filesystem is not None:
        return FsspecStore(config.filesystem, root, url, retry=policy)
    options = config.options
    if scheme in AZURE_SCHEMES:
        container, options = azure_options(bucket, options)
        root = container + root[len(bucket) :]
    filesystem = _filesystem(scheme, config.url, for_fsspec(scheme, options))
    single = None
    if scheme == "s3":
        # s3fs tries again in two ways, its own and botocore's; only uploads of many parts need one of them.
        single = _filesystem(scheme, config.url, for_fsspec(scheme, options, single=True))
        filesystem.retries = single.retries = 1
    return FsspecStore(filesystem, root, url, single=single, retry=policy)


def split_url(url: str) -> tuple[str, str]:
    """Scheme and rest of a datastore's URL; an absolute path is a ``file`` URL.

    :raises ConfigurationError: for a relative path, a chained URL, one with credentials or a query in it.
    """
    if url.startswith("/"):
        return "file", url.replace("%", "%25")
    scheme, separator, rest = url.partition("://")
    fix = "write it like file:///folder, s3://bucket/prefix or abfs://container/prefix"
    if not separator or not scheme.replace("+", "").replace("-", "").isalnum() or "::" in url:
        raise ConfigurationError("not a datastore's URL", where="datastore", given=url, fix=fix)
    scheme = scheme.lower()
    if scheme == "file" and not rest.startswith("/"):
        raise ConfigurationError("a file URL has three slashes", where="datastore", given=url, fix=fix)
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if at and ":" in user:
        # The password is in the value, so the value is not shown.
        raise ConfigurationError(
            "a URL may not hold a password", where=f"{scheme}://...", fix="put it into the Airflow connection"
        )
    if scheme != "file" and ("?" in rest or "#" in rest):
        raise ConfigurationError("a datastore's URL has no query or fragment", where="datastore", given=url, fix=fix)
    return ("s3", rest) if scheme == "s3a" else (scheme, rest)


def _check_prefix(prefix: str, url: str) -> None:
    try:
        check_key(prefix)
    except PathError as error:
        raise ConfigurationError("the path in the URL is no prefix of keys", where="datastore", given=url) from error


def _need_bucket(bucket: str, url: str) -> None:
    if not bucket:
        raise ConfigurationError(
            "the URL names no bucket or container", where="datastore", given=url, fix="write it like s3://bucket/prefix"
        )


def _filesystem(scheme: str, url: str, options: Mapping[str, Any]) -> Any:
    """An fsspec filesystem of our own: not from fsspec's instance cache, which other threads and options share."""
    import fsspec

    extra = {"s3": "s3", **dict.fromkeys(AZURE_SCHEMES, "azure"), "gs": "gcs", "gcs": "gcs"}.get(scheme)
    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        fix = f'pip install "airflow-provider-mlpipe[{extra}]"' if extra else str(error)
        raise ConfigurationError(f"{scheme}:// needs a package that is not installed", where=url, fix=fix) from error
    except ValueError as error:
        raise ConfigurationError(
            "no filesystem of this name", where="datastore", given=url, valid="file, s3, abfs, or what fsspec knows"
        ) from error
    try:
        return kind(**options, skip_instance_cache=True)
    except (TypeError, ValueError, OSError) as error:
        raise ConfigurationError(f"the filesystem refuses its options ({error})", where=url) from error
