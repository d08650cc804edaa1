"""Transfers between folders: what is sent, what is kept, what is removed, and what is refused."""

from __future__ import annotations

import json
import os

import pytest
from support.transfers import Stores, age, looks_whole, texts, write

from airflow_mlpipe.errors import (
    DefinitionError,
    InputChangedError,
    InputError,
    PathError,
    StoreError,
    TransferCancelledError,
)
from airflow_mlpipe.store.exporting import MANIFEST
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.transfer.engine import carry_out, told
from airflow_mlpipe.transfer.files import INCOMPLETE
from airflow_mlpipe.transfer.pace import Pace

FILES = {"a.csv": "1", "sub/b.csv": "22", "sub/c.tmp": "333"}


@pytest.fixture
def lake(tmp_path):
    """A folder with files."""
    write(tmp_path / "lake" / "raw", FILES, old=False)
    return tmp_path / "lake"


@pytest.fixture
def stores(tmp_path, lake):
    """That folder, and an empty one."""
    return Stores({"lake": LocalObjectStore(lake), "shelf": LocalObjectStore(tmp_path / "shelf")})


@pytest.fixture
def shelf(stores):
    """The destination's datastore."""
    return stores.stores["shelf"]


def test_a_folder_goes_below_the_destination(stores, shelf):
    """As it is, with its folders."""
    done = stores.transfer("lake:raw/", "shelf:in/x")
    assert texts(shelf, "in/x") == FILES
    assert (done.sent, done.sent_bytes) == (3, 6)


def test_a_file_goes_to_the_very_path_or_into_a_folder(stores, shelf):
    """Which of them, a final slash says."""
    stores.transfer("lake:raw/a.csv", "shelf:one.csv")
    stores.transfer("lake:raw/a.csv", "shelf:many/")
    stores.transfer("lake:raw/a.csv", "shelf:")
    assert [shelf.get(key) for key in ("one.csv", "many/a.csv", "a.csv")] == [b"1"] * 3


def test_the_matches_of_a_glob_keep_their_paths_below_its_fixed_part(stores, shelf):
    """As they are staged for a step."""
    stores.transfer("lake:raw/**/*.csv", "shelf:in")
    assert texts(shelf, "in") == {"a.csv": "1", "sub/b.csv": "22"}


def test_patterns_say_what_takes_part(stores, shelf):
    """Those of exclude win."""
    stores.transfer("lake:raw/", "shelf:in", include=("*.csv", "*.tmp"), exclude=("sub/c.*",))
    assert texts(shelf, "in") == {"a.csv": "1", "sub/b.csv": "22"}


def test_a_sync_removes_only_what_the_glob_would_take(stores, shelf):
    """What is no match of it was never the source's to say."""
    write(shelf.root / "in", {"sub/old.csv": "o", "notes.txt": "n"})
    stores.transfer("lake:raw/**/*.csv", "shelf:in", mode="sync")
    assert texts(shelf, "in") == {"a.csv": "1", "sub/b.csv": "22", "notes.txt": "n"}


def test_what_was_moved_and_is_nowhere_any_more_is_known(stores, shelf, lake):
    """Gone or changed at the destination; what is at the source anew is no loss."""
    stores.transfer("lake:raw/", "shelf:in", mode="move")
    assert stores.look("lake:raw/", "shelf:in", mode="move").lost == ()
    shelf.delete(["in/a.csv", "in/sub/b.csv"])
    shelf.put("in/sub/c.tmp", b"other")
    write(lake / "raw", {"a.csv": "2"}, old=False)
    assert stores.look("lake:raw/", "shelf:in", mode="move").lost == ("sub/b.csv", "sub/c.tmp")


def test_nothing_is_sent_when_nothing_changed(stores):
    """And the plan says so."""
    stores.transfer("lake:raw/", "shelf:in")
    again = stores.look("lake:raw/", "shelf:in")
    assert again.plan.is_empty
    assert told(again) == "0 files to send (0 B), 3 there already"


def test_only_what_changed_is_sent(stores, lake, shelf):
    """A new file and a file with new bytes, not one that was only touched."""
    stores.transfer("lake:raw/", "shelf:in")
    write(lake / "raw", {"a.csv": "2", "d": "4"}, old=False)
    os.utime(lake / "raw" / "sub" / "b.csv", (1, 1))
    found = stores.look("lake:raw/", "shelf:in")
    assert sorted(file.path for file in found.plan.send) == ["a.csv", "d"]
    stores.transfer("lake:raw/", "shelf:in")
    assert texts(shelf, "in") == {**FILES, "a.csv": "2", "d": "4"}


