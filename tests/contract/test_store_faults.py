"""What goes wrong with real servers: not there, lost answers, wrong credentials, no bucket, no conditional writes."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.util
import logging
from pathlib import Path

import pytest
from servers import AZURE_ACCOUNT, AzureServer, S3Server, free_port
from support.flaky import FlakyNetwork

from airflow_mlpipe.errors import StoreError, StoreUnavailableError, Transient
from airflow_mlpipe.store.base import ObjectInfo, ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.obstore_ import ObstoreStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.store.retry import RetryPolicy

FAST = RetryPolicy(tries=3, first=0.01, longest=0.02)


@pytest.fixture(params=["obstore", "fsspec"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where obstore is installed, and where it is not."""
    if request.param == "fsspec":
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "obstore" else real(name, *a))
    return str(request.param)


def nobody(scheme: str) -> StoreConfig:
    """A datastore at a port that nobody listens on."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    if scheme == "s3":
        options = {"key": "testing", "secret": "s3cr3t", "region": "us-east-1", "endpoint_url": endpoint}
        return StoreConfig(url="s3://bucket/prefix", options=options)
    key = base64.b64encode(b"s3cr3t").decode()
    options = {"account_name": AZURE_ACCOUNT, "account_key": key, "endpoint": f"{endpoint}/{AZURE_ACCOUNT}"}
    return StoreConfig(url="abfs://container/prefix", options=options)


@pytest.mark.parametrize("operation", ["get", "put", "create", "head", "list", "delete", "now", "upload", "download"])
def test_a_server_that_is_not_there(client: str, operation: str, tmp_path: Path) -> None:
    """After its tries every operation is a StoreUnavailableError with the URL, the tries and the next step."""
    store = open_store(nobody("s3"), retry=FAST)
    (tmp_path / "file").write_bytes(b"x")
    operations = {
        "get": lambda: store.get("a"),
        "put": lambda: store.put("a", b""),
        "create": lambda: store.create("a", b""),
        "head": lambda: store.head("a"),
        "list": lambda: list(store.list()),
        "delete": lambda: store.delete(["a"]),
        "now": store.now,
        "upload": lambda: store.upload(tmp_path / "file", "a"),
        "download": lambda: store.download("a", tmp_path / "down"),
    }
    with pytest.raises(
        StoreUnavailableError, match=r"s3://bucket/prefix.*no answer.*3 tries.*run the task again"
    ) as error:
        operations[operation]()
    assert isinstance(error.value, Transient)
    assert "s3cr3t" not in str(error.value)
    assert not (tmp_path / "down").exists()


def test_an_azure_server_that_is_not_there(client: str) -> None:
    """Azure's clients have errors of their own; they mean the same."""
    if client == "fsspec":
        pytest.skip("adlfs cannot be told how often to try, and takes a minute")
    with pytest.raises(StoreUnavailableError, match="3 tries"):
        open_store(nobody("abfs"), retry=FAST).get("a")


def through(network: FlakyNetwork, server: S3Server) -> ObjectStore:
    """A new bucket of a server, seen over a network that loses answers."""
    config = server.config("prefix")
    return open_store(
        dataclasses.replace(config, options={**config.options, "endpoint_url": network.endpoint}), retry=FAST
    )


@pytest.mark.parametrize("lost", [1, 2])
def test_a_create_whose_answer_was_lost_is_ours(client: str, s3: S3Server, lost: int) -> None:
    """The create that is tried again finds its own object and says True."""
    with FlakyNetwork(s3.endpoint) as network:
        store = through(network, s3)
        assert store.creates_exclusively
        network.lost = lost
        assert store.create("lease", b"I am 1")
        assert network.lost == 0
        assert store.get("lease") == b"I am 1"


def test_a_create_whose_answer_was_lost_may_be_anothers(client: str, s3: S3Server) -> None:
    """If what is there is not what was sent, somebody else was first, lost answers or not."""
    with FlakyNetwork(s3.endpoint) as network:
        store = through(network, s3)
        assert store.create("lease", b"I am 1")
        network.lost = 1
        assert not store.create("lease", b"I am 2")


@pytest.mark.parametrize("operation", ["get", "put", "head", "list", "touch", "delete"])
def test_a_lost_answer_is_asked_for_again(client: str, s3: S3Server, operation: str) -> None:
    """An operation whose first answer is lost is done all the same."""
    with FlakyNetwork(s3.endpoint) as network:
        store = through(network, s3)
        store.put("a", b"1")
        network.lost = 1
        results = {
            "get": lambda: store.get("a") == b"1",
            "put": lambda: store.put("a", b"2") is None,
            "head": lambda: store.head("a") is not None,
            "list": lambda: [info.key for info in store.list()] == ["a"],
            "touch": lambda: store.touch("a"),
            "delete": lambda: store.delete(["a"]) is None,
        }
        assert results[operation]()
        assert network.lost == 0


