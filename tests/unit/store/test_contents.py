"""Bytes by digest, on a local folder and on an S3 server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import S3Server

from airflow_mlpipe.errors import CorruptedError, InputChangedError, ObjectNotFoundError, WorkspaceVersionError
from airflow_mlpipe.fingerprint.digest import blob_key, digest_bytes, tree_key
from airflow_mlpipe.fingerprint.local import LocalContent, LocalIndex
from airflow_mlpipe.fingerprint.tree import Tree, digest_of_tree
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.store.publishing import SMALL


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """A new, empty store."""
    if request.param == "local":
        return LocalObjectStore(tmp_path / "store")
    server: S3Server = request.getfixturevalue("s3")
    return open_store(server.config("prefix"))


@pytest.fixture
def contents(store: ObjectStore, tmp_path: Path) -> Contents:
    """Contents in it."""
    return Contents(store, index=LocalIndex(tmp_path / "cache"))


def write(root: Path, files: dict[str, bytes]) -> Path:
    """Make files; a path with a final slash is an empty folder."""
    for path, data in files.items():
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


def identify(path: Path) -> LocalContent:
    """What is there."""
    return LocalIndex(None).identify(path)


def publish(contents: Contents, path: Path) -> LocalContent:
    """Publish what is there."""
    content = identify(path)
    contents.publish(path, content)
    return content


def restore(contents: Contents, digest: str, target: Path) -> Path:
    """Write a folder back to disk."""
    target.mkdir()
    for path, entry in contents.walk(digest):
        if entry.kind == "folder":
            (target / path).mkdir()
        else:
            contents.fetch(entry.digest, target / path)
            (target / path).chmod(0o755 if entry.executable else 0o644)
    return target


FILES = {"a.txt": b"a", "sub/b.txt": b"b", "sub/deep/er/c": b"c" * 1000, "same": b"a", "nothing": b"", "hollow/": b""}


def test_a_folder_comes_back_as_it_was(contents: Contents, tmp_path: Path) -> None:
    """Names, bytes, empty files, empty folders and executable bits survive the store."""
    folder = write(tmp_path / "out", FILES)
    (folder / "a.txt").chmod(0o755)
    content = publish(contents, folder)
    back = restore(contents, content.digest, tmp_path / "back")
    assert identify(back).digest == content.digest
    assert os.access(back / "a.txt", os.X_OK)
    assert (back / "hollow").is_dir()


def test_a_file_comes_back_as_it_was(contents: Contents, tmp_path: Path) -> None:
    """A single file is one blob."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    content = publish(contents, tmp_path / "model.bin")
    contents.fetch(content.digest, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"weights"
    assert [info.key for info in contents.store.list()] == [blob_key(content.digest)]


@pytest.mark.parametrize("size", [SMALL, SMALL + 1, 9 << 20, 65 << 20])
def test_a_large_file_comes_back_as_it_was(contents: Contents, tmp_path: Path, size: int) -> None:
    """So do files of one request, of one stream, of several parts, and of several chunks of a digest."""
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1 << 20) * (size >> 20) + b"x" * (size % (1 << 20)))
    content = publish(contents, path)
    contents.fetch(content.digest, tmp_path / "back")
    assert identify(tmp_path / "back").digest == content.digest


