"""Opening a datastore: URLs, options, and what is missing on the machine."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.registry import _registry

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.store.options import azure_options, flag, for_fsspec, seconds

S3 = {"key": "k", "secret": "s3cr3t", "region": "us-east-1"}


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Hide packages as if they were not installed."""

    def hide(*names: str) -> None:
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in names else find(n, *a))
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)  # the import system's own way of saying "there is none"
        for name in ("s3", "abfs", "gs"):
            monkeypatch.delitem(_registry, name, raising=False)

    return hide


@pytest.mark.parametrize("name", ["plain", "a b", "100%", "a%20b", "ü#?"])
def test_a_file_url_and_a_path_are_the_same_folder(tmp_path: Path, name: str) -> None:
    """A local datastore may be given as a URL or as an absolute path."""
    folder = tmp_path / name
    for url in (folder.as_uri(), str(folder)):
        store = open_store(StoreConfig(url=url))
        assert isinstance(store, LocalObjectStore)
        assert store.root == folder


def test_opening_does_no_io(tmp_path: Path) -> None:
    """A datastore that is not there yet, or is down, can be opened."""
    open_store(StoreConfig(url=(tmp_path / "new").as_uri()))
    open_store(StoreConfig(url="s3://bucket/prefix", options=S3 | {"endpoint_url": "http://127.0.0.1:9"}))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/a/b/", "s3://bucket/a/b"),
        ("S3://bucket", "s3://bucket"),
        ("s3a://bucket/a", "s3://bucket/a"),
    ],
)
def test_the_url_of_a_store(url: str, expected: str) -> None:
    """A store says its URL in one form."""
    assert open_store(StoreConfig(url=url, options=S3)).url == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "relative/path", "bucket", "s3:/bucket", "://x", "file://host/path", "s3://", "abfs:///path"),
        *(
            "simplecache::s3://bucket",
            "s3://bucket/../other",
            "s3://bucket//a",
            "s3://bucket/a?versionId=1",
            "nosuch://x",
        ),
    ],
)
def test_a_bad_url_is_refused(url: str) -> None:
    """What is no datastore's URL is a ConfigurationError that shows it and what a good one looks like."""
    with pytest.raises(ConfigurationError):
        open_store(StoreConfig(url=url))


def test_a_password_in_a_url_is_refused_and_not_shown() -> None:
    """A URL with a password is refused without repeating the password."""
    with pytest.raises(ConfigurationError, match="password") as error:
        open_store(StoreConfig(url="sftp://user:s3cr3t@host/path"))
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize("url", ["file:///tmp/x", "s3://bucket", "abfs://container"])
def test_an_unknown_option_is_refused(url: str) -> None:
    """A misspelt option is a ConfigurationError that names it and never shows a value."""
    with pytest.raises(ConfigurationError, match="secrett") as error:
        open_store(StoreConfig(url=url, options={"secrett": "s3cr3t"}))
    assert "s3cr3t" not in str(error.value)


def test_valid_options_are_named() -> None:
    """The error for an unknown option lists those there are."""
    with pytest.raises(ConfigurationError, match="'endpoint_url'"):
        open_store(StoreConfig(url="s3://bucket", options={"endpoint": "x"}))


@pytest.mark.parametrize(
    ("url", "hidden", "extra"),
    [("s3://bucket", "s3fs", "s3"), ("abfs://container", "adlfs", "azure"), ("gs://bucket", "gcsfs", "gcs")],
)
def test_a_missing_extra_is_named(without: Any, url: str, hidden: str, extra: str) -> None:
    """Where no client of a scheme is installed, the error says what to install."""
    without("obstore", hidden)
    options = {"account_name": "a"} if extra == "azure" else {}
    with pytest.raises(ConfigurationError, match=rf"airflow-provider-mlpipe\[{extra}\]"):
        open_store(StoreConfig(url=url, options=options))


def test_another_filesystem_refuses_its_options() -> None:
    """Options of schemes that are not ours are judged by their class, and its refusal is a ConfigurationError."""
    with pytest.raises(ConfigurationError, match="refuses its options"):
        open_store(StoreConfig(url="zip://archive/path", options={}))


def test_secrets_are_in_no_text_of_a_store() -> None:
    """Neither a config nor a store shows its options."""
    config = StoreConfig(url="s3://bucket/a", options=S3)
    store = open_store(config)
    for text in (repr(config), repr(store), store.url, store.uri("k")):
        assert "s3cr3t" not in text


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("false", False), ("", False), (True, True), (None, False)]
)
def test_flags_come_as_text(value: object, expected: bool) -> None:
    """A yes or no of a connection's form is text."""
    assert flag({"anon": value}, "anon") is expected


@pytest.mark.parametrize("value", ["yes", 2, "on"])
def test_a_bad_flag_is_refused(value: object) -> None:
    """Anything else is not guessed at."""
    with pytest.raises(ConfigurationError, match="anon"):
        flag({"anon": value}, "anon")


@pytest.mark.parametrize("value", ["soon", -1, "nan"])
def test_a_bad_timeout_is_refused(value: object) -> None:
    """A time-out is a positive number."""
    with pytest.raises(ConfigurationError, match="timeout"):
        seconds({"timeout": value}, "timeout", 1)


def test_timeouts() -> None:
    """Time-outs may be text, and have a default."""
    assert (seconds({"timeout": "2.5"}, "timeout", 1), seconds({}, "timeout", 1)) == (2.5, 1)


def test_azure_account_of_the_url() -> None:
    """The account may be in the URL, as Azure writes it."""
    container, options = azure_options("data@lake.dfs.core.windows.net", {"account_key": "k"})
    assert (container, options) == ("data", {"account_name": "lake", "account_key": "k"})


def test_azure_connection_string() -> None:
    """A connection string says the same as options."""
    text = "DefaultEndpointsProtocol=https;AccountName=lake;AccountKey=a==;EndpointSuffix=core.windows.net"
    _, options = azure_options("data", {"connection_string": text})
    assert options == {"account_name": "lake", "account_key": "a=="}


@pytest.mark.parametrize("options", [{}, {"connection_string": "nonsense"}])
def test_azure_without_an_account(options: dict[str, str]) -> None:
    """An account that cannot be known is a ConfigurationError that never shows the connection string."""
    with pytest.raises(ConfigurationError) as error:
        azure_options("data", options)
    assert "nonsense" not in str(error.value)


def test_s3fs_caches_nothing() -> None:
    """The filesystems that are made here cache no listings, and the one that creates sends each request once."""
    assert for_fsspec("s3", S3)["use_listings_cache"] is False
    assert for_fsspec("s3", S3, single=True)["config_kwargs"]["retries"] == {"total_max_attempts": 1}
