"""Reuse records: the first complete result wins, whatever races, breaks or lies about the time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from support.answers import fingerprint, record, reference

from airflow_mlpipe.errors import WorkspaceVersionError
from airflow_mlpipe.model.documents import to_bytes
from airflow_mlpipe.store.layout import record_key
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.records import Records
from airflow_mlpipe.testing.memory import Clock, MemoryObjectStore


@pytest.fixture
def store(tmp_path):
    """A real folder."""
    return LocalObjectStore(tmp_path / "workspace")


@pytest.fixture
def records(store):
    """The records in it."""
    return Records(store)


def test_a_published_record_is_found(records):
    """What was published is what a lookup gives."""
    offered = record()
    published = records.publish(offered)
    assert published.won
    assert records.get(offered.fingerprint) == published.record == offered


def test_an_unknown_fingerprint_has_no_record(records):
    """A lookup of what nobody recorded is a miss, not an error."""
    assert records.get(fingerprint("unknown")) is None
    assert records.age(fingerprint("unknown")) is None


def test_the_second_result_gets_the_first(records):
    """Whoever publishes second is handed the first one's record, and nothing changes."""
    first, second = record(run_id="first"), record(run_id="second")
    records.publish(first)
    published = records.publish(second)
    assert not published.won
    assert published.record == records.get(first.fingerprint) == first


def test_different_outputs_mark_the_step_nondeterministic(records):
    """When a second execution gives other bytes, the first outputs stay and the record says so."""
    first = record()
    records.publish(first)
    published = records.publish(record(outputs=(reference("other bytes"),)))
    assert published.record == records.get(first.fingerprint) == replace(first, nondeterministic=True)


def test_bytes_that_differ_in_volatile_parts_only_are_the_same(records):
    """Different digests with one identity do not make a step nondeterministic."""
    first = record(outputs=(reference("run id 1", identity="sha256:same"),))
    records.publish(first)
    assert records.publish(record(outputs=(reference("run id 2", identity="sha256:same"),))).record == first


def test_an_output_that_is_missing_the_second_time_is_a_difference(records):
    """An optional output that only one of two executions wrote makes the step nondeterministic."""
    records.publish(record())
    assert records.publish(record(outputs=())).record.nondeterministic


def test_replace_puts_the_new_result_in_place(records):
    """A refresh with the same outputs replaces the record."""
    records.publish(record(run_id="old"))
    published = records.publish(record(run_id="new"), replace=True)
    assert published.won
    assert records.get(fingerprint()).producer.run_id == "new"
    assert not published.record.nondeterministic


def test_replace_with_other_outputs_says_so(records):
    """A refresh that gives other bytes replaces the record and marks it."""
    records.publish(record())
    records.publish(record(outputs=(reference("other bytes"),)), replace=True)
    stored = records.get(fingerprint())
    assert stored.nondeterministic
    assert stored.outputs == (reference("other bytes"),)


def test_a_forgotten_record_is_a_miss(records):
    """After forget the step executes again; forgetting twice is no error."""
    records.publish(record())
    assert records.forget(fingerprint())
    assert records.get(fingerprint()) is None
    assert not records.forget(fingerprint())


def test_all_records_are_listed(records):
    """The list holds every record once."""
    offered = [record(n) for n in range(40)]
    for one in offered:
        records.publish(one)
    assert sorted(r.fingerprint for r in records.list()) == sorted(r.fingerprint for r in offered)


BROKEN = {
    "empty": b"",
    "cut": to_bytes(record().to_json())[:50],
    "not JSON": b"\xff\x00",
    "another kind": b'{"mlpipe":"pin/1"}',
    "no members": b'{"mlpipe":"record/1"}',
    "a list": b"[]",
    "outputs are text": to_bytes(record().to_json() | {"outputs": "none"}),
    "of another fingerprint": to_bytes(record("other").to_json()),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_corrupted_record_is_a_miss_and_is_repaired(store, records, broken, caplog):
    """A record that cannot be read is set aside, said so, counts as a miss, and the next result takes its place."""
    store.put(record_key(fingerprint()), broken)
    assert records.get(fingerprint()) is None
    assert "quarantine" in caplog.text
    assert store.get(f"quarantine/{record_key(fingerprint())}") == broken
    assert records.publish(record()).won
    assert records.get(fingerprint()) == record()


def test_publishing_over_a_corrupted_record_repairs_it(store, records):
    """A result that finds a broken record in its place wins."""
    store.put(record_key(fingerprint()), b"broken")
    assert records.publish(record()).won
    assert records.get(fingerprint()) == record()


def test_a_record_of_a_newer_version_is_refused(store, records):
    """A record that a newer version wrote is neither read nor replaced."""
    newer = b'{"mlpipe":"record/2"}'
    store.put(record_key(fingerprint()), newer)
    for use in (lambda: records.get(fingerprint()), lambda: records.publish(record()), lambda: list(records.list())):
        with pytest.raises(WorkspaceVersionError, match="record/2"):
            use()
    with pytest.raises(WorkspaceVersionError):
        records.publish(record(), replace=True)
    assert store.get(record_key(fingerprint())) == newer


def test_of_ten_threads_one_wins_and_all_get_its_record(records):
    """Ten threads publish one fingerprint at once: one wins and ten hold the winner's outputs."""
    start = threading.Barrier(10)

    def publish(number):
        start.wait()
        return records.publish(record(run_id=f"run-{number}"))

    with ThreadPoolExecutor(10) as pool:
        published = list(pool.map(publish, range(10)))
    assert sum(p.won for p in published) == 1
    assert {p.record.producer.run_id for p in published} == {records.get(fingerprint()).producer.run_id}


def test_age_is_counted_by_the_clock_of_the_store():
    """The age of a record is the store's time now less the store's time then."""
    clock = Clock()
    records = Records(MemoryObjectStore(clock=clock))
    records.publish(record())
    clock.advance(90)
    assert records.age(fingerprint()) == 90


@pytest.mark.parametrize("wrong_by", [-86_400, 86_400])
def test_a_worker_whose_clock_is_wrong_by_a_day_sees_the_right_age(records, monkeypatch, wrong_by):
    """The age on a real file system does not depend on the clock of the process."""
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + wrong_by)
    records.publish(record())
    assert 0 <= records.age(fingerprint()) < 3_600
