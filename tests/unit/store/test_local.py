"""The local store beyond the contract: processes, permissions, full disks, writers that are killed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.store.base import TEMPORARY
from airflow_mlpipe.store.copying import copy_file, link_or_copy
from airflow_mlpipe.store.local import LocalObjectStore


@pytest.fixture
def store(tmp_path: Path) -> LocalObjectStore:
    """A new store."""
    return LocalObjectStore(tmp_path / "root")


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run Python in another process."""
    program = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_race_of_processes_has_one_winner(store: LocalObjectStore) -> None:
    """Of eight processes that create one key at the same moment, exactly one is told that it did, ten times."""
    code = """
        import sys
        from pathlib import Path
        from airflow_mlpipe.store.local import LocalObjectStore
        store = LocalObjectStore(Path(sys.argv[1]))
        print("ready", flush=True)
        for line in sys.stdin:
            print(int(store.create(line.strip(), sys.argv[2].encode())), flush=True)
    """
    racers = [start(code, str(store.root), str(n)) for n in range(8)]
    try:
        assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 8
        for key in map(str, range(10)):
            for racer in racers:
                print(key, file=racer.stdin, flush=True)
            won = [racer.stdout.readline() for racer in racers if racer.stdout]
            assert won.count("1\n") == 1
            assert store.get(key) == str(won.index("1\n")).encode()
    finally:
        for racer in racers:
            racer.communicate()


def test_a_folder_that_others_empty_can_be_written_to(store: LocalObjectStore) -> None:
    """Three processes write and delete objects of one folder, which goes each time that it is empty: no write fails."""
    code = """
        import sys
        from pathlib import Path
        from airflow_mlpipe.store.local import LocalObjectStore
        store, key = LocalObjectStore(Path(sys.argv[1])), f"a/b/c/{sys.argv[2]}"
        for _ in range(1000):
            assert store.create(key, b"")
            store.delete([key])
    """
    writers = [start(code, str(store.root), str(n)) for n in range(3)]
    assert [writer.wait() for writer in writers] == [0] * 3


def test_killed_writer_leaves_the_old_object_and_one_leftover(store: LocalObjectStore, tmp_path: Path) -> None:
    """A writer that is killed in the middle of an upload changes nothing that a reader sees; what it left is found."""
    store.put("a", b"old")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code = """
        import sys
        from pathlib import Path
        from airflow_mlpipe.store.local import LocalObjectStore
        store = LocalObjectStore(Path(sys.argv[1]))
        store.upload(Path(sys.argv[2]), "a", tap=lambda data: print(len(data), flush=True))
    """
    writer = start(code, str(store.root), str(pipe))
    with pipe.open("wb", buffering=0) as file:
        file.write(b"half")
        assert writer.stdout is not None
        assert writer.stdout.readline() == "4\n"
        deadline = time.monotonic() + 60
        while not list(store.leftovers()):
            assert time.monotonic() < deadline
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert store.get("a") == b"old"
    assert [info.key for info in store.list()] == ["a"]
    assert len(list(store.leftovers())) == 1
    assert list(store.leftovers(age=3600)) == []