def test_bytes_that_changed_under_the_same_size_and_time_are_seen(stores, lake, shelf):
    """The change time tells, which nobody can set back."""
    age(lake)
    stores.transfer("lake:raw/", "shelf:in")
    path = lake / "raw" / "a.csv"
    before = path.stat()
    path.write_text("9")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    stores.transfer("lake:raw/", "shelf:in")
    assert texts(shelf, "in")["a.csv"] == "9"


def test_what_was_read_to_find_nothing_changed_is_not_read_again(stores, lake):
    """A file that was touched is read once, and then known by its new stats."""
    stores.transfer("lake:raw/", "shelf:in")
    os.utime(lake / "raw" / "a.csv")
    age(lake)
    first = stores.look("lake:raw/", "shelf:in")
    assert (first.plan.is_empty, first.learned) == (True, True)
    stores.transfer("lake:raw/", "shelf:in")
    assert stores.look("lake:raw/", "shelf:in").learned is False


@pytest.mark.parametrize("how", ["change", "delete", "cut"])
def test_a_file_that_somebody_changed_at_the_destination_is_sent_again(stores, shelf, how):
    """Whatever they did to it, and only that one."""
    stores.transfer("lake:raw/", "shelf:in")
    path = shelf.path("in/sub/b.csv")
    path.unlink() if how == "delete" else path.write_text("xx" if how == "change" else "")
    assert stores.transfer("lake:raw/", "shelf:in").sent == 1
    assert texts(shelf, "in") == FILES


def test_copy_leaves_what_the_source_does_not_have_and_sync_removes_it(stores, shelf):
    """Below the destination, and only what the patterns take."""
    write(shelf.root, {"in/old.csv": "o", "in/old.tmp": "o", "inside.csv": "o", "other/x.csv": "o"}, old=False)
    stores.transfer("lake:raw/", "shelf:in")
    assert texts(shelf, "in") == {**FILES, "old.csv": "o", "old.tmp": "o"}
    done = stores.transfer("lake:raw/", "shelf:in", mode="sync", exclude=("*.tmp",))
    assert done.deleted == 1
    assert texts(shelf, "in") == {**FILES, "old.tmp": "o"}
    assert (shelf.get("inside.csv"), shelf.get("other/x.csv")) == (b"o", b"o")


def test_a_sync_into_the_root_of_a_datastore_removes_nothing_of_this_package(stores, shelf):
    """What it keeps there for itself is nobody's data."""
    shelf.put(".mlpipe/blobs/aa/x", b"blob")
    shelf.put("old", b"o")
    stores.transfer("lake:raw/", "shelf:", mode="sync")
    assert shelf.get(".mlpipe/blobs/aa/x") == b"blob"
    assert shelf.head("old") is None
    assert stores.look("lake:raw/", "shelf:", mode="sync").plan.is_empty


def test_a_sync_of_nothing_is_refused(stores, lake, shelf):
    """A source that is gone for a moment does not empty the destination."""
    stores.transfer("lake:raw/", "shelf:in", mode="sync")
    for path in (lake / "raw").rglob("*.*"):
        path.unlink()
    with pytest.raises(InputError, match="no file to transfer"):
        stores.transfer("lake:raw/", "shelf:in", mode="sync")
    assert texts(shelf, "in") == FILES


def test_a_move_removes_the_source_once_it_is_at_the_destination(stores, lake, shelf):
    """Its files and not its folders, and only those that take part."""
    done = stores.transfer("lake:raw/", "shelf:in", mode="move", exclude=("*.tmp",))
    assert (done.sent, done.removed) == (2, 2)
    assert texts(stores.stores["lake"], "raw") == {"sub/c.tmp": "333"}
    assert texts(shelf, "in") == {"a.csv": "1", "sub/b.csv": "22"}
    assert (lake / "raw" / "sub").is_dir()


@pytest.mark.parametrize(("path", "kept"), [("raw/", True), ("raw/a.csv", False)])
def test_a_move_that_was_done_has_nothing_to_do(stores, lake, path, kept):
    """Also where the last file took its folder with it, as in an object store."""
    stores.transfer(f"lake:{path}", "shelf:in/", mode="move")
    again = stores.look(f"lake:{path}", "shelf:in/", mode="move")
    assert again.plan.is_empty
    assert len(again.files) == (3 if kept else 1)


def test_a_second_move_brings_what_is_new(stores, lake, shelf):
    """A folder that others put files into."""
    stores.transfer("lake:raw/", "shelf:in", mode="move")
    write(lake / "raw", {"next": "4"}, old=False)
    assert stores.transfer("lake:raw/", "shelf:in", mode="move").sent == 1
    assert texts(shelf, "in") == {**FILES, "next": "4"}


def test_a_move_from_where_nothing_ever_was_is_an_error(stores):
    """It was not moved before either."""
    with pytest.raises(InputError, match="not there"):
        stores.transfer("lake:nowhere/", "shelf:in", mode="move")


