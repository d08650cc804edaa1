"""Garbage: all of it is found, nothing else, and what came alive since the plan is spared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.answers import fingerprint, producer, record, reference, run

from airflow_mlpipe.errors import WorkspaceVersionError
from airflow_mlpipe.fingerprint.digest import blob_key, digest_bytes, tree_key
from airflow_mlpipe.fingerprint.tree import Tree, TreeEntry
from airflow_mlpipe.store import gc as gc_module
from airflow_mlpipe.store.base import TEMPORARY
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.gc import Garbage, collect, sweep
from airflow_mlpipe.store.layout import attempt_prefix, document_key, record_key, run_key, usage_key
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.workspace import Workspace
from airflow_mlpipe.testing.memory import Clock, MemoryObjectStore

HOUR = 3_600.0
DAY = 24 * HOUR
NOW = timedelta(0)


@pytest.fixture
def clock():
    """The store's clock, which only the test moves."""
    return Clock()


@pytest.fixture
def store(clock):
    """A store with that clock."""
    return MemoryObjectStore(clock=clock)


@pytest.fixture
def workspace(store):
    """A workspace in it."""
    workspace = Workspace(store, Contents(store))
    workspace.check_format()
    return workspace


def put_blob(store, content):
    """Keep a file's bytes; its entry in a folder."""
    digest = digest_bytes(content)
    store.put(blob_key(digest), content)
    return TreeEntry(name="file", kind="file", size=len(content), digest=digest)


def put_tree(store, *entries):
    """Keep a folder."""
    tree = Tree(tuple(replace(entry, name=f"n{number}") for number, entry in enumerate(entries)))
    store.put(tree_key(tree.digest), tree.to_bytes())
    return tree.as_entry("folder")


def output(entry, **more):
    """A reference to what was put."""
    return replace(reference(), kind=entry.kind, digest=entry.digest, identity=entry.digest, **more)


def publish(workspace, seed, *entries, **more):
    """Record a result that consists of these, the way a step does: key, record, run."""
    offered = record(seed, outputs=tuple(output(entry, name=f"o{n}", **more) for n, entry in enumerate(entries)))
    workspace.keys.put(offered.fingerprint, {"seed": seed})
    workspace.records.publish(offered)
    return offered


def garbage(workspace, **options):
    """Keys of a plan without a grace time."""
    return {one.key for one in collect(workspace, **({"grace": NOW} | options)).objects}


def keys(store):
    """Every object."""
    return {info.key for info in store.list()}


def test_a_workspace_without_garbage_has_none(workspace, store, clock):
    """Whatever a recorded result consists of is kept for ever, down to the last file of a nested folder."""
    deep = put_tree(store, put_tree(store, put_blob(store, b"a"), put_tree(store)), put_blob(store, b"b"))
    publish(workspace, "x", deep, put_blob(store, b"c"))
    workspace.runs.put(run("x"))
    workspace.usage.touch(fingerprint("x"))
    workspace.pins.pin(fingerprint("x"), "anna")
    clock.advance(1000 * DAY)
    plan = collect(workspace)
    assert plan.objects == ()
    assert plan.kept == {"record": 1, "run": 2, "value": 0, "lease": 0, "tree": 3, "blob": 3}


def test_what_no_result_consists_of_is_garbage(workspace, store):
    """Files and folders that were uploaded and never recorded are found, those that are shared are not."""
    shared, lost = put_blob(store, b"shared"), put_blob(store, b"lost")
    publish(workspace, "x", put_tree(store, shared))
    folder = put_tree(store, shared, lost)
    assert garbage(workspace) == {blob_key(lost.digest), tree_key(folder.digest)}


def test_nothing_younger_than_the_grace_time_is_taken(workspace, store, clock):
    """An upload is garbage only when it is older than the grace time, to the second."""
    put_blob(store, b"uploading")
    workspace.keys.put(fingerprint(), {})
    workspace.usage.touch(fingerprint())
    store.put(f"{attempt_prefix(fingerprint(), 'a1')}/result.json", b"{}")
    store.put("quarantine/records/x", b"broken")
    clock.advance(24 * HOUR - 1)
    assert collect(workspace).objects == ()
    clock.advance(1)
    assert {one.kind for one in collect(workspace).objects} == {"blob", "key", "usage", "attempt", "quarantine"}


def test_a_touched_upload_is_young_again(workspace, store, clock):
    """Bytes that a publication finds in the store and touches are not taken from under it."""
    key = blob_key(put_blob(store, b"old").digest)
    clock.advance(2 * DAY)
    assert garbage(workspace, grace=timedelta(hours=24)) == {key}
    store.touch(key)
    assert garbage(workspace, grace=timedelta(hours=24)) == set()


