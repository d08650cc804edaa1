"""The local index: right about every change, and silent about what is none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_mlpipe.errors import InputError, OutputInvalidError, PathError
from airflow_mlpipe.fingerprint import hashing, statcache
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.tree import Tree

LATER = 10 * 10**9


@pytest.fixture
def read(monkeypatch):
    """The names of the files whose bytes were read."""
    names = []
    real = hashing.digest_and_size

    def digest_and_size(path, **options):
        names.append(os.path.basename(path))
        return real(path, **options)

    monkeypatch.setattr(hashing, "digest_and_size", digest_and_size)
    return names


@pytest.fixture
def root(tmp_path):
    """A small folder: a, b/c, b/ä b, and an empty folder."""
    folder = tmp_path / "root"
    (folder / "b").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a").write_bytes(b"1")
    (folder / "b" / "c").write_bytes(b"22")
    (folder / "b" / "ä b").write_bytes(b"333")
    return folder


@pytest.fixture
def index(tmp_path):
    """An index whose clock says that all files are ten seconds old."""
    return LocalIndex(tmp_path / "cache", clock=lambda: time.time_ns() + LATER)


def fresh(path):
    """The digest without any cache."""
    return LocalIndex(None).identify(path).digest


def test_content(index, root):
    """A folder's content says its totals, its trees and its entries."""
    content = index.identify(root)
    assert (content.kind, content.files, content.size) == ("folder", 3, 6)
    assert [path for path, _ in content.walk()] == ["a", "b", "b/c", "b/ä b", "empty"]
    assert content.trees[Tree().digest] == Tree()
    assert set(content.trees) == {content.digest, *(e.digest for _, e in content.walk() if e.kind == "folder")}


def test_digests_are_those_of_the_bytes(index, root):
    """The digest of a file in a folder, of a file alone, and of its bytes are one."""
    entries = dict(index.identify(root).walk())
    assert entries["b/c"].digest == index.digest_of(root / "b" / "c") == digest_bytes(b"22")


def test_a_file(index, root):
    """A file is its own only entry."""
    (root / "a").chmod(0o755)
    content = index.identify(root / "a")
    assert (content.kind, content.name, content.size, content.files, content.executable) == ("file", "a", 1, 1, True)
    assert [path for path, _ in content.walk()] == ["a"]


def test_unchanged_reads_nothing(index, root, read):
    """The second look at an unchanged folder reads no file and gives the same content."""
    first = index.identify(root)
    assert len(read) == 3
    second = index.identify(root)
    assert len(read) == 3
    assert first == second
    assert list(first.walk()) == list(second.walk())


def test_unchanged_file_is_not_read(index, root, read):
    """The second look at a file does not read it."""
    index.digest_of(root / "a")
    index.digest_of(root / "a")
    assert read == ["a"]


def test_only_the_changed_file_is_read(index, root, read):
    """After a change, only the file that changed is read again."""
    index.identify(root)
    (root / "b" / "c").write_bytes(b"23")
    read.clear()
    found = index.identify(root).digest
    assert read == ["c"]
    assert found == fresh(root)


def test_a_young_file_is_read_again(tmp_path, root, read):
    """A file that changed less than two seconds before it was read is not trusted the next time."""
    index = LocalIndex(tmp_path / "cache", clock=lambda: (root / "b" / "ä b").stat().st_ctime_ns + 10**9)
    index.identify(root)
    index.identify(root)
    assert len(read) == 6


@pytest.mark.parametrize("age", [-86_400, -1, 0, 1.9])
def test_racy_rows_are_not_trusted(age):
    """A time less than two seconds old, or in the future, is not trusted."""
    now = 1_000_000 * 10**9
    young = now - int(age * 10**9)
    assert not statcache.trusted(["a", 0, 0, young, 0, 0], now)
    assert not statcache.trusted(["a", 0, 0, 0, young, 0], now)
    assert statcache.trusted(["a", 0, 0, now - 3 * 10**9, now - 3 * 10**9, 0], now)


