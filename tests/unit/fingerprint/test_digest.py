"""Digests of bytes: self-describing, the same from memory, a stream and a file, on any number of threads."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fingerprint_golden import check

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.fingerprint import digest
from airflow_mlpipe.fingerprint.digest import Hasher, blob_key, check_digest, digest_bytes, digest_file, tree_key


def test_small_digest_is_sha256():
    """Up to a chunk, the digest is what sha256sum prints."""
    assert digest_bytes(b"abc") == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_golden_vectors(monkeypatch):
    """The digests of some bytes are those that are written down, chunked ones included."""
    whole = {"empty": digest_bytes(b""), "abc": digest_bytes(b"abc")}
    whole["65 MiB of zeros"] = digest_bytes(bytes(65 * 2**20))
    check("digest", whole)


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks of 1000 bytes, so that a test need not write gigabytes."""
    monkeypatch.setattr(digest, "CHUNK", 1000)
    monkeypatch.setattr(digest, "BLOCK", 64)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 999, 1000, 1001, 2000, 2001, 10_000])
@pytest.mark.parametrize("threads", [1, 3])
def test_all_ways_agree(small_chunks, tmp_path, size, threads):
    """Bytes in memory, in pieces, and in a file on any number of threads have one digest."""
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    hasher = Hasher()
    for start in range(0, size, 77):
        hasher.update(memoryview(data)[start : start + 77])
    assert hasher.size == size
    assert digest_bytes(data) == hasher.digest() == digest_file(tmp_path / "file", threads=threads)
    assert digest_bytes(data).startswith("sha256t:" if size > 1000 else "sha256:")


def test_hasher_goes_on(small_chunks):
    """Asking for the digest does not end the stream."""
    hasher = Hasher()
    hasher.update(b"a" * 1500)
    hasher.digest()
    hasher.update(b"b" * 1500)
    assert hasher.digest() == digest_bytes(b"a" * 1500 + b"b" * 1500)


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_different_bytes_differ(a, b):
    """Different bytes have different digests."""
    assert (digest_bytes(a) == digest_bytes(b)) == (a == b)


def test_order_of_chunks_counts(small_chunks):
    """The same chunks in another order are other bytes."""
    a, b = b"a" * 1000, b"b" * 1000
    assert digest_bytes(a + b) != digest_bytes(b + a)


def test_chunked_digest_is_no_digest_of_digests(small_chunks):
    """A file that holds the chunk digests of another one does not get that one's digest."""
    data = bytes(2000)
    inner = hashlib.sha256(bytes(1000)).digest() * 2
    assert digest_bytes(data).partition(":")[2] != hashlib.sha256(inner).hexdigest()


@pytest.mark.parametrize(
    "text", ["", "sha256:", "md5:" + "0" * 64, "sha256:" + "0" * 63, "sha256:" + "A" * 64, None, 5]
)
def test_not_a_digest(text):
    """Anything that is no digest of ours is refused."""
    with pytest.raises(CorruptedError):
        check_digest(text)


def test_keys():
    """A digest says where a store keeps its bytes; the first two digits spread them."""
    number = "ab" + "0" * 62
    assert blob_key(f"sha256:{number}") == f"blobs/ab/sha256_{number}"
    assert tree_key(f"tree:{number}") == f"trees/ab/tree_{number}.json"


def test_key_of_nonsense_is_refused():
    """A digest from a broken document cannot become a path."""
    with pytest.raises(CorruptedError):
        blob_key("sha256:../../etc/passwd")
