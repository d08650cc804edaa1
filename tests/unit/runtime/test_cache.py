"""The bytes that a host has already: verified once, linked often, never trusted when somebody wrote to them."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.runtime.cache import Blob, BlobCache, mtime_of


class Source:
    """Blobs in memory; counts what is fetched."""

    def __init__(self, *contents: bytes) -> None:
        self.blobs = {digest_bytes(c): c for c in contents}
        self.fetched: list[str] = []

    def fetch(self, digest: str, target: Path) -> None:
        """Write a blob."""
        self.fetched.append(digest)
        if digest not in self.blobs:
            raise StoreError("gone", where=digest)
        with target.open("xb") as file:
            file.write(self.blobs[digest])


def blob_of(content: bytes, *, executable: bool = False) -> Blob:
    """The blob of these bytes."""
    return Blob(digest_bytes(content), len(content), executable)


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "blobs")


def test_a_blob_is_fetched_once(cache: BlobCache) -> None:
    """However often it is wanted."""
    source = Source(b"a", b"b")
    assert cache.fill(source, [blob_of(b"a"), blob_of(b"b"), blob_of(b"a")]) == 2
    assert cache.fill(source, [blob_of(b"a"), blob_of(b"b")]) == 0
    assert len(source.fetched) == 2


def test_a_link_is_the_same_file_and_read_only(cache: BlobCache, tmp_path: Path) -> None:
    """With a time that depends on the bytes alone, so that every attempt sees the same."""
    blob = blob_of(b"a")
    cache.fill(Source(b"a"), [blob])
    cache.link(blob, str(tmp_path / "link"))
    status = (tmp_path / "link").stat()
    assert status.st_ino == os.stat(cache.path(blob)).st_ino
    assert (status.st_mode & 0o777, status.st_mtime) == (0o444, mtime_of(blob.digest))


def test_an_executable_file_is_executable(cache: BlobCache, tmp_path: Path) -> None:
    """Although another file of the same bytes is not."""
    plain, program = blob_of(b"#!/bin/sh\n"), blob_of(b"#!/bin/sh\n", executable=True)
    cache.fill(Source(b"#!/bin/sh\n"), [plain, program])
    for blob in (plain, program):
        cache.link(blob, str(tmp_path / blob.mode.__str__()))
    assert [os.access(tmp_path / str(b.mode), os.X_OK) for b in (plain, program)] == [False, True]


@pytest.mark.parametrize("data", [b"x", b"longer"])
def test_a_blob_that_was_written_to_is_fetched_again(data: bytes, cache: BlobCache) -> None:
    """A program that runs as root is not stopped by the mode: same size or not, it is noticed."""
    source, blob = Source(b"a"), blob_of(b"a")
    cache.fill(source, [blob])
    os.chmod(cache.path(blob), 0o644)
    Path(cache.path(blob)).write_bytes(data)
    assert not cache.is_whole(blob)
    assert cache.fill(source, [blob]) == 1
    assert Path(cache.path(blob)).read_bytes() == b"a"


def test_a_failed_fetch_leaves_nothing(cache: BlobCache, tmp_path: Path) -> None:
    """And its error comes out, also from among many."""
    with pytest.raises(StoreError, match="gone"):
        cache.fill(Source(b"a"), [blob_of(b"a"), blob_of(b"b")])
    assert not cache.is_whole(blob_of(b"b"))
    assert not list((tmp_path / "blobs" / "new").iterdir())


def test_a_produced_file_moves_into_the_cache(cache: BlobCache, tmp_path: Path) -> None:
    """The next step links it and fetches nothing."""
    (tmp_path / "out").write_bytes(b"a")
    cache.adopt(str(tmp_path / "out"), blob_of(b"a"))
    assert not (tmp_path / "out").exists()
    assert cache.fill(Source(), [blob_of(b"a")]) == 0


def test_a_file_with_another_name_is_not_adopted(cache: BlobCache, tmp_path: Path) -> None:
    """Whoever has the other name could write to it."""
    (tmp_path / "out").write_bytes(b"a")
    os.link(tmp_path / "out", tmp_path / "other")
    cache.adopt(str(tmp_path / "out"), blob_of(b"a"))
    assert not cache.is_whole(blob_of(b"a"))


def test_two_that_fill_at_once_both_have_it(cache: BlobCache) -> None:
    """The second replaces the first by the same bytes."""
    contents = [bytes([n]) for n in range(50)]
    blobs = [blob_of(c) for c in contents]
    fillers = [threading.Thread(target=cache.fill, args=(Source(*contents), blobs)) for _ in range(4)]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
    assert all(cache.is_whole(blob) for blob in blobs)


def test_clean_up_takes_only_what_is_linked_nowhere_and_old(cache: BlobCache, tmp_path: Path) -> None:
    """A running attempt keeps its inputs."""
    source = Source(b"a", b"bb")
    cache.fill(source, [blob_of(b"a"), blob_of(b"bb")])
    cache.link(blob_of(b"a"), str(tmp_path / "used"))
    assert cache.remove_unused(3600) == 0
    assert cache.remove_unused(0) == 2
    assert cache.is_whole(blob_of(b"a"))
    assert not cache.is_whole(blob_of(b"bb"))