def test_the_manifest_names_every_file_and_goes_with_what_was_moved_away(stores, shelf):
    """A folder whose files were moved on is not marked as whole."""
    stores.transfer("lake:raw/", "shelf:in")
    manifest = json.loads(shelf.get(f".in{MANIFEST}"))
    assert [row[:2] for row in manifest["files"]] == [["a.csv", 1], ["sub/b.csv", 2], ["sub/c.tmp", 3]]
    stores.transfer("shelf:in/", "shelf:out", mode="move")
    assert shelf.head(f".in{MANIFEST}") is None
    assert looks_whole(shelf, "out")


def test_marks_of_the_source_are_not_sent(stores, shelf):
    """Neither a manifest, nor the sign of a folder that is not whole, nor what was published by digest."""
    stores.transfer("lake:raw/", "shelf:one/in")
    shelf.put(f"one/in/{INCOMPLETE}", b"{}")
    stores.transfer("shelf:one/", "lake:copy")
    assert texts(stores.stores["lake"], "copy") == {f"in/{name}": text for name, text in FILES.items()}
    assert not [i.key for i in stores.stores["lake"].list("copy") if "mlpipe" in i.key]


def test_the_folder_is_not_whole_while_it_is_filled(stores, shelf):
    """From before the first file until after the last."""
    seen = []
    found = stores.look("lake:raw/", "shelf:in", concurrency=1)

    class Watched(Pace):
        def check(self):
            seen.append(looks_whole(shelf, "in"))

    carry_out(found, Watched(), seen.append, journal_every=0.0)
    assert False in seen
    assert True not in seen
    assert looks_whole(shelf, "in")


@pytest.mark.parametrize("how", ["write", "replace", "add", "remove"])
def test_a_source_that_changes_meanwhile_is_an_error_and_nothing_is_published(stores, lake, shelf, how):
    """Whether the changed file was sent already or not."""
    stores.transfer("lake:raw/", "shelf:in")
    write(lake / "raw", {f"new/{n}": str(n) for n in range(5)}, old=False)
    found = stores.look("lake:raw/", "shelf:in", concurrency=1)
    path = lake / "raw" / "new" / "3"
    change = {
        "write": lambda: path.write_text("9"),
        "replace": lambda: (path.with_name("z").write_text("3"), os.replace(path.with_name("z"), path)),
        "add": lambda: (lake / "raw" / "more").write_text("m"),
        "remove": path.unlink,
    }[how]
    changed = []

    class Busy(Pace):
        def spend(self, size):
            super().spend(size)
            if not changed:
                changed.append(change())

    with pytest.raises(InputChangedError, match="changed while it was transferred"):
        carry_out(found, Busy(), lambda line: None)
    assert not looks_whole(shelf, "in")
    done = stores.transfer("lake:raw/", "shelf:in")
    assert done.sent <= 2  # what had arrived is not sent again
    assert texts(shelf, "in") == texts(stores.stores["lake"], "raw")


def test_a_single_file_that_changes_meanwhile_leaves_the_old_one(stores, lake, shelf):
    """It is checked before it becomes visible."""
    stores.transfer("lake:raw/a.csv", "shelf:one")
    write(lake, {"raw/a.csv": "2"}, old=False)
    found = stores.look("lake:raw/a.csv", "shelf:one")

    class Busy(Pace):
        def spend(self, size):
            if size:
                (lake / "raw" / "a.csv").write_text("3")

    with pytest.raises(InputChangedError):
        carry_out(found, Busy(), lambda line: None)
    assert shelf.get("one") == b"1"


def test_a_cancelled_transfer_goes_on_where_it_was(stores, lake, shelf):
    """What had arrived is not sent again."""
    write(lake / "many", {str(n): str(n) for n in range(50)}, old=False)
    found = stores.look("lake:many/", "shelf:in", concurrency=2)
    pace = Pace()
    spent = []

    class Ended(Pace):
        def spend(self, size):
            spent.append(size)
            if len(spent) == 40:
                pace.cancel()
                self.cancel()
            super().spend(size)

    with pytest.raises(TransferCancelledError):
        carry_out(found, Ended(), lambda line: None)
    assert not looks_whole(shelf, "in")
    done = stores.transfer("lake:many/", "shelf:in")
    assert 30 <= done.sent < 40
    assert texts(shelf, "in") == {str(n): str(n) for n in range(50)}


