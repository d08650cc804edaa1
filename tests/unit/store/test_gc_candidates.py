"""Garbage: what attempts on other machines left and no worker took."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.answers import fingerprint, producer, reference

from airflow_mlpipe.fingerprint.digest import blob_key, digest_bytes
from airflow_mlpipe.model.documents import tag, to_bytes
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.gc import collect, sweep
from airflow_mlpipe.store.layout import candidate_key, failure_key, order_key
from airflow_mlpipe.store.workspace import Workspace
from airflow_mlpipe.testing.memory import Clock, MemoryObjectStore

DAY = 86_400.0


@pytest.fixture
def clock():
    """The store's clock, which only the test moves."""
    return Clock()


@pytest.fixture
def workspace(clock):
    """A workspace with that clock."""
    store = MemoryObjectStore(clock=clock)
    workspace = Workspace(store, Contents(store))
    workspace.check_format()
    return workspace


def put(workspace, content: bytes) -> str:
    """Contents; their digest."""
    digest = digest_bytes(content)
    workspace.store.put(blob_key(digest), content)
    return digest


def offer(workspace, digest: str) -> str:
    """A candidate that refers to them; its key."""
    document = tag("result", 1) | {"outputs": [reference(digest=digest, identity=digest).to_json()]}
    workspace.store.put(candidate_key("a1"), to_bytes(document))
    return candidate_key("a1")


def keys(workspace, **options):
    """Of a plan, by kind."""
    return {(one.kind, one.key) for one in collect(workspace, **options).objects}


def test_what_a_young_candidate_refers_to_is_kept(workspace, clock) -> None:
    """Also when the bytes themselves are old: the worker is about to record them."""
    digest = put(workspace, b"model")
    clock.advance(2 * DAY)
    offer(workspace, digest)
    assert keys(workspace) == set()


def test_an_old_candidate_is_garbage_with_all_that_it_has(workspace, clock) -> None:
    """It goes before its contents; an error beside it, too."""
    digest = put(workspace, b"model")
    key = offer(workspace, digest)
    workspace.store.put(failure_key(key), b"{}")
    clock.advance(2 * DAY)
    plan = collect(workspace)
    assert [one.kind for one in plan.objects] == ["candidate", "candidate", "blob"]
    assert {one.reason for one in plan.objects if one.kind == "candidate"} == {"no worker took it"}
    sweep(workspace, plan)
    assert not list(workspace.store.list("candidates"))


def test_the_code_of_an_attempt_that_is_leased_is_kept(workspace, clock) -> None:
    """However long it waits for its machine."""
    digest, mark = put(workspace, b"code"), fingerprint("step")
    workspace.store.put(order_key(mark, "a1"), to_bytes(tag("job", 1) | {"code": digest}))
    clock.advance(2 * DAY)
    with workspace.leases.acquire(mark, producer("run")):
        assert keys(workspace) == set()
    clock.advance(2 * DAY)
    assert ("blob", blob_key(digest)) in keys(workspace, grace=timedelta(hours=24))