def test_a_forgotten_result_whose_runs_are_forgotten_is_garbage(workspace, store, clock):
    """A result that was not used for long goes with all that only it consists of; one in use stays."""
    old, used = put_blob(store, b"old"), put_blob(store, b"used")
    publish(workspace, "old", old)
    publish(workspace, "used", used)
    workspace.runs.put(run("old"))
    clock.advance(40 * DAY)
    workspace.usage.touch(fingerprint("used"))
    found = garbage(workspace, unused_for=timedelta(days=30))
    assert found == {
        record_key(fingerprint("old")),
        document_key(fingerprint("old")),
        blob_key(old.digest),
        run_key("digits", "run-1", "train", -1),
        "last/digits/train/-1.json",
    }
    assert garbage(workspace) == set()


def test_a_pinned_result_is_kept_whatever_its_age(workspace, store, clock):
    """A pin keeps the record, its key document and its bytes."""
    publish(workspace, "x", put_blob(store, b"model"))
    workspace.pins.pin(fingerprint("x"), "anna", "in production")
    clock.advance(1000 * DAY)
    assert garbage(workspace, unused_for=timedelta(days=1)) == set()
    workspace.pins.unpin(fingerprint("x"))
    assert len(garbage(workspace, unused_for=timedelta(days=1))) == 3


def test_a_pin_that_cannot_be_read_still_keeps(workspace, store, clock):
    """A broken pin is no reason to delete what somebody wanted kept."""
    publish(workspace, "x", put_blob(store, b"model"))
    store.put(f"pins/{fingerprint('x')[5:7]}/mlp1-{fingerprint('x')[5:]}.json", b"broken")
    clock.advance(1000 * DAY)
    assert garbage(workspace, unused_for=timedelta(days=1)) == set()


def test_outputs_of_a_remembered_run_are_kept_without_a_record(workspace, store, clock):
    """What a run that records nothing wrote stays readable for downstream tasks as long as the run is remembered."""
    model = put_blob(store, b"model")
    workspace.runs.put(replace(run(), fingerprint=None, outputs=(output(model),)))
    clock.advance(10 * DAY)
    assert garbage(workspace) == set()
    assert blob_key(model.digest) in garbage(workspace, unused_for=timedelta(days=9))


def test_the_parts_that_a_remembered_run_is_explained_with_are_kept(workspace, clock):
    """Key documents of a run and of the one it is compared with stay, so that why can answer; others go."""
    for seed in ("now", "before", "other"):
        workspace.keys.put(fingerprint(seed), {"seed": seed})
    workspace.runs.put(run("now", decision="failed", previous=fingerprint("before")))
    assert garbage(workspace) == {document_key(fingerprint("other"))}


def test_a_run_of_an_uncacheable_step_is_no_obstacle(workspace):
    """A run that bears the name of an attempt instead of a fingerprint is kept and read."""
    workspace.runs.put(replace(run(), fingerprint="uncacheable/digits/run-1"))
    assert garbage(workspace) == set()


def test_a_reference_to_data_that_are_not_ours_is_no_obstacle(workspace):
    """A record of another kind of operator may refer to data that no digest names."""
    workspace.records.publish(record(outputs=(replace(reference(), digest="etag:abc"),)))
    assert garbage(workspace) == set()


def test_whoever_executes_keeps_the_parts_and_the_attempt(workspace, store, clock):
    """While a lease is alive its key document and its attempts are not garbage; afterwards they are, with the lease."""
    lease = workspace.leases.acquire(fingerprint(), producer())
    workspace.keys.put(fingerprint(), {})
    attempt = f"{attempt_prefix(fingerprint(), 'a1')}/result.json"
    store.put(attempt, b"{}")
    for _ in range(5):
        clock.advance(50)
        lease.beat()
    assert garbage(workspace) == set()
    clock.advance(61)
    folder = f"leases/{fingerprint()[5:7]}/mlp1-{fingerprint()[5:]}"
    assert garbage(workspace) == {document_key(fingerprint()), attempt, f"{folder}/1", f"{folder}/1.beat"}


def test_an_attempt_is_as_young_as_its_youngest_object(workspace, store, clock):
    """An attempt that still writes its log is not taken apart."""
    prefix = attempt_prefix(fingerprint(), "a1")
    store.put(f"{prefix}/log/0", b"")
    clock.advance(2 * DAY)
    store.put(f"{prefix}/log/1", b"")
    assert garbage(workspace, grace=timedelta(days=1)) == set()
    assert garbage(workspace) == {f"{prefix}/log/0", f"{prefix}/log/1"}


def test_a_time_of_use_without_a_result_is_garbage(workspace):
    """What is left of a forgotten result goes."""
    workspace.usage.touch(fingerprint())
    assert garbage(workspace) == {usage_key(fingerprint())}