def test_two_sources_share_a_destination(stores, lake, shelf):
    """Each knows what it delivered, and the manifest names all."""
    write(lake / "more", {"m": "m"}, old=False)
    stores.transfer("lake:raw/", "shelf:in")
    stores.transfer("lake:more/", "shelf:in")
    assert stores.look("lake:raw/", "shelf:in").plan.is_empty
    assert stores.look("lake:more/", "shelf:in").plan.is_empty
    assert len(json.loads(shelf.get(f".in{MANIFEST}"))["files"]) == 4


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("lake:raw/", "lake:raw"),
        ("lake:raw/", "lake:raw/out"),
        ("lake:raw/sub/", "lake:raw"),
        ("lake:raw/", "lake:"),
        ("lake:raw/a.csv", "lake:raw/"),
        ("lake:raw/a.csv", "lake:raw/a.csv"),
        ("lake:raw/**/*.csv", "lake:raw/out"),
    ],
)
def test_a_source_and_a_destination_in_each_other_are_refused(stores, source, target):
    """Before anything is written."""
    with pytest.raises(PathError, match="in each other"):
        stores.transfer(source, target, mode="sync")


def test_a_destination_beside_the_files_that_a_glob_means_is_none_of_these(stores):
    """``raw/*.csv`` does not reach into ``raw/out``."""
    stores.transfer("lake:raw/*.csv", "lake:raw/out")
    assert stores.look("lake:raw/*.csv", "lake:raw/out").plan.is_empty


@pytest.mark.parametrize("place", ["in/*", ".mlpipe/x", f".in{MANIFEST}"])
def test_a_place_that_is_a_pattern_or_this_packages_own_is_no_destination(stores, place):
    """With the reason."""
    with pytest.raises((DefinitionError, PathError)):
        stores.transfer("lake:raw/", f"shelf:{place}")


@pytest.mark.parametrize("name", [INCOMPLETE, f".x{MANIFEST}"])
def test_what_only_looks_like_a_mark_of_this_package_is_one(stores, lake, name):
    """Files of these names are left out wherever they are."""
    write(lake / "raw", {f"sub/{name}": "x"}, old=False)
    assert len(stores.transfer("lake:raw/", "shelf:in").files) == 3


def test_a_link_that_leaves_the_source_is_an_error(stores, lake, tmp_path):
    """And none that is left out."""
    (tmp_path / "secret").write_text("s")
    (lake / "raw" / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(PathError, match="leaves its folder"):
        stores.transfer("lake:raw/", "shelf:in")


@pytest.mark.parametrize("link", ["in", "in/sub"])
def test_a_link_that_leaves_the_destination_is_an_error(stores, shelf, tmp_path, link):
    """Nothing is written, and nothing removed, where it leads."""
    write(tmp_path, {"private/b.csv": "mine", "private/more": "mine"}, old=False)
    shelf.path(link).parent.mkdir(parents=True, exist_ok=True)
    shelf.path(link).symlink_to(tmp_path / "private")
    with pytest.raises(PathError, match="out of the datastore's root"):
        stores.transfer("lake:raw/", "shelf:in", mode="sync")
    assert sorted(p.name for p in (tmp_path / "private").iterdir()) == ["b.csv", "more"]
    assert (tmp_path / "private" / "b.csv").read_text() == "mine"


def test_a_file_that_cannot_be_where_a_folder_is_is_a_clear_error(stores, shelf):
    """And the folder is not whole."""
    write(shelf.root, {"in/a.csv/x": "x"}, old=False)
    with pytest.raises(StoreError, match="the name is taken"):
        stores.transfer("lake:raw/", "shelf:in")
    assert not shelf.head(f".in{MANIFEST}")


def test_a_state_that_cannot_be_read_costs_sending_and_nothing_else(stores, shelf):
    """It is memory, not truth."""
    stores.transfer("lake:raw/", "shelf:in")
    (state,) = [i.key for i in shelf.list(".mlpipe/transfers")]
    shelf.put(state, b"{nonsense")
    assert stores.transfer("lake:raw/", "shelf:in").sent == 3
    assert stores.look("lake:raw/", "shelf:in").plan.is_empty


def test_progress_is_said_while_files_are_sent(stores, lake):
    """Files, bytes, rate and time left."""
    write(lake / "many", {str(n): "x" * 1000 for n in range(20)}, old=False)
    stores.transfer("lake:many/", "shelf:in", pace=Pace(10_000), concurrency=2)
    lines = [line for line in stores.said if " of 20 files, " in line and "KiB/s, " in line]
    assert lines
    assert stores.said[-1].startswith("sent 20 files, 19.5 KiB in ")


def test_what_the_source_is_stays_known_when_the_destination_is_lost(stores, lake, shelf):
    """By its tags: so a step says that its result is gone, and not that its input changed."""
    age(lake)
    stores.transfer("lake:raw/", "shelf:in")
    shelf.delete(["in/a.csv"])
    found = stores.look("lake:raw/", "shelf:in")
    assert all(file.digest for file in found.files)
    assert [file.path for file in found.plan.send] == ["a.csv"]