@given(files=st.dictionaries(st.text("ab/ %#é", min_size=1, max_size=6), st.binary(max_size=5), max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_folder_comes_back(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    """Whatever a folder holds, what comes out of the store has the digest of what went in."""
    root = tmp_path_factory.mktemp("any")
    folder = root / "out"
    folder.mkdir()
    for path, data in files.items():
        target = folder / "/".join(part for part in path.split("/") if part)
        if target != folder and not target.exists() and not any(p.is_file() for p in target.parents):
            write(folder, {str(target.relative_to(folder)): data})
    contents = Contents(LocalObjectStore(root / "store"))
    content = publish(contents, folder)
    assert identify(restore(contents, content.digest, root / "back")).digest == content.digest


def test_equal_bytes_are_kept_once(contents: Contents, tmp_path: Path) -> None:
    """Two files of equal bytes are one blob, in one output and across outputs."""
    publish(contents, write(tmp_path / "one", {"a": b"same", "b": b"same"}))
    publish(contents, write(tmp_path / "two", {"c": b"same"}))
    blobs = [info.key for info in contents.store.list("blobs")]
    assert blobs == [blob_key(digest_bytes(b"same"))]


def test_what_is_there_is_not_sent_again(contents: Contents, tmp_path: Path) -> None:
    """Publishing the same output again writes no blob and no tree."""
    folder = write(tmp_path / "out", FILES | {"large": os.urandom(SMALL + 1)})
    publish(contents, folder)
    before = sorted((i.key, i.etag, i.modified) for i in contents.store.list())
    publish(contents, folder)
    assert sorted((i.key, i.etag, i.modified) for i in contents.store.list()) == before


def test_many_new_files(contents: Contents, tmp_path: Path) -> None:
    """More files than are asked for one by one all arrive, also where some are there already."""
    folder = write(tmp_path / "out", {f"{n % 7}/{n}": b"%d" % n for n in range(100)})
    contents.put_bytes(b"50")
    content = publish(contents, folder)
    assert contents.missing(content.digest, "folder") == ()
    assert len(list(contents.store.list("blobs"))) == 100


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_a_file_that_changed_since_is_refused(contents: Contents, tmp_path: Path, size: int) -> None:
    """A file whose bytes are not those that were identified is an InputChangedError, and nothing has its name."""
    path = tmp_path / "out"
    path.write_bytes(b"a" * size)
    content = identify(path)
    path.write_bytes(b"b" * size)
    with pytest.raises(InputChangedError, match="out"):
        contents.publish(path, content)
    assert list(contents.store.list()) == []


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_a_file_that_vanished_since_is_refused(contents: Contents, tmp_path: Path, size: int) -> None:
    """So is one that is gone."""
    path = tmp_path / "out"
    path.write_bytes(b"a" * size)
    content = identify(path)
    path.unlink()
    with pytest.raises(InputChangedError, match="out"):
        contents.publish(path, content)


def test_the_tree_comes_last(store: ObjectStore, tmp_path: Path) -> None:
    """A publication that fails at its last blob leaves no tree that names what is not there."""
    folder = write(tmp_path / "out", {"a": b"1", "sub/z": b"2"})
    content = identify(folder)
    (folder / "sub/z").write_bytes(b"3")
    with pytest.raises(InputChangedError):
        Contents(store).publish(folder, content)
    assert list(store.list("trees")) == []


def test_nothing_is_missing_of_what_was_published(contents: Contents, tmp_path: Path) -> None:
    """What was just published is whole."""
    content = publish(contents, write(tmp_path / "out", FILES))
    assert contents.missing(content.digest, "folder") == ()


@pytest.mark.parametrize("path", ["a.txt", "sub/deep/er/c", "nothing"])
def test_a_blob_that_is_gone_is_missing(contents: Contents, tmp_path: Path, path: str) -> None:
    """A blob that was deleted is named, wherever it is in the folder, and a new publication heals it."""
    folder = write(tmp_path / "out", FILES)
    content = publish(contents, folder)
    key = blob_key(digest_bytes(FILES[path]))
    contents.store.delete([key])
    assert contents.missing(content.digest, "folder") == (key,)
    publish(contents, folder)
    assert contents.missing(content.digest, "folder") == ()


@pytest.mark.parametrize("path", ["", "sub", "sub/deep", "hollow"])
def test_a_tree_that_is_gone_is_missing(contents: Contents, tmp_path: Path, path: str) -> None:
    """So is a folder's tree, also when this process has read it before."""
    folder = write(tmp_path / "out", FILES)
    content = publish(contents, folder)
    assert contents.missing(content.digest, "folder") == ()
    key = tree_key(identify(folder / path).digest)
    contents.store.delete([key])
    assert key in contents.missing(content.digest, "folder")
    publish(contents, folder)
    assert contents.missing(content.digest, "folder") == ()


@pytest.mark.parametrize("data", [b"", b"[]", b'{"mlpipe":"tree/1","entries":[]}', b"not json"])
def test_a_broken_tree_is_missing_and_healed(contents: Contents, tmp_path: Path, data: bytes) -> None:
    """A tree that was overwritten is an error for who reads it, missing for who asks, and written anew."""
    folder = write(tmp_path / "out", FILES)
    content = publish(contents, folder)
    contents.store.put(tree_key(content.digest), data)
    other = Contents(contents.store)
    assert tree_key(content.digest) in other.missing(content.digest, "folder")
    contents.store.put(tree_key(content.digest), data)
    with pytest.raises(CorruptedError, match="digest"):
        other.tree(content.digest)
    publish(other, folder)
    assert identify(restore(other, content.digest, tmp_path / "back")).digest == content.digest


def test_a_tree_of_a_newer_version_is_refused(contents: Contents) -> None:
    """A tree that a newer version wrote is not guessed at, and not removed."""
    data = Tree().to_bytes().replace(b"tree/1", b"tree/2")
    digest = digest_of_tree(data)
    contents.store.put(tree_key(digest), data)
    with pytest.raises(WorkspaceVersionError):
        contents.tree(digest)
    assert contents.store.head(tree_key(digest)) is not None


def test_a_blob_of_another_size_is_missing(contents: Contents, tmp_path: Path) -> None:
    """A blob that was cut short counts as missing and is written anew, not believed by its name."""
    folder = write(tmp_path / "out", FILES)
    content = publish(contents, folder)
    key = blob_key(digest_bytes(b"b"))
    contents.store.put(key, b"")
    assert contents.missing(content.digest, "folder") == (key,)
    publish(contents, folder)
    assert contents.store.get(key) == b"b"


def test_a_corrupted_blob_is_never_handed_on(contents: Contents, tmp_path: Path) -> None:
    """Bytes without the digest in their name are an error, leave no file, and are removed from the store."""
    digest = contents.put_bytes(b"right")
    contents.store.put(blob_key(digest), b"wrong")
    with pytest.raises(CorruptedError, match="removed"):
        contents.fetch(digest, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert contents.store.head(blob_key(digest)) is None


def test_read_bytes_verifies(contents: Contents) -> None:
    """Bytes read into memory are verified as well."""
    digest = contents.put_bytes(b"right")
    assert contents.read_bytes(digest) == b"right"
    contents.store.put(blob_key(digest), b"wrong")
    with pytest.raises(CorruptedError):
        contents.read_bytes(digest)


def test_put_bytes_heals(contents: Contents) -> None:
    """Bytes that are put although their blob is there, cut short, replace it."""
    digest = contents.put_bytes(b"right")
    contents.store.put(blob_key(digest), b"")
    assert contents.put_bytes(b"right") == digest
    assert contents.read_bytes(digest) == b"right"


def test_what_is_not_there(contents: Contents, tmp_path: Path) -> None:
    """A digest that was never published is an ObjectNotFoundError everywhere, and missing."""
    blob, tree = digest_bytes(b"never"), digest_of_tree(b"never")
    with pytest.raises(ObjectNotFoundError):
        contents.fetch(blob, tmp_path / "file")
    with pytest.raises(ObjectNotFoundError):
        contents.read_bytes(blob)
    with pytest.raises(ObjectNotFoundError):
        list(contents.walk(tree))
    assert contents.missing(blob, "file") == (blob_key(blob),)
    assert contents.missing(tree, "folder") == (tree_key(tree),)


def test_an_old_blob_is_made_young_when_it_is_wanted_again(contents: Contents, tmp_path: Path) -> None:
    """Publishing what is there already and soon due for gc makes it young; what is young is left alone."""
    folder = write(tmp_path / "out", {"a": b"1"})
    publish(contents, folder)
    before = {info.key: info.etag for info in contents.store.list()}
    touched: list[str] = []

    class Watching(LocalObjectStore):
        """Notes what is touched."""

        def touch(self, key: str) -> bool:
            touched.append(key)
            return super().touch(key)

    if isinstance(contents.store, LocalObjectStore):
        contents = Contents(Watching(contents.store.root), grace=0)
        publish(contents, folder)
        assert sorted(touched) == sorted(before)
    else:
        publish(Contents(contents.store, grace=0), folder)
        assert {info.key for info in contents.store.list()} == set(before)


class TestLocalOnly:
    """What a local store can tell of its files beyond their size."""

    @pytest.fixture
    def contents(self, tmp_path: Path) -> Contents:
        """Contents of a local store."""
        return Contents(LocalObjectStore(tmp_path / "store"), index=LocalIndex(tmp_path / "cache"))

    @pytest.mark.parametrize("known", [False, True])
    def test_same_size_tampering_is_found(self, contents: Contents, tmp_path: Path, known: bool) -> None:
        """A blob edited in place, size and modification time kept, is missing, and healed by a publication."""
        folder = write(tmp_path / "out", FILES)
        content = publish(contents, folder)
        key = blob_key(digest_bytes(b"b"))
        path = tmp_path / "store" / key
        if known:
            assert contents.missing(content.digest, "folder") == ()
        status = path.stat()
        path.write_bytes(b"X")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert contents.missing(content.digest, "folder") == (key,)
        publish(contents, folder)
        assert path.read_bytes() == b"b"

    def test_verified_blobs_are_not_read_again(self, contents: Contents, tmp_path: Path, monkeypatch: Any) -> None:
        """Once a blob was verified and has aged, telling that it is whole reads no byte of it."""
        content = publish(contents, write(tmp_path / "out", FILES))
        old = 1_600_000_000
        # A change time cannot be set back, so the clock that says what is young is set forward instead.
        monkeypatch.setattr("time.time_ns", lambda: (old + 10**9) * 10**9)
        assert contents.missing(content.digest, "folder") == ()
        reads: list[object] = []
        monkeypatch.setattr("airflow_mlpipe.store.verified.digest_file", reads.append)
        assert contents.missing(content.digest, "folder") == ()
        assert reads == []

    @pytest.mark.parametrize("data", [b"", b"{", b'{"format": 1}', b'{"format": "mlpipe.verified/1", "rows": [[]]}'])
    def test_a_broken_memory_is_none(self, contents: Contents, tmp_path: Path, data: bytes) -> None:
        """A memory that cannot be read costs a look at the bytes, nothing else."""
        content = publish(contents, write(tmp_path / "out", FILES))
        for file in (tmp_path / "cache" / "verified").iterdir():
            file.write_bytes(data)
        assert contents.missing(content.digest, "folder") == ()

    def test_a_folder_in_the_place_of_a_blob(self, contents: Contents, tmp_path: Path) -> None:
        """What is no file is no blob."""
        content = publish(contents, write(tmp_path / "out", {"a": b"1"}))
        path = tmp_path / "store" / blob_key(digest_bytes(b"1"))
        path.unlink()
        path.mkdir()
        assert contents.missing(content.digest, "folder") == (blob_key(digest_bytes(b"1")),)

    def test_a_file_of_ones_own_is_moved_into_the_store(self, contents: Contents, tmp_path: Path) -> None:
        """It is not copied, it has its digest's name, and it is whole."""
        path = tmp_path / "value"
        path.write_bytes(b"1")
        inode, content = path.stat().st_ino, identify(path)
        assert contents.take(path, content)
        assert not path.exists()
        stored = contents.file(content.digest, 1)
        assert stored is not None
        assert stored.stat().st_ino == inode
        assert contents.missing(content.digest, "file") == ()

    def test_what_was_moved_is_trusted_by_its_stats_at_once(
        self, contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody reads it again, young as it is; a write to it in the same moment is found all the same."""
        path = tmp_path / "value"
        path.write_bytes(b"1")
        content = identify(path)
        contents.take(path, content)
        with monkeypatch.context() as patch:
            reads: list[object] = []
            patch.setattr("airflow_mlpipe.store.verified.digest_file", reads.append)
            stored = contents.file(content.digest, 1)
            assert reads == []
        assert stored is not None
        stored.write_bytes(b"2")
        assert contents.file(content.digest, 1) is None

    def test_a_file_that_is_there_already_is_not_moved(self, contents: Contents, tmp_path: Path) -> None:
        """The store's stays as it is; one that was damaged is replaced."""
        path = tmp_path / "value"
        path.write_bytes(b"1")
        content = publish(contents, path)
        stored = tmp_path / "store" / blob_key(content.digest)
        inode = stored.stat().st_ino
        assert contents.take(path, content)
        assert stored.stat().st_ino == inode
        stored.write_bytes(b"2")
        assert contents.take(path, content)
        assert stored.read_bytes() == b"1"

    def test_a_folder_is_not_moved(self, contents: Contents, tmp_path: Path) -> None:
        """Only publishing stores it."""
        folder = write(tmp_path / "out", {"a": b"1"})
        assert not contents.take(folder, identify(folder))
        assert (folder / "a").exists()

    def test_a_file_on_another_filesystem_is_not_moved(self, contents: Contents, tmp_path: Path) -> None:
        """It stays where it is, for publishing to copy it."""
        other = Path("/dev/shm")
        if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("needs two filesystems")
        with tempfile.TemporaryDirectory(dir=other) as folder:
            path = Path(folder) / "value"
            path.write_bytes(b"1")
            assert not contents.take(path, identify(path))
            assert path.read_bytes() == b"1"


def test_behind_a_network_nothing_is_moved(s3: S3Server, tmp_path: Path) -> None:
    """There is no file to give either."""
    contents = Contents(open_store(s3.config("moved")), index=LocalIndex(tmp_path / "cache"))
    path = tmp_path / "value"
    path.write_bytes(b"1")
    content = identify(path)
    assert not contents.take(path, content)
    contents.publish(path, content)
    assert contents.file(content.digest, 1) is None


class TestExport:
    """Plain copies."""

    def names(self, store: ObjectStore, prefix: str = "copy") -> dict[str, bytes]:
        """The files of a copy, without what is ours."""
        found = {i.key: store.get(i.key) for i in store.list(prefix)}
        return {key.removeprefix(f"{prefix}/"): data for key, data in found.items() if ".mlpipe-manifest" not in key}

    def test_a_folder_gets_readable_paths(self, contents: Contents, tmp_path: Path) -> None:
        """Every file is where its path says, and the manifest lists them with their digests."""
        content = publish(contents, write(tmp_path / "out", FILES))
        contents.export(content.digest, "folder", "copy", contents.store)
        assert self.names(contents.store) == {k: v for k, v in FILES.items() if not k.endswith("/")}
        assert digest_bytes(b"b").encode() in contents.store.get("copy/.mlpipe-manifest.json")

    def test_a_file_is_the_path_itself(self, contents: Contents, tmp_path: Path) -> None:
        """An output that is a file is copied to the path, not into it."""
        (tmp_path / "plot").write_bytes(b"png")
        content = publish(contents, tmp_path / "plot")
        contents.export(content.digest, "file", "reports/plot.png", contents.store)
        assert contents.store.get("reports/plot.png") == b"png"
        assert contents.store.head("reports/.plot.png.mlpipe-manifest.json") is not None

    def test_a_second_copy_replaces_the_first(self, contents: Contents, tmp_path: Path) -> None:
        """Files that the output has no more go, changed ones are replaced, files of others stay."""
        contents.store.put("copy/theirs", b"0")
        for files in ({"a": b"1", "b": b"2", "c": b"3"}, {"a": b"1", "b": b"22"}):
            folder = write(tmp_path / str(len(files)), files)
            contents.export(publish(contents, folder).digest, "folder", "copy", contents.store)
        assert self.names(contents.store) == {"a": b"1", "b": b"22", "theirs": b"0"}

    def test_an_unchanged_copy_is_left_alone(self, contents: Contents, tmp_path: Path) -> None:
        """Exporting again what is there writes nothing, so that readers who watch entity tags see no change."""
        content = publish(contents, write(tmp_path / "out", FILES))
        contents.export(content.digest, "folder", "copy", contents.store)
        before = sorted((i.key, i.modified, i.etag) for i in contents.store.list("copy"))
        contents.export(content.digest, "folder", "copy", contents.store)
        assert sorted((i.key, i.modified, i.etag) for i in contents.store.list("copy")) == before

    def test_a_damaged_copy_is_repaired(self, contents: Contents, tmp_path: Path) -> None:
        """A file of the copy that is gone, or has another size, is written again."""
        content = publish(contents, write(tmp_path / "out", FILES))
        contents.export(content.digest, "folder", "copy", contents.store)
        contents.store.delete(["copy/a.txt"])
        contents.store.put("copy/sub/b.txt", b"edited")
        contents.export(content.digest, "folder", "copy", contents.store)
        assert self.names(contents.store)["a.txt"] == b"a"
        assert self.names(contents.store)["sub/b.txt"] == b"b"

    def test_a_list_of_what_may_be_there_goes_with_the_next_export(self, contents: Contents, tmp_path: Path) -> None:
        """A copy that was killed right after its manifest left that list; nothing else is written then."""
        content = publish(contents, write(tmp_path / "out", FILES))
        contents.export(content.digest, "folder", "copy", contents.store)
        before = {info.key: info.modified for info in contents.store.list("copy")}
        manifest = contents.store.get("copy/.mlpipe-manifest.json")
        contents.store.put("copy/.mlpipe-manifest.json.pending", manifest)
        contents.export(content.digest, "folder", "copy", contents.store)
        assert {info.key: info.modified for info in contents.store.list("copy")} == before

    def test_no_manifest_while_it_is_incomplete(self, contents: Contents, tmp_path: Path) -> None:
        """A copy that fails half-way has no manifest, and the next one removes what it left."""
        old = publish(contents, write(tmp_path / "old", {"a": b"1", "b": b"2"}))
        contents.export(old.digest, "folder", "copy", contents.store)
        new = publish(contents, write(tmp_path / "new", {"a": b"3", "z": b"4"}))
        contents.store.delete([blob_key(digest_bytes(b"4"))])
        with pytest.raises(ObjectNotFoundError):
            contents.export(new.digest, "folder", "copy", contents.store)
        assert contents.store.head("copy/.mlpipe-manifest.json") is None
        contents.export(
            publish(contents, write(tmp_path / "last", {"a": b"5"})).digest, "folder", "copy", contents.store
        )
        assert self.names(contents.store) == {"a": b"5"}
        assert [i.key for i in contents.store.list("copy") if "pending" in i.key] == []

    def test_to_another_store(self, contents: Contents, tmp_path: Path) -> None:
        """The target may be any store."""
        content = publish(contents, write(tmp_path / "out", FILES))
        other = LocalObjectStore(tmp_path / "other")
        contents.export(content.digest, "folder", "copy", other)
        assert self.names(other) == {k: v for k, v in FILES.items() if not k.endswith("/")}

    def test_inside_one_server_nothing_is_downloaded(self, s3: S3Server, tmp_path: Path) -> None:
        """Contents that are kept below the target are copied by the server."""
        config = s3.config("lake")
        outer = open_store(config)
        inner = Contents(open_store(StoreConfig(url=f"{config.url}/.mlpipe", options=config.options)))
        content = publish(inner, write(tmp_path / "out", FILES))

        def never(*_: object) -> None:
            raise AssertionError("a blob was downloaded")

        inner.fetch = never  # type: ignore[method-assign]
        inner.export(content.digest, "folder", "copy", outer)
        assert outer.get("copy/sub/b.txt") == b"b"

    def test_equal_urls_of_two_servers_are_two_stores(
        self, s3: S3Server, s3_without_conditions: S3Server, tmp_path: Path
    ) -> None:
        """A bucket of the same name on another server is another place."""
        here = s3.config("x")
        bucket = here.url.split("/")[2]
        httpx.put(f"{s3_without_conditions.endpoint}/{bucket}").raise_for_status()
        there = open_store(StoreConfig(url=here.url, options=s3_without_conditions.options))
        contents = Contents(open_store(here))
        content = publish(contents, write(tmp_path / "out", {"a": b"1"}))
        contents.export(content.digest, "folder", "copy", there)
        assert there.get("copy/a") == b"1"
