"""The workspace's format, and the smaller answers: keys, runs, usage, pins."""

from __future__ import annotations

import json

import pytest
from support.answers import fingerprint, producer, record, run

from airflow_mlpipe.errors import ConfigurationError, StoreUnavailableError, WorkspaceVersionError
from airflow_mlpipe.store.layout import document_key, pin_key, run_key
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.pins import Pin
from airflow_mlpipe.store.usage import Usage
from airflow_mlpipe.store.workspace import Workspace
from airflow_mlpipe.testing.memory import Clock, MemoryObjectStore


@pytest.fixture
def store(tmp_path):
    """A real folder."""
    return LocalObjectStore(tmp_path / "workspace")


@pytest.fixture
def workspace(store):
    """A workspace in it; what is tested here needs no contents."""
    return Workspace(store, contents=None)


PARTS = ("contents", "records", "keys", "runs", "leases", "usage", "pins")


def test_opening_a_workspace_touches_nothing(workspace, store):
    """A workspace that nobody uses writes nothing."""
    assert list(store.list()) == []


@pytest.mark.parametrize("part", PARTS)
def test_the_first_use_of_any_part_marks_the_format(workspace, store, part):
    """Whichever part is used first, the workspace says its format from then on."""
    getattr(workspace, part)
    assert json.loads(store.get("mlpipe.json")) == {"mlpipe": "workspace/1"}


@pytest.mark.parametrize("part", PARTS)
def test_a_workspace_of_a_newer_version_is_refused(workspace, store, part):
    """No part of a workspace that a newer version made can be used, and nothing in it changes."""
    store.put("mlpipe.json", b'{"mlpipe":"workspace/2"}')
    with pytest.raises(WorkspaceVersionError, match=r"workspace/2.*upgrade"):
        getattr(workspace, part)
    assert [info.key for info in store.list()] == ["mlpipe.json"]


@pytest.mark.parametrize("content", [b"", b"# my notes", b'{"mlpipe":"record/1"}'])
def test_a_folder_that_is_something_else_is_refused(workspace, store, content):
    """A format mark that is none is an error that says what to do, not a new workspace."""
    store.put("mlpipe.json", content)
    with pytest.raises(ConfigurationError, match="choose another folder"):
        workspace.check_format()


def test_the_format_is_looked_at_once():
    """After the first use no request is spent on the format."""

    class Counting(MemoryObjectStore):
        asked = 0

        def get(self, key):
            self.asked += key == "mlpipe.json"
            return super().get(key)

    store = Counting()
    workspace = Workspace(store, contents=None)
    for _ in range(3):
        workspace.records.get(fingerprint())
    assert store.asked == 1


def test_losing_the_race_to_mark_a_new_workspace_is_no_error():
    """Of two that mark a new workspace at once, the second goes on with the first one's mark."""

    class Raced(MemoryObjectStore):
        def create(self, key, data):
            super().create(key, data)
            return super().create(key, data)

    Workspace(Raced(), contents=None).check_format()


def test_the_parts_of_a_fingerprint_are_kept(workspace):
    """A key document comes back as it was put."""
    document = {"params": {"lr": 0.1}, "inputs": {"raw": "sha256:ab"}}
    workspace.keys.put(fingerprint(), document)
    workspace.keys.put(fingerprint(), document)
    assert workspace.keys.get(fingerprint()) == document
    assert workspace.keys.get(fingerprint("other")) is None


def test_a_corrupted_key_document_is_unknown_and_is_repaired(workspace, store):
    """A broken key document costs an explanation until it is written again."""
    store.put(document_key(fingerprint()), b'{"mlpipe":"key/1"}')
    assert workspace.keys.get(fingerprint()) is None
    workspace.keys.put(fingerprint(), {"a": 1})
    assert workspace.keys.get(fingerprint()) == {"a": 1}
    store.put(document_key(fingerprint()), b"broken")
    workspace.keys.put(fingerprint(), {"a": 1})
    assert workspace.keys.get(fingerprint()) == {"a": 1}


def test_putting_a_known_key_document_makes_it_young():
    """A key document that is needed again is not old in the eyes of gc."""
    clock = Clock()
    store = MemoryObjectStore(clock=clock)
    workspace = Workspace(store, contents=None)
    workspace.keys.put(fingerprint(), {"a": 1})
    clock.advance(1000)
    workspace.keys.put(fingerprint(), {"a": 1})
    assert store.head(document_key(fingerprint())).modified == clock.time


def test_a_run_is_remembered(workspace):
    """What a task instance did comes back as it was put, by its ids."""
    done = run()
    workspace.runs.put(done)
    assert workspace.runs.get("digits", "run-1", "train") == done
    assert workspace.runs.get("digits", "run-2", "train") is None
    assert workspace.runs.get("digits", "run-1", "train", 0) is None