def test_a_large_transfer_survives_lost_answers(client: str, s3: S3Server, tmp_path: Path) -> None:
    """Parts whose answers are lost are sent and asked for again; the bytes are right."""
    data = bytes(range(256)) * (20 << 12)
    (tmp_path / "up").write_bytes(data)
    with FlakyNetwork(s3.endpoint) as network:
        store = through(network, s3)
        network.lost = 1
        store.upload(tmp_path / "up", "a")
        network.lost = 1
        store.download("a", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data


def test_a_download_that_breaks_off_goes_on(s3: S3Server, tmp_path: Path) -> None:
    """A stream that breaks in the middle is continued where it broke, and a tap sees every byte once."""
    data = bytes(range(256)) * (20 << 12)
    (tmp_path / "up").write_bytes(data)
    seen = hashlib.sha256()
    with FlakyNetwork(s3.endpoint) as network:
        store = through(network, s3)
        store.upload(tmp_path / "up", "a")
        network.cut_after = 12 << 20
        store.download("a", tmp_path / "down", tap=seen.update)
        assert network.cut_after is None
    assert (tmp_path / "down").read_bytes() == data
    assert seen.digest() == hashlib.sha256(data).digest()


def test_a_slow_download_goes_on_in_parts(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is slower than a line to an object store is given up for parts; the bytes are the same."""
    monkeypatch.setattr("airflow_mlpipe.store.incoming._WAITED", 0.0)
    monkeypatch.setattr("airflow_mlpipe.store.incoming._SLOW", 1 << 50)
    asked: list[int] = []
    real = ObstoreStore._range

    def watching(self: ObstoreStore, info: ObjectInfo, start: int, end: int) -> object:
        asked.append(start)
        return real(self, info, start, end)

    monkeypatch.setattr(ObstoreStore, "_range", watching)
    data = bytes(range(256)) * (30 << 12)
    (tmp_path / "up").write_bytes(data)
    store = open_store(s3.config())
    store.upload(tmp_path / "up", "a")
    store.download("a", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data
    assert 0 < min(asked) < len(data)


def test_an_object_that_is_replaced_while_it_is_read(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of two versions are never put together: an error, and no file."""
    monkeypatch.setattr("airflow_mlpipe.store.incoming._WAITED", 0.0)
    monkeypatch.setattr("airflow_mlpipe.store.incoming._SLOW", 1 << 50)
    (tmp_path / "one").write_bytes(b"1" * (40 << 20))
    (tmp_path / "two").write_bytes(b"2" * (40 << 20))
    store = open_store(s3.config())
    store.upload(tmp_path / "one", "a")
    replaced = False

    def replace(_: memoryview) -> None:
        nonlocal replaced
        if not replaced:
            replaced = True
            store.upload(tmp_path / "two", "a")

    with pytest.raises(StoreError):
        store.download("a", tmp_path / "down", tap=replace)
    assert not (tmp_path / "down").exists()


@pytest.mark.parametrize("operation", ["get", "put", "list", "create"])
def test_wrong_credentials(client: str, azure: AzureServer, operation: str) -> None:
    """Refused credentials are a StoreError at once that says where they come from, and does not show them."""
    wrong = base64.b64encode(b"s3cr3t of somebody else").decode()
    store = open_store(azure.config("prefix", account_key=wrong), retry=RetryPolicy(tries=1000))
    operations = {
        "get": lambda: store.get("a"),
        "put": lambda: store.put("a", b""),
        "list": lambda: list(store.list()),
        "create": lambda: store.create("a", b""),
    }
    with pytest.raises(StoreError, match=r"denied.*credentials") as error:
        operations[operation]()
    assert not isinstance(error.value, StoreUnavailableError)
    assert wrong not in str(error.value)


def test_no_bucket(client: str, s3: S3Server) -> None:
    """A bucket that is not there is a StoreError that says so when something is written."""
    store = open_store(StoreConfig(url="s3://no-such-bucket/prefix", options=s3.options), retry=FAST)
    with pytest.raises(StoreError, match="no such bucket"):
        store.put("a", b"")


def test_no_container(client: str, azure: AzureServer) -> None:
    """So is a container."""
    store = open_store(StoreConfig(url="abfs://no-such-container/prefix", options=azure.options), retry=FAST)
    with pytest.raises(StoreError, match="no such bucket or container"):
        store.put("a", b"")


def test_a_store_that_overwrites_is_found_out(
    client: str, s3_without_conditions: S3Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that ignores conditions says so, warns once, and still respects what is there when nobody races."""
    store = open_store(s3_without_conditions.config("prefix"))
    with caplog.at_level(logging.WARNING):
        assert store.create("a", b"1")
        assert not store.create("a", b"2")
        assert store.create("b", b"3")
        assert store.creates_exclusively is False
    assert store.get("a") == b"1"
    warnings = [record.getMessage() for record in caplog.records if "only if absent" in record.getMessage()]
    assert len(warnings) == 1
    assert store.url in warnings[0]