def test_unreadable_documents_are_garbage_and_a_plan_changes_nothing(workspace, store):
    """A plan names broken records and runs, and leaves every object as it is."""
    store.put(record_key(fingerprint()), b"broken")
    store.put(run_key("d", "r", "t", -1), b"broken")
    before = {key: store.get(key) for key in keys(store)}
    assert garbage(workspace) == {record_key(fingerprint()), run_key("d", "r", "t", -1)}
    assert {key: store.get(key) for key in keys(store)} == before


@pytest.mark.parametrize("broken", [b"broken", Tree().to_bytes()])
def test_a_corrupted_tree_hides_nothing_else(workspace, store, broken):
    """A tree whose bytes are not what its name promises needs nothing, and other outputs are kept."""
    inside, other = put_blob(store, b"inside"), put_blob(store, b"other")
    folder = put_tree(store, inside)
    publish(workspace, "x", folder, other)
    store.put(tree_key(folder.digest), broken)
    assert garbage(workspace) == {blob_key(inside.digest)}


def test_objects_of_others_are_left_alone(workspace, store, clock):
    """What lies in the store and is not below a folder of ours is never named."""
    folders = ("blobs", "trees", "records", "keys", "usage", "leases", "pins")
    for key in ("scores/run-1/part-0.parquet", "blobs.txt", *(f"{folder}/ab/README" for folder in folders)):
        store.put(key, b"")
    clock.advance(1000 * DAY)
    assert garbage(workspace, unused_for=timedelta(days=1)) == set()


@pytest.mark.parametrize("key", [record_key(fingerprint()), run_key("d", "r", "t", -1), "mlpipe.json"])
def test_nothing_is_planned_for_a_newer_version(store, key):
    """Where a newer version wrote anything that says what is needed, gc refuses."""
    kind = {"rec": "record", "run": "steprun", "mlp": "workspace"}[key[:3]]
    store.put(key, f'{{"mlpipe":"{kind}/2"}}'.encode())
    with pytest.raises(WorkspaceVersionError):
        collect(Workspace(store, Contents(store)))


def test_a_datastore_with_two_names_loses_nothing(workspace, clock):
    """Outputs recorded under a datastore's URL are needed when gc is given the connection's name, and the reverse."""
    lake = MemoryObjectStore(clock=clock)
    for datastore, text in (("lake=s3://lake/raw", b"by url"), ("lake", b"by name")):
        publish(workspace, text.decode(), put_blob(lake, text), datastore=datastore)
    for name in ("lake", "lake=s3://lake/raw", "sea"):
        assert collect(workspace, grace=NOW, datastores={name: lake}).objects == ()


def test_other_datastores_are_swept_only_when_named(workspace, store, clock):
    """Outputs in another datastore are followed there, and its garbage is found when the caller names it."""
    lake = MemoryObjectStore(clock=clock, url="memory://lake")
    inside, lost = put_blob(lake, b"inside"), put_blob(lake, b"lost")
    publish(workspace, "x", put_tree(lake, inside), datastore="lake")
    assert garbage(workspace) == set()
    plan = collect(workspace, grace=NOW, datastores={"lake": lake})
    assert [(one.datastore, one.key) for one in plan.objects] == [("lake", blob_key(lost.digest))]
    assert len(sweep(workspace, plan, datastores={"lake": lake}).deleted) == 1
    assert keys(lake) & {blob_key(lost.digest), blob_key(inside.digest)} == {blob_key(inside.digest)}


def test_what_a_killed_copy_left_is_found_where_copies_go(workspace, tmp_path):
    """In a datastore's own root only unfinished writes are looked at, whatever else lies there."""
    shelf = LocalObjectStore(tmp_path / "shelf")
    shelf.put("notes/plain.txt", b"a copy")
    put_blob(shelf, b"of another workspace")
    unfinished = tmp_path / "shelf" / TEMPORARY / "1-abc"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.touch()
    before = keys(shelf)
    plan = collect(workspace, grace=NOW, copies={"shelf (copies)": shelf})
    assert [(one.kind, one.datastore) for one in plan.objects] == [("temporary", "shelf (copies)")]
    sweep(workspace, plan, copies={"shelf (copies)": shelf})
    assert not unfinished.exists()
    assert keys(shelf) == before


def fill_with_garbage(workspace, store):
    """A workspace with one result that is needed and every kind of garbage; the keys that are needed."""
    publish(workspace, "kept", put_tree(store, put_blob(store, b"kept")))
    needed = keys(store)
    publish(workspace, "lost", put_tree(store, put_blob(store, b"lost")))
    workspace.records.forget(fingerprint("lost"))
    store.put(record_key(fingerprint("broken")), b"broken")
    workspace.records.get(fingerprint("broken"))
    workspace.usage.touch(fingerprint("gone"))
    store.put(f"{attempt_prefix(fingerprint('lost'), 'a1')}/result.json", b"{}")
    return needed


