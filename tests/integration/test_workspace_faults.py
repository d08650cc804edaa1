"""Kill -9 before every write of the workspace, and races of processes: old or new, never half, and no garbage hides."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from support import crash
from support.answers import fingerprint, producer

from airflow_mlpipe.fingerprint.digest import blob_key, tree_key
from airflow_mlpipe.store.base import TEMPORARY
from airflow_mlpipe.store.gc import collect, sweep
from airflow_mlpipe.store.layout import QUARANTINE, RUNS, document_key, record_key
from airflow_mlpipe.store.leases import Leases

ROOT = Path(crash.__file__).parents[2]
STEP = fingerprint("step")
NOW = timedelta(0)
# What says that a step runs, and what it said of its runs: bookkeeping that is never half a result.
BOOKKEEPING = ("runs/", "last/")


def run_module(module, *arguments):
    """Run a module of tests/support in a process of its own."""
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder):
    """Every file of a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def needed_by(workspace, reference):
    """Keys of all that an output consists of, each checked to be there with the bytes that its name promises."""
    keys = {tree_key(reference.digest)}
    for _, entry in workspace.contents.walk(reference.digest):
        keys.add(tree_key(entry.digest) if entry.kind == "folder" else blob_key(entry.digest))
    assert workspace.contents.missing(reference.digest, "folder") == ()
    return keys


def content_of(workspace):
    """Which result is recorded, with every byte of it there: old, new, or none."""
    record = workspace.records.get(STEP)
    if record is None:
        return None
    needed_by(workspace, record.outputs[0])
    return record.producer.run_id.removeprefix("run-")


@pytest.fixture(scope="module", params=crash.SCENARIOS)
def killed(request, tmp_path_factory):
    """A scenario and a folder for each point at which it was killed, the last one not."""
    folder = tmp_path_factory.mktemp("killed")
    run_module("support.crash", request.param, folder)
    return request.param, in_order(folder)


def in_order(folder):
    """The folders in a folder, by their numbers."""
    return sorted(folder.iterdir(), key=lambda path: int(path.name))


ALLOWED = {
    "publish": {None, "new"},
    "refresh": {"old", "new"},
    "heal": {None, "new"},
    "take over": {None, "new"},
    "sweep": {"old", None},
}


def test_there_are_enough_points(killed):
    """The scenarios are killed at every change of the file system, so there are dozens of them, up to the end."""
    scenario, folders = killed
    assert len(folders) > 20
    assert content_of(crash.open_workspace(folders[0])) == {"refresh": "old", "sweep": "old"}.get(scenario)
    assert content_of(crash.open_workspace(folders[-1])) == (None if scenario == "sweep" else "new")


def test_a_kill_leaves_the_old_state_or_the_new(killed):
    """After each kill a lookup gives the old result or the new one, complete to the last byte, and never goes back."""
    scenario, folders = killed
    seen = [content_of(crash.open_workspace(folder)) for folder in folders]
    assert set(seen) == ALLOWED[scenario]
    assert len([1 for one, next_ in itertools.pairwise(seen) if one != next_]) == 1


def test_the_next_try_succeeds(killed, tmp_path):
    """After each kill the same step, tried again, records its result, and a sweep leaves no trace of the dead."""
    shutil.copytree(killed[1][0].parent, tmp_path / "again")
    for folder in in_order(tmp_path / "again"):
        workspace = crash.open_workspace(folder)
        crash.refresh(workspace)
        assert content_of(workspace) == "new"
        sweep(workspace, collect(workspace, grace=NOW))
        assert content_of(workspace) == "new"
        left = {key.split("/")[0] for key in files(folder)}
        assert not left & {"leases", "attempts", QUARANTINE, TEMPORARY}
        assert left >= {"records", "keys", RUNS, "blobs", "trees"}


