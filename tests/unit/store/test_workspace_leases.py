"""Leases: one holder at a time, by the store's clock, and nobody waits for the dead."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.answers import fingerprint, producer

from airflow_mlpipe.errors import StoreUnavailableError, WorkspaceVersionError
from airflow_mlpipe.store import leases as leases_module
from airflow_mlpipe.store.heartbeat import Lease
from airflow_mlpipe.store.layout import lease_folder
from airflow_mlpipe.store.leases import Busy, Leases
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.testing.memory import Clock, MemoryObjectStore

MARK = fingerprint()
ANNA, BERT = producer("anna"), producer("bert")


@pytest.fixture
def clock():
    """The store's clock, which only the test moves."""
    return Clock()


@pytest.fixture
def store(clock):
    """A store with that clock."""
    return MemoryObjectStore(clock=clock)


@pytest.fixture
def leases(store):
    """Leases that run out after a minute."""
    return Leases(store, lease_seconds=60)


def keys(store):
    """The objects that hold the fingerprint."""
    return sorted(info.key.removeprefix(f"{lease_folder(MARK)}/") for info in store.list(lease_folder(MARK)))


def test_a_free_fingerprint_is_leased(leases):
    """Who asks first holds the lease."""
    lease = leases.acquire(MARK, ANNA)
    assert isinstance(lease, Lease)
    assert lease.effective
    assert lease.owner == ANNA


def test_a_leased_fingerprint_is_busy_and_says_whom_it_waits_for(leases, clock):
    """Who asks second learns who holds it, since when, and when that runs out."""
    since = clock.time
    leases.acquire(MARK, ANNA)
    clock.advance(20)
    assert leases.acquire(MARK, BERT) == leases.peek(MARK) == Busy(owner=ANNA, since=since, expires_in=40)


def test_another_fingerprint_is_free(leases):
    """A lease holds one fingerprint, not the workspace."""
    leases.acquire(MARK, ANNA)
    assert isinstance(leases.acquire(fingerprint("other"), BERT), Lease)


def test_nobody_executes_what_was_never_leased(leases):
    """Peeking at a free fingerprint says that nobody holds it."""
    assert leases.peek(MARK) is None


def test_release_frees_it_and_leaves_nothing(leases, store):
    """A released lease can be taken at once, and no object of it is left."""
    lease = leases.acquire(MARK, ANNA)
    assert lease.beat()
    lease.release()
    assert keys(store) == []
    assert leases.peek(MARK) is None
    assert isinstance(leases.acquire(MARK, BERT), Lease)


def test_releasing_twice_does_not_free_the_next_holder(leases):
    """A release counts once: it cannot end the lease of whoever came after."""
    lease = leases.acquire(MARK, ANNA)
    lease.release()
    leases.acquire(MARK, BERT)
    lease.release()
    assert leases.peek(MARK).owner == BERT


def test_a_dead_holder_is_taken_over(leases, clock, store):
    """A lease that was not renewed in time goes to the next who asks, and only the new one is left."""
    leases.acquire(MARK, ANNA)
    clock.advance(61)
    assert leases.peek(MARK) is None
    assert isinstance(leases.acquire(MARK, BERT), Lease)
    assert leases.peek(MARK).owner == BERT
    assert keys(store) == ["2"]


def test_a_heartbeat_keeps_it(leases, clock):
    """A lease that is renewed does not run out."""
    lease = leases.acquire(MARK, ANNA)
    for _ in range(10):
        clock.advance(50)
        assert lease.beat()
    assert leases.acquire(MARK, BERT).expires_in == 60


def test_a_holder_that_was_taken_over_knows_and_cannot_release_the_new_one(leases, clock):
    """A holder that slept too long sees that the lease is lost, and leaves the new holder's alone."""
    lease = leases.acquire(MARK, ANNA)
    clock.advance(61)
    leases.acquire(MARK, BERT)
    assert not lease.beat()
    assert lease.lost
    lease.release()
    assert leases.peek(MARK).owner == BERT


def test_the_next_try_of_the_same_task_instance_takes_its_own_lease_over(leases):
    """A retry does not wait for the lease of its own dead try."""
    leases.acquire(MARK, producer("anna", try_number=1))
    assert isinstance(leases.acquire(MARK, producer("anna", try_number=2)), Lease)
    assert leases.peek(MARK).owner.try_number == 2