def test_a_later_try_takes_the_place_of_an_earlier(workspace):
    """One task instance has one run, that of its latest try."""
    workspace.runs.put(run(decision="failed"))
    workspace.runs.put(run(decision="executed"))
    assert [r.decision for r in workspace.runs.list()] == ["executed"]


@pytest.mark.parametrize(
    ("decision", "counts"), [("executed", True), ("reused", True), ("failed", False), ("running", False)]
)
def test_the_latest_result_of_a_task_is_found_across_runs(workspace, decision, counts):
    """The next miss compares with the latest run that had a result."""
    workspace.runs.put(run("one", "run-1"))
    workspace.runs.put(run("two", "run-2", decision=decision))
    assert workspace.runs.last("digits", "train").step.run_id == ("run-2" if counts else "run-1")
    assert workspace.runs.last("digits", "other") is None


def test_a_run_without_a_fingerprint_is_not_compared_with(workspace):
    """An uncacheable run is remembered and is not what the next miss compares with."""
    from dataclasses import replace

    workspace.runs.put(replace(run(), fingerprint=None))
    assert workspace.runs.get("digits", "run-1", "train") is not None
    assert workspace.runs.last("digits", "train") is None


def test_runs_are_listed_by_any_of_their_ids(workspace):
    """Each combination of ids gives exactly the runs that have them."""
    from dataclasses import replace

    made = [
        replace(run(), step=producer(run_id, dag_id=dag_id, task_id=task_id, map_index=index))
        for dag_id in ("d", "d/x")
        for run_id in ("manual__2026-01-01T00:00:00+00:00", "r")
        for task_id in ("t", "group.t")
        for index in (-1, 3)
    ]
    for one in made:
        workspace.runs.put(one)
    for dag_id in (None, "d", "d/x", "none"):
        for run_id in (None, "r"):
            for task_id in (None, "group.t"):
                wanted = [
                    m.step
                    for m in made
                    if dag_id in (None, m.step.dag_id)
                    and run_id in (None, m.step.run_id)
                    and task_id in (None, m.step.task_id)
                ]
                found = [r.step for r in workspace.runs.list(dag_id, run_id, task_id)]
                assert sorted(found, key=repr) == sorted(wanted, key=repr)


def test_a_corrupted_run_is_left_out(workspace, store):
    """A run that cannot be read is not known, and does not hide the others."""
    workspace.runs.put(run("one", "run-1"))
    workspace.runs.put(run("two", "run-2"))
    store.put(run_key("digits", "run-1", "train", -1), b"broken")
    assert [r.step.run_id for r in workspace.runs.list()] == ["run-2"]
    assert workspace.runs.get("digits", "run-1", "train") is None


def test_the_use_of_a_result_is_noted_by_the_clock_of_the_store():
    """The time of last use is that of the latest touch."""
    clock = Clock()
    usage = Usage(MemoryObjectStore(clock=clock))
    assert usage.last(fingerprint()) is None
    usage.touch(fingerprint())
    clock.advance(5)
    usage.touch(fingerprint())
    assert usage.last(fingerprint()) == clock.time


def test_a_use_that_cannot_be_noted_does_not_fail_the_reuse(caplog):
    """A store that refuses the bookkeeping is logged and no more."""

    class Down(MemoryObjectStore):
        def put(self, key, data):
            raise StoreUnavailableError("it does not answer")

    Usage(Down()).touch(fingerprint())
    assert "does not answer" in caplog.text


def test_a_pin_says_who_and_why(workspace):
    """A pin comes back as it was set, the later one of two."""
    workspace.pins.pin(fingerprint(), "anna", "in production")
    pin = workspace.pins.pin(fingerprint(), "bert", "figure 3")
    assert pin == Pin(fingerprint=fingerprint(), by="bert", why="figure 3")
    assert list(workspace.pins.list()) == [workspace.pins.get(fingerprint())] == [pin]


def test_unpinning_tells_whether_there_was_a_pin(workspace):
    """Unpinning twice is no error."""
    workspace.pins.pin(fingerprint(), "anna")
    assert workspace.pins.unpin(fingerprint())
    assert not workspace.pins.unpin(fingerprint())
    assert workspace.pins.get(fingerprint()) is None


def test_a_corrupted_pin_is_left_out(workspace, store):
    """A pin that cannot be read is not listed."""
    store.put(pin_key(fingerprint()), b'{"mlpipe":"pin/1"}')
    assert list(workspace.pins.list()) == []


def test_two_clients_of_one_folder_share_their_answers(tmp_path):
    """Another process, user or machine that opens the same workspace finds what was recorded."""
    for _ in range(2):
        workspace = Workspace(LocalObjectStore(tmp_path), contents=None)
        workspace.records.publish(record())
    assert Workspace(LocalObjectStore(tmp_path), contents=None).records.get(fingerprint()) == record()
