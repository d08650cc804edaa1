"""Every store that comes with the package passes the one contract, on real servers."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Any

import pytest
from servers import AzureServer, S3Server

from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.fsspec_ import FsspecStore
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.obstore_ import ObstoreStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.testing import StoreContract


def open_with(config: StoreConfig, kind: type, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Open a datastore as where obstore is installed, or as where it is not."""
    if kind is FsspecStore:
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "obstore" else real(name, *a))
    store = open_store(config)
    assert type(store) is kind
    return store


class TestLocal(StoreContract):
    """A folder."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return open_store(StoreConfig(url=(tmp_path / "the root").as_uri()))


class TestLocalWithoutLinks(StoreContract):
    """A folder on a filesystem without hard links."""

    exclusive = False

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        def refuse(*_: Any, **__: Any) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr("os.link", refuse)
        return LocalObjectStore(tmp_path / "root")


class TestMemory(StoreContract):
    """A filesystem of fsspec's own."""

    exclusive = False

    @pytest.fixture
    def store(self) -> ObjectStore:
        from fsspec.implementations.memory import MemoryFileSystem

        class Fresh(MemoryFileSystem):
            """The built-in one shares one store among all instances."""

            store: dict[str, Any] = {}
            pseudo_dirs = [""]

        return open_store(StoreConfig(url="memory://root/folder", filesystem=Fresh(skip_instance_cache=True)))


class TestS3ByObstore(StoreContract):
    """S3, where obstore is installed."""

    @pytest.fixture
    def store(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        return open_with(s3.config("some/prefix"), ObstoreStore, monkeypatch)


class TestS3ByS3fs(StoreContract):
    """S3, where it is not."""

    @pytest.fixture
    def store(self, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        return open_with(s3.config("some/prefix"), FsspecStore, monkeypatch)


class TestS3WithoutConditions(StoreContract):
    """An S3 server that overwrites what should be created only if absent."""

    exclusive = False

    @pytest.fixture
    def store(self, s3_without_conditions: S3Server, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        return open_with(s3_without_conditions.config("prefix"), ObstoreStore, monkeypatch)


class TestAzureByObstore(StoreContract):
    """Azure Blob Storage, where obstore is installed."""

    @pytest.fixture
    def store(self, azure: AzureServer, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        return open_with(azure.config("some/prefix"), ObstoreStore, monkeypatch)


class TestAzureByAdlfs(StoreContract):
    """Azure Blob Storage, where it is not."""

    @pytest.fixture
    def store(self, azure: AzureServer, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        return open_with(azure.config("some/prefix"), FsspecStore, monkeypatch)


def test_a_bucket_without_a_prefix(s3: S3Server) -> None:
    """The root of a store may be a bucket."""
    store = open_store(s3.config())
    assert store.create("a/b", b"1")
    assert [info.key for info in store.list()] == ["a/b"]


def test_azure_by_a_connection_string(azure: AzureServer) -> None:
    """A connection string opens the same store as options do."""
    options = azure.options
    names = {"AccountName": "account_name", "AccountKey": "account_key", "BlobEndpoint": "endpoint"}
    text = ";".join(f"{theirs}={options[ours]}" for theirs, ours in names.items())
    config = azure.config("prefix")
    open_store(config).put("a", b"1")
    assert open_store(dataclasses.replace(config, options={"connection_string": text})).get("a") == b"1"
