"""Publishing: what a version stands for never changes."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import S3Server
from support.modules import write_module

from airflow_mlpipe.errors import CorruptedError, DefinitionError
from airflow_mlpipe.modules.library import Library
from airflow_mlpipe.modules.publishing import ModuleConflictError, look_at, publish
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.gc import collect, sweep
from airflow_mlpipe.store.layout import module_key
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.open import open_store
from airflow_mlpipe.store.workspace import Workspace
from airflow_mlpipe.testing.memory import MemoryObjectStore


def library_in(folder: Path) -> Library:
    """A library in a folder."""
    return Library("test", Contents(LocalObjectStore(folder), threads=1))


def documents(library: Library) -> dict[str, bytes]:
    """All that a library says."""
    return {info.key: library.store.get(info.key) for info in library.store.list("modules")}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """An empty one."""
    return library_in(tmp_path / "store")


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """A module's folder."""
    return write_module(tmp_path / "scale")


def test_a_published_module_is_found_by_name_and_version(library: Library, scale: Path):
    """With its code by digest, and who published it, and when."""
    done = publish(library, scale, author="me")
    found = library.get("scale", "1.0.0")
    assert done.is_new
    assert found == done.module
    assert found.author == "me"
    assert {path for path, entry in library.contents.walk(found.code) if entry.kind == "file"} == {
        "module.yaml",
        "scale.py",
    }
    assert library.names() == ["scale"]
    assert library.listing("scale").versions == ("1",)


def test_the_same_content_is_published_already(library: Library, scale: Path, tmp_path: Path):
    """From another folder, by somebody else, at another time: the document stays the first one's."""
    publish(library, scale, author="first")
    before = documents(library)
    copy = shutil.copytree(scale, tmp_path / "elsewhere")
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "x.pyc").write_bytes(b"x")
    again = publish(library, copy, author="second")
    assert not again.is_new
    assert again.module.author == "first"
    assert documents(library) == before


def test_other_content_is_refused_with_a_diff(library: Library, scale: Path):
    """What differs in the definition, and which files; and nothing is written."""
    publish(library, scale)
    before = documents(library)
    text = (scale / "module.yaml").read_text()
    (scale / "module.yaml").write_text(text.replace("default: 2", "default: 3").replace("team-a", "team-b"))
    (scale / "new.py").write_text("x = 1\n")
    with pytest.raises(ModuleConflictError) as caught:
        publish(library, scale)
    told = list(map(str, caught.value.differences))
    assert "params.factor.default: 2 -> 3" in told
    assert 'owner: "team-a" -> "team-b"' in told
    assert "new.py: added" in told
    assert "module.yaml: changed" in told
    assert all(line in str(caught.value) for line in told)
    assert documents(library) == before


def test_another_spelling_of_a_version_is_the_same_version(library: Library, scale: Path):
    """1.0 and 1.0.0 cannot both be published."""
    publish(library, scale)
    write_module(scale, version="1.0.0")
    with pytest.raises(ModuleConflictError):
        publish(library, scale)