@pytest.mark.parametrize(
    "other", [producer("anna", map_index=3), producer("anna", task_id="t2"), producer("anna", dag_id="d2")]
)
def test_another_task_instance_of_the_same_run_waits(leases, other):
    """Only the very same task instance may take a living lease over."""
    leases.acquire(MARK, producer("anna"))
    assert isinstance(leases.acquire(MARK, other), Busy)


def test_each_lease_runs_out_after_the_time_that_its_holder_promised(store, clock):
    """Two workers with different settings agree about a lease."""
    Leases(store, lease_seconds=600).acquire(MARK, ANNA)
    clock.advance(500)
    assert Leases(store, lease_seconds=5).acquire(MARK, BERT).expires_in == 100


@pytest.mark.parametrize(
    "left", [["1"], ["1", "1.beat"], ["1", "2"], ["1", "1.beat", "2", "2.beat"], ["1.beat"], ["2"]]
)
def test_whatever_a_killed_process_leaves_is_taken_over(leases, store, clock, left):
    """From any set of objects that a kill can leave, the next who asks gets the lease once it has run out."""
    leases.acquire(fingerprint("template"), ANNA)
    document = store.get(f"{lease_folder(fingerprint('template'))}/1")
    for name in left:
        store.put(f"{lease_folder(MARK)}/{name}", b"" if name.endswith(".beat") else document)
    clock.advance(61)
    assert isinstance(leases.acquire(MARK, BERT), Lease)
    assert leases.peek(MARK).owner == BERT
    assert len([key for key in keys(store) if not key.endswith(".beat")]) == 1


@pytest.mark.parametrize(
    "broken", [b"", b"{}", b'{"mlpipe":"lease/1"}', b'{"mlpipe":"lease/1","owner":{},"seconds":60}']
)
def test_a_corrupted_lease_holds_nobody_up(leases, store, broken):
    """A lease that cannot be read counts as run out."""
    store.put(f"{lease_folder(MARK)}/1", broken)
    assert leases.peek(MARK) is None
    assert isinstance(leases.acquire(MARK, BERT), Lease)


def test_a_lease_of_a_newer_version_is_refused(leases, store):
    """A lease that a newer version wrote is not taken over."""
    store.put(f"{lease_folder(MARK)}/1", b'{"mlpipe":"lease/2"}')
    with pytest.raises(WorkspaceVersionError):
        leases.acquire(MARK, BERT)


class Interrupted(MemoryObjectStore):
    """A store in which something happens just before the next create: what a slow caller does not see."""

    meanwhile = None

    def create(self, key, data):
        """Let it happen, then create."""
        happen, self.meanwhile = self.meanwhile, None
        if happen:
            happen()
        return super().create(key, data)


def test_a_slow_caller_does_not_take_a_number_that_others_have_left_behind(clock):
    """Who decided to create number 1 before others took it, lost it and hold number 2, does not hold it."""
    store = Interrupted(clock=clock)
    leases = Leases(store, lease_seconds=60)

    def take_over_twice():
        leases.acquire(MARK, ANNA)
        clock.advance(61)
        leases.acquire(MARK, producer("carl"))

    store.meanwhile = take_over_twice
    assert leases.acquire(MARK, BERT).owner == producer("carl")


def test_a_slow_caller_does_not_take_over_from_a_new_holder(clock):
    """Who saw a lease that had run out, while it was released and taken anew, waits for the new holder."""
    store = Interrupted(clock=clock)
    leases = Leases(store, lease_seconds=60)
    old = leases.acquire(MARK, ANNA)
    clock.advance(61)

    def start_anew():
        old.release()
        leases.acquire(MARK, producer("carl"))

    store.meanwhile = start_anew
    assert leases.acquire(MARK, BERT).owner == producer("carl")
    assert keys(store) == ["1"]


def test_a_holder_that_comes_back_to_life_keeps_it(clock):
    """Who saw a lease that had run out, and was renewed a moment later, waits."""
    store = Interrupted(clock=clock)
    leases = Leases(store, lease_seconds=60)
    old = leases.acquire(MARK, ANNA)
    clock.advance(61)
    store.meanwhile = old.beat
    assert leases.acquire(MARK, BERT).owner == ANNA
    assert old.beat()


