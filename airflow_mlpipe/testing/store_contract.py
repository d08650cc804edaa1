"""What every datastore must do, as tests: StoreContract.

Inherit from it in a test module and give it a store, new and empty for each test::

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(...)

Needs pytest.  A store that cannot create atomically sets ``exclusive = False``: the tests of races are then not run.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

from airflow_mlpipe.errors import ObjectNotFoundError, PathError
from airflow_mlpipe.store.base import TEMPORARY, ObjectStore

ODD_NAMES = (
    "a name with spaces",
    " leading and trailing ",
    "ünïcödé-日本語",
    "50%",
    "a%20b",
    "a+b",
    "a#b",
    "a?b=c&d",
    "[a]*",
    ".hidden",
    "..dots",
    "quote'and\"quote",
    "tilde~at@colon:semi;comma,",
    "x" * 200,
)

BAD_KEYS = ("", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\\b", "a\x00b", f"{TEMPORARY}/a")

LARGE = 20 << 20


def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    """The sorted keys of a listing."""
    return sorted(info.key for info in store.list(prefix))


class StoreContract:
    """The executable form of :class:`airflow_mlpipe.store.base.ObjectStore`."""

    exclusive = True
    """Whether the store creates atomically."""

    def test_what_was_put_is_got(self, store: ObjectStore) -> None:
        """An object has the bytes that were put."""
        store.put("a/b", b"bytes\x00\xff")
        assert store.get("a/b") == b"bytes\x00\xff"

    def test_put_overwrites(self, store: ObjectStore) -> None:
        """A second put replaces the first, longer or shorter."""
        store.put("a", b"a long first value")
        store.put("a", b"short")
        assert store.get("a") == b"short"

    def test_put_is_atomic(self, store: ObjectStore) -> None:
        """A reader sees the old bytes or the new ones, never a mixture or none."""
        values = {bytes([n]) * 200_000 for n in range(4)}
        store.put("a", b"\x00" * 200_000)
        with ThreadPoolExecutor(5) as pool:
            writes = [pool.submit(store.put, "a", value) for value in values for _ in range(3)]
            while not all(write.done() for write in writes):
                assert store.get("a") in values
            for write in writes:
                write.result()

    def test_get_of_nothing(self, store: ObjectStore) -> None:
        """An object that is not there is an ObjectNotFoundError that names it."""
        with pytest.raises(ObjectNotFoundError, match="missing-key"):
            store.get("a/missing-key")

    def test_a_folder_is_no_object(self, store: ObjectStore) -> None:
        """A prefix of keys is not an object."""
        store.put("a/b", b"")
        assert store.head("a") is None

    def test_empty_object(self, store: ObjectStore, tmp_path: Path) -> None:
        """An object may be empty: got, listed, downloaded."""
        store.put("empty", b"")
        store.download("empty", tmp_path / "empty")
        assert (store.get("empty"), (tmp_path / "empty").read_bytes()) == (b"", b"")
        assert [info.size for info in store.list()] == [0]

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_odd_names(self, store: ObjectStore, name: str, tmp_path: Path) -> None:
        """A key is any text: written, listed, read, copied and deleted under the very same name."""
        key = f"folder/{name}/{name}"
        assert store.create(key, b"1")
        assert keys_of(store, f"folder/{name}") == [key]
        store.copy(key, f"{key}.copy")
        store.download(f"{key}.copy", tmp_path / "file")
        assert ((tmp_path / "file").read_bytes(), store.get(key)) == (b"1", b"1")
        store.delete([key])
        assert keys_of(store) == [f"{key}.copy"]

    @pytest.mark.parametrize("operation", ["get", "put", "create", "head", "delete", "touch", "copy", "uri"])
    def test_keys_that_climb_are_refused(self, store: ObjectStore, operation: str) -> None:
        """A key that could leave the root, or has two spellings, is a PathError before anything is asked."""
        operations: dict[str, Callable[[str], object]] = {
            "get": store.get,
            "put": lambda key: store.put(key, b""),
            "create": lambda key: store.create(key, b""),
            "head": store.head,
            "delete": lambda key: store.delete([key]),
            "touch": store.touch,
            "copy": lambda key: store.copy("a", key),
            "uri": store.uri,
        }
        for key in BAD_KEYS:
            with pytest.raises(PathError):
                operations[operation](key)

    def test_create_says_who_was_first(self, store: ObjectStore) -> None:
        """The first create of a key is True, each later one False, and the bytes stay the first's."""
        assert store.create("a", b"first")
        assert not store.create("a", b"second")
        assert store.get("a") == b"first"

    def test_create_of_the_same_bytes_twice(self, store: ObjectStore) -> None:
        """A create is False for an object that is there, also when its bytes are the same."""
        assert store.create("a", b"same")
        assert not store.create("a", b"same")

    def test_create_after_delete(self, store: ObjectStore) -> None:
        """A key that was deleted can be created again."""
        store.create("a", b"1")
        store.delete(["a"])
        assert store.create("a", b"2")

    def test_create_after_put(self, store: ObjectStore) -> None:
        """A create respects an object that a put made."""
        store.put("a", b"put")
        assert not store.create("a", b"created")
        assert store.get("a") == b"put"

    def test_creates_exclusively_is_honest(self, store: ObjectStore) -> None:
        """The store says whether its creates are atomic."""
        assert store.creates_exclusively is self.exclusive

    def test_race_of_creates_has_one_winner(self, store: ObjectStore) -> None:
        """Of sixteen threads that create one key, exactly one is told that it did, and its bytes are there."""
        if not self.exclusive:
            pytest.skip("this store does not create atomically")
        for round_ in range(3):
            key = f"race/{round_}"
            with ThreadPoolExecutor(16) as pool:
                won = list(pool.map(lambda n, key=key: store.create(key, b"%d" % n), range(16)))
            assert won.count(True) == 1
            assert store.get(key) == b"%d" % won.index(True)

    def test_head_tells_the_facts(self, store: ObjectStore) -> None:
        """A head tells key and size."""
        store.put("a/b", b"12345")
        info = store.head("a/b")
        assert info is not None
        assert (info.key, info.size) == ("a/b", 5)

    def test_head_of_nothing(self, store: ObjectStore) -> None:
        """A head of an absent object is None."""
        assert store.head("a") is None

    def test_head_sees_a_new_object_at_once(self, store: ObjectStore) -> None:
        """Nothing is cached: an object that was absent a moment ago is seen when another client has written it."""
        assert store.head("a/b") is None
        assert keys_of(store, "a") == []
        store.put("a/b", b"1")
        assert store.head("a/b") is not None
        assert keys_of(store, "a") == ["a/b"]

    def test_list_tells_what_head_tells(self, store: ObjectStore) -> None:
        """A listing and a head agree on size, entity tag and time (to the second)."""
        store.put("a/b", b"12345")
        listed, head = next(iter(store.list())), store.head("a/b")
        assert head is not None
        assert (listed.key, listed.size, listed.etag) == (head.key, head.size, head.etag)
        assert abs(listed.modified - head.modified) < 1

    def test_list_of_all(self, store: ObjectStore) -> None:
        """Without a prefix everything is listed, at any depth."""
        keys = ["a", "b/c", "b/d/e/f", "z"]
        for key in keys:
            store.put(key, b"")
        assert keys_of(store) == keys

    def test_list_of_a_folder(self, store: ObjectStore) -> None:
        """A prefix is a folder: neither its namesakes nor an object of exactly this name are in it."""
        for key in ("a/b", "a/c/d", "ab", "abc/d", "b/a/x"):
            store.put(key, b"")
        assert keys_of(store, "a") == ["a/b", "a/c/d"]

    def test_list_of_an_object(self, store: ObjectStore) -> None:
        """An object is not below itself."""
        store.put("a/b", b"")
        assert keys_of(store, "a/b") == []

    def test_list_of_nothing(self, store: ObjectStore) -> None:
        """A folder that is not there has nothing in it, and so has an empty store."""
        assert keys_of(store, "nowhere/at/all") == []
        assert keys_of(store) == []

    def test_list_of_many(self, store: ObjectStore) -> None:
        """A listing of more than one page is complete."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: store.put(f"many/{n:04}", b"x"), range(1_100)))
        assert keys_of(store, "many") == [f"many/{n:04}" for n in range(1_100)]

    def test_list_shows_no_temporary_objects(self, store: ObjectStore, tmp_path: Path) -> None:
        """What the store writes for itself is never listed and does not stay."""
        (tmp_path / "file").write_bytes(b"x")
        store.upload(tmp_path / "file", "a")
        store.create("b", b"")
        store.touch("a")
        store.now()
        assert store.creates_exclusively in (True, False)
        assert keys_of(store) == ["a", "b"]

    def test_delete(self, store: ObjectStore) -> None:
        """What was deleted is gone; the rest stays."""
        for key in ("a/b", "a/c", "d"):
            store.put(key, b"")
        store.delete(["a/b", "d"])
        assert keys_of(store) == ["a/c"]

    def test_delete_of_nothing(self, store: ObjectStore) -> None:
        """To delete what is not there is no error, alone, among others, or not at all."""
        store.put("a", b"")
        store.delete([])
        store.delete(["missing"])
        store.delete(["missing", "a", "folder/missing"])
        assert keys_of(store) == []

    def test_copy(self, store: ObjectStore) -> None:
        """A copy has the same bytes, replaces what was there, and leaves the source."""
        store.put("a", b"1")
        store.put("b/c", b"old")
        store.copy("a", "b/c")
        assert (store.get("a"), store.get("b/c")) == (b"1", b"1")

    def test_copy_of_nothing(self, store: ObjectStore) -> None:
        """A copy of an absent object is an ObjectNotFoundError and makes nothing."""
        with pytest.raises(ObjectNotFoundError):
            store.copy("a", "b")
        assert keys_of(store) == []

    def test_touch_makes_an_object_new(self, store: ObjectStore) -> None:
        """A touched object was modified later than one written before the touch, and has the same bytes."""
        store.put("a", b"bytes")
        before = store.head("a")
        assert before is not None
        # The coarsest clock of a store has seconds.
        deadline = time.monotonic() + 30
        while (after := store.head("a")) and after.modified <= before.modified:
            assert store.touch("a")
            assert time.monotonic() < deadline, "touch does not change the modification time"
        assert store.get("a") == b"bytes"

    def test_touch_of_nothing(self, store: ObjectStore) -> None:
        """A touch of an absent object is False and makes nothing."""
        assert store.touch("a") is False
        assert keys_of(store) == []

    def test_now_is_the_time_of_a_new_object(self, store: ObjectStore) -> None:
        """The store's clock and the time of an object written now agree, to the two seconds of coarse clocks."""
        now = store.now()
        store.put("a", b"")
        info = store.head("a")
        assert info is not None
        assert abs(info.modified - now) < 60
        assert store.now() >= now

    def test_now_is_not_the_local_clock(self, store: ObjectStore) -> None:
        """A local clock that is a day off does not change what the store's clock says."""
        right = store.now()
        with mock.patch("time.time", return_value=right + 86_400):
            assert abs(store.now() - right) < 3_600

    def test_large_object(self, store: ObjectStore, tmp_path: Path) -> None:
        """A file of 20 MB (several parts) comes back as it was, and the taps of both ways saw every byte in order."""
        data = _bytes(LARGE)
        (tmp_path / "up").write_bytes(data)
        sent, received = hashlib.sha256(), hashlib.sha256()
        store.upload(tmp_path / "up", "large", tap=sent.update)
        store.download("large", tmp_path / "down", tap=received.update)
        assert (tmp_path / "down").read_bytes() == data
        assert sent.digest() == received.digest() == hashlib.sha256(data).digest()

    def test_large_object_without_a_tap(self, store: ObjectStore, tmp_path: Path) -> None:
        """A tap is optional both ways."""
        data = _bytes(LARGE + 1)
        (tmp_path / "up").write_bytes(data)
        store.upload(tmp_path / "up", "a/large")
        store.download("a/large", tmp_path / "down")
        assert (tmp_path / "down").read_bytes() == data

    @pytest.mark.parametrize("size", [0, 1, 100_000])
    def test_small_file(self, store: ObjectStore, tmp_path: Path, size: int) -> None:
        """A file of one part comes back as it was, and the taps saw it."""
        data = _bytes(size)
        (tmp_path / "up").write_bytes(data)
        sent, received = hashlib.sha256(), hashlib.sha256()
        store.upload(tmp_path / "up", "small", tap=sent.update)
        store.download("small", tmp_path / "down", tap=received.update)
        assert (tmp_path / "down").read_bytes() == data
        assert sent.digest() == received.digest() == hashlib.sha256(data).digest()

    def test_upload_overwrites(self, store: ObjectStore, tmp_path: Path) -> None:
        """An upload replaces what was there."""
        store.put("a", b"old")
        (tmp_path / "file").write_bytes(b"new")
        store.upload(tmp_path / "file", "a")
        assert store.get("a") == b"new"

    def test_upload_of_nothing(self, store: ObjectStore, tmp_path: Path) -> None:
        """A local file that is not there is the caller's FileNotFoundError, and nothing is written."""
        with pytest.raises(FileNotFoundError):
            store.upload(tmp_path / "missing", "a")
        assert keys_of(store) == []

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_upload_that_its_tap_refuses(self, store: ObjectStore, tmp_path: Path, size: int) -> None:
        """What a tap raises at the end of the bytes comes back as it is, and there is no object."""
        (tmp_path / "file").write_bytes(_bytes(size))
        with pytest.raises(_RefusedError):
            store.upload(tmp_path / "file", "a", tap=_refuse_at_end)
        assert store.head("a") is None

    @pytest.mark.parametrize("size", [10, LARGE])
    def test_download_that_its_tap_refuses(self, store: ObjectStore, tmp_path: Path, size: int) -> None:
        """What a tap raises at the end of the bytes comes back as it is, and there is no file."""
        (tmp_path / "file").write_bytes(_bytes(size))
        store.upload(tmp_path / "file", "a")
        with pytest.raises(_RefusedError):
            store.download("a", tmp_path / "down", tap=_refuse_at_end)
        assert not (tmp_path / "down").exists()

    def test_download_of_nothing(self, store: ObjectStore, tmp_path: Path) -> None:
        """A download of an absent object is an ObjectNotFoundError and leaves no file."""
        with pytest.raises(ObjectNotFoundError):
            store.download("a", tmp_path / "down")
        assert not (tmp_path / "down").exists()

    def test_download_onto_a_file(self, store: ObjectStore, tmp_path: Path) -> None:
        """A download overwrites nothing."""
        store.put("a", b"new")
        (tmp_path / "down").write_bytes(b"old")
        with pytest.raises(Exception, match="down"):
            store.download("a", tmp_path / "down")
        assert (tmp_path / "down").read_bytes() == b"old"

    def test_many_large_downloads_at_once(self, store: ObjectStore, tmp_path: Path) -> None:
        """Downloads of several parts each, more at once than there is memory for, all come to their end."""
        (tmp_path / "file").write_bytes(_bytes(LARGE))
        store.upload(tmp_path / "file", "a")
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.download("a", tmp_path / f"{n}"), range(8)))
        assert {(tmp_path / f"{n}").stat().st_size for n in range(8)} == {LARGE}

    def test_uri(self, store: ObjectStore) -> None:
        """An object's URL is below the store's, which has no final slash and no password."""
        assert not store.url.endswith("/")
        assert store.uri("a/b") == f"{store.url}/a/b"
        assert "@" not in store.url.partition("://")[2]


class _RefusedError(Exception):
    """Raised by a tap."""


def _refuse_at_end(data: memoryview) -> None:
    if not len(data):
        raise _RefusedError


def _bytes(size: int) -> bytes:
    """Bytes no part of which is like another."""
    return b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(-(-size // 32)))[:size]