def test_same_size_and_restored_time(index, root):
    """An edit of the same size with the old modification time put back is seen, by the change time."""
    index.identify(root)
    before = (root / "a").stat()
    (root / "a").write_bytes(b"2")
    os.utime(root / "a", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (root / "a").stat().st_mtime_ns == before.st_mtime_ns
    assert index.identify(root).digest == fresh(root)


def test_older_file_moved_over(index, root, tmp_path):
    """A file of the same size and an older time that is moved in place of another is seen."""
    index.identify(root)
    other = tmp_path / "other"
    other.write_bytes(b"9")
    os.utime(other, ns=(0, (root / "a").stat().st_mtime_ns))
    os.replace(other, root / "a")
    assert index.identify(root).digest == fresh(root)


def test_copy_that_keeps_times(index, root, tmp_path):
    """``cp -p`` over a file is seen although size and time are the old ones."""
    index.identify(root)
    other = tmp_path / "other"
    other.write_bytes(b"9")
    shutil.copystat(root / "a", other)
    subprocess.run(["cp", "-p", str(other), str(root / "a")], check=True)
    assert index.identify(root).digest == fresh(root)


def rename(root):
    (root / "a").rename(root / "a2")


def swap(root):
    (root / "b" / "c").rename(root / "x")
    (root / "a").rename(root / "b" / "c")
    (root / "x").rename(root / "a")


def add(root):
    (root / "b" / "new").write_bytes(b"")


def add_folder(root):
    (root / "empty" / "deeper").mkdir()


def delete(root):
    (root / "b" / "c").unlink()


def delete_folder(root):
    (root / "empty").rmdir()


def truncate(root):
    (root / "a").write_bytes(b"")


def executable(root):
    (root / "a").chmod(0o755)


def file_to_folder(root):
    (root / "a").unlink()
    (root / "a").mkdir()


def unicode_form(root):
    (root / "b" / "ä b").rename(root / "b" / "a\u0308 b")


@pytest.mark.parametrize(
    "change",
    [rename, swap, add, add_folder, delete, delete_folder, truncate, executable, file_to_folder, unicode_form],
    ids=lambda c: c.__name__,
)
def test_changes_move_the_digest(index, root, change):
    """Every change of names, bytes, kinds or the executable bit gives another digest, the one of a fresh look."""
    before = index.identify(root).digest
    change(root)
    after = index.identify(root).digest
    assert after != before
    assert after == fresh(root)


def test_touching_does_not_move_the_digest(index, root):
    """Touched files, other permissions and another place are the same content."""
    before = index.identify(root).digest
    for path in root.rglob("*"):
        os.utime(path)
    (root / "a").chmod(0o600)
    assert index.identify(root).digest == before
    root.rename(root.parent / "moved")
    assert index.identify(root.parent / "moved").digest == before


def test_deep_trees(index, tmp_path):
    """A tree deeper than Python's stack is no problem."""
    folder = tmp_path / "deep"
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(descriptor)
    try:
        assert index.identify(folder).files == 0
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


def test_link_inside_counts_as_its_content(index, root):
    """A link to a file or a folder inside counts as a copy of it."""
    (root / "link").symlink_to("b/c")
    (root / "folder").symlink_to(root / "b")
    linked = index.identify(root)
    (root / "link").unlink()
    (root / "folder").unlink()
    shutil.copy(root / "b" / "c", root / "link")
    shutil.copytree(root / "b", root / "folder")
    assert index.identify(root).digest == linked.digest
    assert dict(linked.walk())["folder/c"].digest == digest_bytes(b"22")


def test_change_behind_a_link(index, root):
    """A change of what a link points to is seen at the link too."""
    (root / "link").symlink_to("b/c")
    index.identify(root)
    (root / "b" / "c").write_bytes(b"99")
    assert dict(index.identify(root).walk())["link"].digest == digest_bytes(b"99")


def test_the_root_may_be_a_link(index, root):
    """A link as the root is followed wherever it points."""
    (root.parent / "link").symlink_to(root)
    assert index.identify(root.parent / "link").digest == index.identify(root).digest


@pytest.mark.parametrize("target", ["../outside", "/etc/passwd", "b/../../outside", "missing", ".", "b/..", "loop"])
def test_bad_links(index, root, target):
    """A link that leaves the folder, points nowhere or leads back is an error."""
    (root.parent / "outside").write_bytes(b"")
    (root / "loop").symlink_to(target)
    with pytest.raises(PathError):
        index.identify(root)


def test_two_links_that_lead_back(index, root):
    """A loop over two links is found."""
    (root / "d").mkdir()
    (root / "b" / "to_d").symlink_to("../d")
    (root / "d" / "to_b").symlink_to("../b")
    with pytest.raises(PathError, match="leads back"):
        index.identify(root)


def test_pipe_and_socket_are_refused(index, root, monkeypatch):
    """What is no file and no folder cannot be published."""
    os.mkfifo(root / "pipe")
    with pytest.raises(OutputInvalidError, match="a pipe"):
        index.identify(root)
    (root / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # the path of a socket may not be long
        server.bind("s")
        with pytest.raises(OutputInvalidError, match="a socket"):
            index.identify(root)


def test_name_that_is_not_utf8(index, root):
    """A name that no store can hold is refused with a message that says so."""
    (root / os.fsdecode(b"\xff")).write_bytes(b"")
    with pytest.raises(PathError, match="UTF-8"):
        index.identify(root)


def test_missing(index, tmp_path):
    """A missing path is an input error that names it."""
    with pytest.raises(InputError, match="nowhere"):
        index.identify(tmp_path / "nowhere")


@pytest.mark.parametrize("junk", [b"", b"{", b"null", b'{"format": 1}', b"\x80\xff\x00"])
def test_broken_cache_is_no_cache(index, root, tmp_path, junk):
    """Whatever stands in the cache's file, the answer is right, and the file is good again."""
    digest = index.identify(root).digest
    (file,) = (tmp_path / "cache" / "stat").iterdir()
    file.write_bytes(junk)
    assert index.identify(root).digest == digest
    assert json.loads(file.read_bytes().partition(b"\n")[2])["root"] == str(root)


def test_damaged_digest_in_the_cache(index, root, tmp_path):
    """A flipped character in the cache does not become a wrong identity."""
    digest = index.identify(root).digest
    (file,) = (tmp_path / "cache" / "stat").iterdir()
    data = file.read_bytes()
    file.write_bytes(data.replace(digest_bytes(b"1").encode(), digest_bytes(b"2").encode()))
    assert file.read_bytes() != data
    assert index.identify(root).digest == digest


def test_cache_that_cannot_be_written(root, tmp_path):
    """A cache folder that is a file costs time, not the answer."""
    (tmp_path / "cache").write_bytes(b"")
    assert LocalIndex(tmp_path / "cache").identify(root).digest == fresh(root)


def test_processes_at_once(root, tmp_path):
    """Processes that write one cache at once all answer right, and leave a cache that is whole."""
    program = (
        "import sys; from pathlib import Path; from airflow_mlpipe.fingerprint.local import LocalIndex\n"
        "i = LocalIndex(Path(sys.argv[2]))\n"
        "print({i.identify(Path(sys.argv[1])).digest for _ in range(20)})"
    )
    command = [sys.executable, "-c", program, str(root), str(tmp_path / "cache")]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(3)]
    answers = {process.communicate()[0].decode().strip() for process in running}
    assert answers == {str({fresh(root)})}
    assert [p.suffix for p in (tmp_path / "cache" / "stat").iterdir()] == [".json"]


def test_name_filter(index, root):
    """A filter leaves out files, and folders in which nothing is left."""
    content = index.identify(root, name_filter=lambda path, folder: folder or path.endswith("c"), filter_key="c")
    assert [path for path, _ in content.walk()] == ["b", "b/c"]


def test_filter_does_not_spoil_the_cache(index, root, read):
    """A filtered look and a whole one are remembered side by side."""

    def keep(path, folder):
        return folder or path == "a"

    for _ in range(2):
        index.identify(root)
        index.identify(root, name_filter=keep, filter_key="a")
    assert sorted(read) == ["a", "a", "c", "ä b"]


def test_many_files_in_threads(index, tmp_path):
    """Files hashed by many threads get each its own digest."""
    folder = tmp_path / "many"
    folder.mkdir()
    for n in range(300):
        (folder / str(n)).write_bytes(b"%d" % n * 20_000)
    content = index.identify(folder, threads=4)
    for path, entry in content.walk():
        assert entry.digest == digest_bytes(path.encode() * 20_000)


def test_large_files_in_chunks(monkeypatch, tmp_path):
    """Files above a chunk have their chunked digests in a folder too."""
    monkeypatch.setattr("airflow_mlpipe.fingerprint.digest.CHUNK", 1000)
    monkeypatch.setattr(hashing, "CHUNK", 1000)
    (tmp_path / "f").mkdir()
    for n in range(4):
        (tmp_path / "f" / str(n)).write_bytes(b"%d" % n * 2500)
    for path, entry in LocalIndex(None).identify(tmp_path / "f", threads=3).walk():
        assert entry.digest == digest_bytes(path.encode() * 2500)
        assert entry.digest.startswith("sha256t:")


def test_deleted_folder_leaves_the_cache(index, root, tmp_path):
    """What is gone from the folder is gone from the cache after the next look."""
    index.identify(root)
    shutil.rmtree(root / "empty")
    index.identify(root)
    assert set(statcache.load(tmp_path / "cache", str(root))) == {"", "b"}


def test_relative_path(index, root, monkeypatch):
    """A relative path is the same folder."""
    monkeypatch.chdir(root.parent)
    assert index.identify(Path("root")).digest == index.identify(root).digest
    assert index.identify(Path("root/a")).name == "a"