def test_a_store_without_exclusive_create_has_no_leases_and_says_so_once(caplog, monkeypatch):
    """Where two could hold a lease nobody waits, and one warning is logged per process."""
    monkeypatch.setattr(leases_module, "_warned", set())
    store = MemoryObjectStore(exclusive=False)
    leases = Leases(store)
    with caplog.at_level(logging.WARNING), leases.acquire(MARK, ANNA) as one, leases.acquire(MARK, BERT) as other:
        assert not one.effective
        assert not other.effective
    assert len(caplog.records) == 1
    assert list(store.list()) == []


def wait_for(condition):
    """Poll until a condition holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it never happened"
        threading.Event().wait(0.005)


def test_the_thread_renews_the_lease_until_it_is_released(tmp_path):
    """Inside the with block the heartbeat is renewed without help; after it nothing is left."""
    store = LocalObjectStore(tmp_path)
    leases = Leases(store, lease_seconds=0.3)
    beat = f"{lease_folder(MARK)}/1.beat"
    with leases.acquire(MARK, ANNA) as lease:
        wait_for(lambda: store.head(beat))
        first = store.head(beat).modified
        wait_for(lambda: store.head(beat).modified > first)
        assert not lease.lost
    assert keys(store) == []


def test_a_heartbeat_that_fails_is_logged_and_does_not_end_the_step(caplog):
    """A store that does not answer costs a warning; the next heartbeat counts again."""

    class Flaky(MemoryObjectStore):
        down = False

        def put(self, key, data):
            if self.down:
                raise StoreUnavailableError("it does not answer")
            super().put(key, data)

    store = Flaky()
    lease = Leases(store).acquire(MARK, ANNA)
    store.down = True
    assert not lease.beat()
    assert "does not answer" in caplog.text
    assert not lease.lost
    store.down = False
    assert lease.beat()


def race(count, function):
    """Call ``function(number)`` from so many threads at once."""
    start = threading.Barrier(count)

    def call(number):
        start.wait()
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


@pytest.mark.parametrize("expired", [False, True])
def test_of_ten_threads_one_gets_the_lease(tmp_path, expired):
    """Ten threads ask at once, for a free lease or for one that has run out: one holds it, nine wait for that one."""
    store = LocalObjectStore(tmp_path)
    if expired:
        Leases(store, lease_seconds=-1).acquire(MARK, producer("dead"))
    answers = race(10, lambda n: Leases(store).acquire(MARK, producer(f"run-{n}")))
    holders = [answer.owner for answer in answers if isinstance(answer, Lease)]
    assert len(holders) == 1
    assert Leases(store).peek(MARK).owner == holders[0]


@pytest.mark.parametrize("wrong_by", [-86_400, 86_400])
def test_a_worker_whose_clock_is_wrong_by_a_day_waits_like_any_other(tmp_path, monkeypatch, wrong_by):
    """Whether a lease has run out does not depend on the clock of the process that asks."""
    leases = Leases(LocalObjectStore(tmp_path), lease_seconds=3_600)
    leases.acquire(MARK, ANNA)
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + wrong_by)
    busy = leases.acquire(MARK, BERT)
    assert isinstance(busy, Busy)
    assert 0 < busy.expires_in <= 3_600


def test_a_lease_that_was_left_is_kept_alive_by_others(leases, clock):
    """Leaving releases nothing; who renews it for its owner keeps it, nobody else can, and without it runs out."""
    lease = leases.acquire(MARK, ANNA)
    with lease:
        lease.leave()
    clock.advance(50)
    assert not leases.renew(MARK, BERT)
    assert leases.renew(MARK, ANNA)
    clock.advance(50)
    assert isinstance(leases.acquire(MARK, BERT), Busy)
    assert isinstance(leases.acquire(MARK, ANNA), Lease), "the owner takes its own lease up again"
    clock.advance(100)
    assert isinstance(leases.acquire(MARK, BERT), Lease)
    assert not leases.renew(MARK, ANNA)
