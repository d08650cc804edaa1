"""Transfers between every two kinds of store: the same bytes arrive, verified, and a second transfer sends nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from servers import s3, s3_without_conditions  # noqa: F401 - fixtures
from support.transfers import Stores, arrived, looks_whole, write

from airflow_mlpipe.errors import InputChangedError
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.incoming import PART
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.testing.memory import MemoryObjectStore
from airflow_mlpipe.transfer.engine import carry_out
from airflow_mlpipe.transfer.pace import Pace

FILES = {"small": b"abc", "sub/empty": b"", "sub/ü & x.bin": os.urandom(1000), "large": os.urandom(PART + 12_345)}
KINDS = ("folder", "s3", "other s3", "memory", "fsspec")


@pytest.fixture
def make(tmp_path, s3, s3_without_conditions):  # noqa: F811
    """Makes a new store of a kind."""

    def new(kind):
        if kind == "folder":
            return LocalObjectStore(tmp_path / f"folder-{time.monotonic_ns()}")
        if kind == "s3":
            return open_store(s3.config("some/prefix"))
        if kind == "other s3":
            return open_store(s3_without_conditions.config())
        if kind == "memory":
            return MemoryObjectStore()
        import fsspec

        return open_store(StoreConfig(url=f"memory://x{time.monotonic_ns()}", filesystem=fsspec.filesystem("memory")))

    return new


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_files_arrive_as_they_are_and_a_second_transfer_sends_nothing(make, source, target):
    """Empty files, files of several parts, and names that a URL must quote."""
    stores = Stores({"a": make(source), "b": make(target)})
    for name, data in FILES.items():
        stores.stores["a"].put(f"in/{name}", data)
    while not all(file.trusted for file in stores.look("a:in/", "b:out/here").listed):
        assert source in ("folder", "fsspec")  # files that are younger than two seconds may change unseen
        time.sleep(0.05)
    done = stores.transfer("a:in/", "b:out/here")
    assert done.sent == len(FILES)
    assert {name: stores.stores["b"].get(f"out/here/{name}") for name in FILES} == FILES
    assert stores.look("a:in/", "b:out/here").plan.is_empty
    assert looks_whole(stores.stores["b"], "out/here")
    assert stores.transfer("a:in/large", "b:one").sent == 1
    assert stores.stores["b"].get("one") == FILES["large"]
    assert stores.look("a:in/large", "b:one").plan.is_empty


def test_digests_are_known_all_the_way_although_a_server_copied(make, s3):  # noqa: F811
    """From a folder into a bucket, from there into another by the server, and back into a folder."""
    a, b = open_store(s3.config()), open_store(s3.config("p"))
    stores = Stores({"lake": make("folder"), "a": a, "b": b, "shelf": make("folder")})
    write(stores.stores["lake"].root, {"in/x": "1", "in/y/z": "22"}, old=False)
    stores.transfer("lake:in/", "a:in")
    passed = []

    class Watched(Pace):
        def spend(self, size):
            passed.append(size)

    done = carry_out(stores.look("a:in/", "b:in"), Watched(), lambda line: None)
    assert passed == []  # no byte passed here
    assert {path: content for path, (_, content) in done.files.items()} == {
        "x": digest_bytes(b"1"),
        "y/z": digest_bytes(b"22"),
    }
    assert stores.transfer("b:in/", "shelf:in").sent == 2
    assert stores.look("lake:in/", "shelf:in").plan.is_empty  # the same bytes, whichever way they came


def test_an_object_that_is_written_while_it_is_transferred_is_an_error(make):
    """Whether it was read before or is read after."""
    stores = Stores({"a": make("s3"), "b": make("folder")})
    for number in range(4):
        stores.stores["a"].put(f"in/{number}", b"old")
    found = stores.look("a:in/", "b:in", concurrency=1)
    changed = []

    class Busy(Pace):
        def spend(self, size):
            if not changed:
                changed.append(True)
                for number in (0, 3):
                    stores.stores["a"].put(f"in/{number}", b"new")

    with pytest.raises(InputChangedError):
        carry_out(found, Busy(), lambda line: None)
    assert not looks_whole(stores.stores["b"], "in")
    stores.transfer("a:in/", "b:in")
    assert stores.stores["b"].get("in/3") == b"new"


def test_a_move_out_of_a_bucket_empties_it(make):
    """And once more has nothing to do, although the folder is gone with its last object."""
    stores = Stores({"a": make("s3"), "b": make("folder")})
    stores.stores["a"].put("in/x", b"1")
    assert stores.transfer("a:in/", "b:in", mode="move").removed == 1
    assert list(stores.stores["a"].list("in")) == []
    assert stores.look("a:in/", "b:in", mode="move").plan.is_empty


_SENDER = """
import sys
from pathlib import Path
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.transfer.pace import Pace
from support.transfers import Stores
folder, url, endpoint = sys.argv[1:]
options = {"key": "testing", "secret": "testing", "region": "us-east-1", "endpoint_url": endpoint}
shelf = open_store(StoreConfig(url=url, options=options))
stores = Stores({"lake": LocalObjectStore(Path(folder)), "shelf": shelf})
stores.transfer("lake:in/", "shelf:out", pace=Pace(100_000), journal_every=0.05)
"""


def test_a_killed_transfer_to_a_bucket_goes_on_where_it_was(tmp_path, s3):  # noqa: F811
    """What was written down as arrived is not sent again, and nothing looks whole in between."""
    write(tmp_path / "lake" / "in", {f"{n:03}": f"{n:03}" * 1000 for n in range(200)}, old=False)
    config = s3.config()
    stores = Stores({"lake": LocalObjectStore(tmp_path / "lake"), "shelf": open_store(config)})
    command = [sys.executable, "-c", _SENDER, str(tmp_path / "lake"), config.url, s3.endpoint]
    sender = subprocess.Popen(command, cwd="tests")
    while len(arrived(stores)) < 20:
        assert sender.poll() is None, "it came to its end"
        time.sleep(0.05)
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    known = arrived(stores)
    assert not looks_whole(stores.stores["shelf"], "out")
    done = stores.transfer("lake:in/", "shelf:out")
    assert done.sent == 200 - len(known)
    assert stores.stores["shelf"].get("out/199") == b"199" * 1000
    assert arrived(stores) == []