NAMES = st.sampled_from(["a.py", "b.txt", "sub/c.py", "data.bin"])
FILES = st.dictionaries(NAMES, st.binary(max_size=20), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(first=FILES, second=FILES)
def test_publishing_twice_is_publishing_once_or_an_error(first: dict, second: dict, tmp_path_factory):
    """Of any two contents of one version: equal ones are one, of others the first one stays, whole."""
    top = tmp_path_factory.mktemp("module")
    library = Library("test", Contents(MemoryObjectStore(), threads=1))
    done = []
    for number, files in enumerate((first, second, first)):
        folder = write_module(top / str(number))
        for name, data in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
        try:
            done.append(publish(library, folder, author=str(number)).is_new)
        except ModuleConflictError:
            done.append("refused")
    assert done == [True, False if first == second else "refused", False]
    assert library.get("scale", "1.0").author == "0"
    code = library.get("scale", "1.0").code
    there = {p: library.contents.read_bytes(e.digest) for p, e in library.contents.walk(code) if e.kind == "file"}
    assert {name: data for name, data in there.items() if name not in ("module.yaml", "scale.py")} == first


def test_a_dry_run_writes_nothing(library: Library, scale: Path):
    """It says what would be, conflicts included."""
    assert publish(library, scale, dry_run=True).is_new
    assert list(library.store.list()) == []


def test_publishing_again_puts_back_what_is_lost(library: Library, scale: Path):
    """A blob that somebody removed or changed."""
    code = publish(library, scale).module.code
    blobs = [info.key for info in library.store.list("blobs")]
    library.store.delete(blobs[:1])
    library.store.put(blobs[1], b"something else")
    publish(library, scale)
    assert all(library.contents.read_bytes(e.digest) for _, e in library.contents.walk(code) if e.kind == "file")


def test_a_document_that_somebody_changed_is_no_module(library: Library, scale: Path):
    """Its digest says so."""
    publish(library, scale)
    key = module_key("scale", "versions", "1")
    library.store.put(key, library.store.get(key).replace(b"scale.py", b"other.py"))
    with pytest.raises(CorruptedError, match="somebody changed it"):
        library.get("scale", "1.0")


def test_a_version_that_is_not_there_cannot_be_marked(library: Library, scale: Path):
    """Nor made the default."""
    publish(library, scale)
    for act in (lambda: library.set_default("scale", "2.0"), lambda: library.check("other", "1.0")):
        with pytest.raises(DefinitionError, match="no such version"):
            act()


def test_the_revision_is_that_of_git(library: Library, scale: Path):
    """With whether the folder has changes, and the repository without its password."""

    def git(*arguments: str) -> None:
        own = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", "-C", str(scale), *own, *arguments], check=True, capture_output=True)

    git("init")
    git("remote", "add", "origin", "https://ann:secret@git.example.org/x.git")
    git("add", ".")
    git("commit", "-m", "x")
    clean = publish(library, scale, dry_run=True).module.revision
    (scale / "untracked.py").touch()
    dirty = publish(library, scale).module.revision
    assert clean is not None
    assert dirty is not None
    assert (clean.dirty, dirty.dirty) == (False, True)
    assert clean.remote == "https://git.example.org/x.git"
    assert len(clean.revision) == 40


def test_gc_keeps_published_modules(tmp_path: Path, scale: Path):
    """Their code has no record and no run; of what else is as old as it nothing is left."""
    store = LocalObjectStore(tmp_path / "workspace")
    workspace = Workspace(store, Contents(store))
    workspace.check_format()
    library = Library("workspace", workspace.contents)
    code = publish(library, scale).module.code
    workspace.contents.put_bytes(b"garbage")
    swept = sweep(workspace, collect(workspace, grace=timedelta(0)))
    assert [one.kind for one in swept.deleted] == ["blob"]
    assert not workspace.contents.missing(code, "folder")


def test_gc_keeps_the_modules_of_another_datastore(tmp_path: Path, scale: Path):
    """An organisation's library that a workspace clears, too."""
    store = LocalObjectStore(tmp_path / "workspace")
    workspace = Workspace(store, Contents(store))
    other = Library("org", Contents(LocalObjectStore(tmp_path / "org")))
    code = publish(other, scale).module.code
    garbage = collect(workspace, grace=timedelta(0), datastores={"org": other.store})
    assert garbage.objects == ()
    assert not other.contents.missing(code, "folder")


def test_gc_stops_at_a_module_that_it_cannot_read(tmp_path: Path, scale: Path):
    """What it needs is not known, and code that was published is in nobody's cache."""
    store = LocalObjectStore(tmp_path / "workspace")
    workspace = Workspace(store, Contents(store))
    publish(Library("workspace", workspace.contents), scale)
    store.put(module_key("scale", "versions", "1"), b"{")
    with pytest.raises(CorruptedError):
        collect(workspace, grace=timedelta(0))


def test_of_many_who_publish_one_version_at_once_one_content_counts(s3: S3Server, tmp_path: Path):
    """In a bucket: everybody with that content is told that it is published, all others are refused."""
    folders = [write_module(tmp_path / "a"), write_module(tmp_path / "b", other__py="x = 1\n")]
    config = s3.config("library")

    def attempt(number: int) -> tuple[int, object]:
        library = Library("s3", Contents(open_store(config)))
        try:
            return number % 2, publish(library, folders[number % 2], author=str(number)).is_new
        except ModuleConflictError:
            return number % 2, "refused"

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(attempt, range(8)))
    found = Library("s3", Contents(open_store(config))).get("scale", "1.0")
    winner = int(found.author) % 2
    assert [result for side, result in done if side == winner].count(True) == 1
    assert {result for side, result in done if side != winner} == {"refused"}
    assert found.code == look_at(folders[winner]).content.digest