def test_no_leftovers_of_writers_that_finished(store: LocalObjectStore) -> None:
    """Who was not killed leaves nothing, whether it won or lost."""
    store.create("a", b"1")
    store.create("a", b"2")
    store.put("a", b"3")
    store.now()
    assert list(store.leftovers()) == []
    assert list(LocalObjectStore(store.root / "nowhere").leftovers()) == []


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """A disk that is full is a StoreError that says so, names the file and what to do; the old object stays."""
    store.put("a", b"old")

    def full(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("airflow_mlpipe.store.local._write_all", full)
    with pytest.raises(StoreError, match=r"disk is full.*root/a.*free some space"):
        store.put("a", b"new")
    monkeypatch.undo()
    assert store.get("a") == b"old"
    assert list(store.leftovers()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_target_of_a_copy(tmp_path: Path) -> None:
    """A copy onto a device without space is the system's error."""
    (tmp_path / "source").write_bytes(b"x" * 100_000)
    with pytest.raises(OSError, match="exists"):
        copy_file(tmp_path / "source", Path("/dev/full"))
    assert Path("/dev/full").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do anything")
def test_folder_that_may_not_be_written_to(store: LocalObjectStore) -> None:
    """A folder without permission is a StoreError that names the permission to give."""
    store.put("a", b"1")
    store.root.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="not allowed"):
            store.put("b/c", b"2")
    finally:
        store.root.chmod(0o700)


def test_read_only_file_system(store: LocalObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a file system that is mounted read-only."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match=r"not allowed to put.*the right to read and write"):
        store.put("a", b"1")


def test_object_below_an_object(store: LocalObjectStore) -> None:
    """A folder cannot have a file's name: a StoreError that says so, not a wrong answer."""
    store.put("a", b"1")
    with pytest.raises(StoreError, match="name is taken"):
        store.put("a/b", b"2")
    with pytest.raises(StoreError, match="name is taken"):
        store.create("a/b", b"2")


def test_deleted_folders_go(store: LocalObjectStore) -> None:
    """With its last object a folder goes, as it would in an object store; the root stays."""
    store.put("a/b/c", b"")
    store.put("a/d", b"")
    store.delete(["a/b/c"])
    assert not (store.root / "a/b").exists()
    store.delete(["a/d"])
    assert [path.name for path in store.root.iterdir()] == [TEMPORARY]


def test_objects_take_the_umask(store: LocalObjectStore) -> None:
    """A shared workspace is readable for whom the umask says, not only for its writer."""
    before = os.umask(0o022)
    try:
        store.put("a", b"")
        assert store.path("a").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_links_to_folders_are_not_listed(store: LocalObjectStore, tmp_path: Path) -> None:
    """A link cannot make a listing leave the root, or run in circles."""
    store.put("a/b", b"")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    (store.root / "a" / "out").symlink_to(tmp_path / "outside")
    (store.root / "a" / "loop").symlink_to(store.root)
    (store.root / "a" / "dangling").symlink_to(tmp_path / "nowhere")
    assert [info.key for info in store.list()] == ["a/b"]


def test_url_and_back(tmp_path: Path) -> None:
    """A root with odd characters has a URL that stands for exactly it."""
    store = LocalObjectStore(tmp_path / "a b%20#é")
    assert store.url == (tmp_path / "a b%20#é").as_uri()
    assert store.uri("c d") == (tmp_path / "a b%20#é" / "c d").as_uri()


def test_link_or_copy_links(tmp_path: Path) -> None:
    """Where a link will do, source and target are one file."""
    (tmp_path / "source").write_bytes(b"x")
    assert link_or_copy(tmp_path / "source", tmp_path / "target") == "link"
    assert (tmp_path / "target").samefile(tmp_path / "source")


def test_link_or_copy_copies(tmp_path: Path) -> None:
    """Where it will not, the target is a file of its own."""
    (tmp_path / "source").write_bytes(b"x" * 3_000_000)
    assert link_or_copy(tmp_path / "source", tmp_path / "target", link=False) == "copy"
    (tmp_path / "source").write_bytes(b"")
    assert (tmp_path / "target").read_bytes() == b"x" * 3_000_000


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK])
def test_link_or_copy_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Across file systems, and where there are no links (any more), it copies."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "source").write_bytes(b"x")
    assert link_or_copy(tmp_path / "source", tmp_path / "target") == "copy"
    assert (tmp_path / "target").read_bytes() == b"x"


def test_copy_without_help_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel cannot copy a range, the bytes are copied all the same."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    (tmp_path / "source").write_bytes(b"x" * 3_000_000)
    copy_file(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"x" * 3_000_000


def test_copy_overwrites_nothing(tmp_path: Path) -> None:
    """A target that is there stays as it is."""
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")
    for link in (False, True):
        with pytest.raises(FileExistsError):
            link_or_copy(tmp_path / "source", tmp_path / "target", link=link)
    assert (tmp_path / "target").read_bytes() == b"old"