def test_a_sweep_removes_the_plan_and_a_second_finds_nothing(workspace, store):
    """After a sweep exactly what is needed is left."""
    needed = fill_with_garbage(workspace, store)
    plan = collect(workspace, grace=NOW)
    assert {one.key for one in plan.objects} == keys(store) - needed
    swept = sweep(workspace, plan)
    assert (swept.deleted, swept.spared, swept.size) == (plan.objects, (), plan.size)
    assert keys(store) == needed
    assert collect(workspace, grace=NOW).objects == ()


def test_what_came_alive_since_the_plan_is_spared(workspace, store):
    """A result that is recorded between plan and sweep keeps its old bytes."""
    blob = put_blob(store, b"old bytes")
    plan = collect(workspace, grace=NOW)
    publish(workspace, "x", blob)
    swept = sweep(workspace, plan)
    assert [one.key for one in swept.spared] == [blob_key(blob.digest)]
    assert store.get(blob_key(blob.digest)) == b"old bytes"


def test_what_is_touched_while_the_sweep_runs_is_spared(workspace, store, clock, monkeypatch):
    """An upload that is touched after the sweep has planned again, and before it deletes, stays."""
    blob = put_blob(store, b"old bytes")
    plan = collect(workspace, grace=NOW)

    def collect_then_touch(*arguments, **options):
        again = collect(*arguments, **options)
        clock.advance(1)
        store.touch(blob_key(blob.digest))
        return again

    monkeypatch.setattr(gc_module, "collect", collect_then_touch)
    assert sweep(workspace, plan).deleted == ()
    assert store.get(blob_key(blob.digest)) == b"old bytes"


def test_a_result_that_is_used_since_the_plan_is_spared(workspace, store, clock):
    """A reuse between plan and sweep keeps a result that was about to be forgotten."""
    publish(workspace, "x", put_blob(store, b"model"))
    clock.advance(40 * DAY)
    plan = collect(workspace, grace=NOW, unused_for=timedelta(days=30))
    assert len(plan.objects) == 3
    workspace.usage.touch(fingerprint("x"))
    assert sweep(workspace, plan).deleted == ()


class Dies(MemoryObjectStore):
    """A store whose client dies after so many deletions."""

    left = 10**9

    def delete(self, keys):
        """Delete one by one, until it dies."""
        for key in keys:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            super().delete([key])


def test_a_sweep_that_is_killed_anywhere_leaves_no_record_without_its_outputs(clock):
    """Whatever was removed when a sweep died, each record that is left is complete, and the next sweep finishes."""
    for deletions in range(40):
        store = Dies(clock=clock)
        workspace = Workspace(store, Contents(store))
        folder = put_tree(store, put_tree(store, put_blob(store, b"inside")))
        publish(workspace, "x", folder)
        clock.advance(40 * DAY)
        plan = collect(workspace, grace=NOW, unused_for=timedelta(days=30))
        store.left = deletions
        try:
            done = sweep(workspace, plan).spared == ()
        except KeyboardInterrupt:
            done = False
        if workspace.records.get(fingerprint("x")) is not None:
            assert {one.key for one in plan.objects} <= keys(store)
        store.left = 10**9
        sweep(workspace, collect(workspace, grace=NOW, unused_for=timedelta(days=30)))
        assert keys(store) == {"mlpipe.json"}
        if done:
            assert deletions == len(plan.objects)
            break
    else:
        pytest.fail("it never finished")


def test_files_of_killed_writers_are_found_on_a_file_system(tmp_path):
    """A temporary file that a killed writer left is garbage, and is removed."""
    store = LocalObjectStore(tmp_path)
    workspace = Workspace(store, Contents(store))
    workspace.check_format()
    left = tmp_path / TEMPORARY / "1234-abc"
    left.write_bytes(b"half an upl")
    plan = collect(workspace, grace=NOW)
    assert [(one.kind, one.key, one.size) for one in plan.objects] == [("temporary", f"{TEMPORARY}/1234-abc", 11)]
    assert collect(workspace).objects == ()
    assert len(sweep(workspace, plan).deleted) == 1
    assert not left.exists()


def test_a_writer_that_comes_back_to_life_keeps_its_file(tmp_path):
    """A temporary file that is written to between plan and sweep is not taken."""
    store = LocalObjectStore(tmp_path)
    left = tmp_path / TEMPORARY / "1234-abc"
    left.parent.mkdir()
    left.write_bytes(b"half")
    (found,) = store.leftovers()
    left.write_bytes(b"half an upload")
    store.discard([found])
    assert left.exists()


def test_an_empty_plan_sweeps_nothing(workspace, store):
    """A plan without objects removes nothing, garbage or not."""
    put_blob(store, b"lost")
    assert sweep(workspace, Garbage()).deleted == ()