def test_gc_finds_all_that_a_kill_leaves_and_nothing_else(killed):
    """After each kill one sweep leaves exactly what the recorded result and the remembered runs need."""
    for folder in killed[1]:
        workspace = crash.open_workspace(folder)
        content = content_of(workspace)
        sweep(workspace, collect(workspace, grace=NOW))
        assert content_of(workspace) == content
        record = workspace.records.get(STEP)
        runs = list(workspace.runs.list())
        needed = {"mlpipe.json"} & files(folder)
        needed |= {key for key in files(folder) if key.startswith(BOOKKEEPING)}
        for run in (*runs, *([record] if record else [])):
            for output in run.outputs:
                needed |= needed_by(workspace, output)
        if record or runs:
            needed |= {document_key(STEP)} & files(folder)
        if record:
            needed |= {record_key(STEP)} | {key for key in files(folder) if key.startswith("usage/")}
        assert files(folder) == needed
        assert collect(workspace, grace=NOW).objects == ()


DAMAGES = {
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "changed": lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
    "deleted": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_whatever_is_damaged_is_a_miss_and_is_repaired(tmp_path, damage):
    """Each object of a result, damaged, makes a miss or costs nothing; the next execution repairs it."""
    crash.publish(crash.open_workspace(tmp_path / "model"))
    damaged = sorted(key for key in files(tmp_path / "model") if key != "mlpipe.json")
    assert {key.split("/")[0] for key in damaged} == {"blobs", "trees", "records", "keys", "runs", "last", "usage"}
    for number, key in enumerate(damaged):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "model", folder)
        if key.startswith("usage/") and damage is not DAMAGES["deleted"]:
            continue  # an empty file: only that it is there counts
        damage(folder / key)
        workspace = crash.open_workspace(folder)
        record = workspace.records.get(STEP)
        missing = record is None or workspace.contents.missing(record.outputs[0].digest, "folder") != ()
        assert missing == key.startswith(("blobs/", "trees/", "records/")), key
        crash.refresh(workspace)
        assert content_of(workspace) == "new"
        assert workspace.keys.get(STEP) == {"content": "new"}
        assert workspace.runs.last("digits", "train").step.run_id == "run-new"


def race(tmp_path, what, count=10):
    """Let processes do the same at once; what each of them got."""
    return run_module("support.race", what, tmp_path, count).split()


def test_of_ten_processes_one_publishes(tmp_path):
    """Ten processes publish one fingerprint at once: one wins, and all of them hold its outputs."""
    lines = race(tmp_path, "publish")
    assert len(lines) == 10
    assert [line.split(":")[0] for line in lines].count("won") == 1
    assert {line.split(":")[1] for line in lines} == {crash.open_workspace(tmp_path).records.get(STEP).producer.run_id}


@pytest.mark.parametrize("what", ["acquire", "take-over"])
def test_of_ten_processes_one_gets_the_lease(tmp_path, what):
    """Ten processes ask at once for a free lease, or for one that has run out: one holds it, nine wait for that one."""
    workspace = crash.open_workspace(tmp_path)
    workspace.check_format()
    if what == "take-over":
        crash.dead_holder(workspace)
    lines = race(tmp_path, "acquire")
    assert len(lines) == 10
    assert [line.split(":")[0] for line in lines].count("won") == 1
    assert {line.split(":")[1] for line in lines} == {Leases(workspace.store).peek(STEP).owner.run_id}


def test_ten_processes_mark_one_new_workspace(tmp_path):
    """Ten processes that use a new workspace at once agree on its format."""
    assert race(tmp_path, "open") == ["opened:"] * 10


def test_a_process_that_is_killed_while_it_holds_the_lease_is_taken_over(tmp_path):
    """The heartbeat dies with its process: the lease runs out by the store's clock and goes to the next who asks."""
    assert race(tmp_path, "die", count=1) == []
    workspace = crash.open_workspace(tmp_path)
    deadline = workspace.store.now() + 60
    while (busy := workspace.leases.peek(STEP)) is not None:
        assert busy.owner.run_id == "run-0"
        assert workspace.store.now() < deadline
    assert workspace.leases.acquire(STEP, producer("next")).owner == producer("next")
