"""Watching data: every change is told, several at once are one; whoever begins anew neither loses nor repeats one."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe import DataReference, Datastore, changes
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.triggers.data import DataChangeTrigger
from airflow_mlpipe.triggers.watching import DataWatch

SECONDS = 120.0
POLL = 0.1


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A datastore with one file in ``in``, and a new workspace."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", (tmp_path / "workspace").as_uri())
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "lake"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "a.csv").write_text("a")
    return folder


def trigger_of(lake: Path, path: str = "in/*.csv", window: float = 0.0) -> DataChangeTrigger:
    """A trigger on the files of the datastore."""
    return DataChangeTrigger(f"lake={lake.as_uri()}", path, "auto", window, POLL)


def noted(trigger: DataChangeTrigger) -> str | None:
    """The digest that is noted of a watch."""
    seen = Stores().workspace.watches.get(trigger.members)
    return seen.identity.digest if seen is not None else None


async def until(ready: Callable[[], bool]) -> None:
    """Poll until something is so."""

    async def polling() -> None:
        while not ready():  # noqa: ASYNC110 - what is waited for happens in another thread, or on disk
            await asyncio.sleep(0.01)

    await asyncio.wait_for(polling(), SECONDS)


class Counting(DataWatch):
    """A watch that counts its looks."""

    looks = 0

    def _look(self) -> Any:
        try:
            return super()._look()
        finally:
            self.looks += 1


class Watching:
    """A watch that has looked once, in one process's life."""

    def __init__(self, trigger: DataChangeTrigger) -> None:
        self.trigger = trigger
        self.watch = Counting(trigger)
        self._stream = self.watch.open_stream()

    async def looked(self) -> None:
        """Two looks more: one at least began after this was called."""
        wanted = self.watch.looks + 2
        await until(lambda: self.watch.looks >= wanted)

    async def change(self, make: Callable[[], object] = lambda: None) -> tuple[dict[str, Any], Any]:
        """The next change that is told, after the first look and what is made then."""
        waiting = asyncio.ensure_future(anext(self._stream))
        await until(lambda: noted(self.trigger) is not None or waiting.done())
        make()
        return await asyncio.wait_for(waiting, SECONDS)


def run(body: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine."""
    asyncio.run(body())  # type: ignore[arg-type]


def write(*paths: Path) -> None:
    """Write files with texts that were not there before."""
    for path in paths:
        path.write_text(f"{path.name} {next(_numbers)}")


_numbers = itertools.count()


def test_a_change_is_told_with_what_changed(lake: Path) -> None:
    """Names of what was added, changed and removed; what was there at first is no change."""

    async def body() -> None:
        folder = lake / "in"
        write(folder / "old.csv")
        first = Watching(trigger_of(lake, window=0.5))
        change, _ = await first.change(
            lambda: (write(folder / "a.csv", folder / "b.csv", folder / "other.txt"), (folder / "old.csv").unlink())
        )
        assert (change["added"], change["changed"], change["removed"]) == (["b.csv"], ["a.csv"], ["old.csv"])
        assert (change["files"], change["path"]) == (2, "in/*.csv")

    run(body)


def test_changes_within_the_window_are_told_once(lake: Path) -> None:
    """The window begins with the first one; what is there at its end is told."""

    async def body() -> None:
        watching = Watching(trigger_of(lake, window=1.5))

        async def more() -> None:
            write(lake / "in" / "b.csv")
            await watching.looked()  # another look, within the window
            write(lake / "in" / "c.csv")

        change, seen = await watching.change(lambda: asyncio.ensure_future(more()))
        assert change["added"] == ["b.csv", "c.csv"]
        await watching.watch.note(seen)
        later, _ = await watching.change(lambda: write(lake / "in" / "d.csv"))
        assert (later["added"], later["previous"]) == (["d.csv"], change["digest"])

    run(body)


def test_a_change_that_was_noted_is_not_told_again(lake: Path) -> None:
    """Whoever begins anew tells the next one only."""

    async def body() -> None:
        trigger = trigger_of(lake)
        first = Watching(trigger)
        change, seen = await first.change(lambda: write(lake / "in" / "b.csv"))
        await first.watch.note(seen)
        again = Watching(trigger)
        later, _ = await again.change(lambda: write(lake / "in" / "c.csv"))
        assert (later["added"], later["previous"]) == (["c.csv"], change["digest"])

    run(body)


def test_a_change_that_was_not_noted_is_told_again(lake: Path) -> None:
    """Who told it died before Airflow had it: it is not lost."""

    async def body() -> None:
        trigger = trigger_of(lake)
        change, _ = await Watching(trigger).change(lambda: write(lake / "in" / "b.csv"))
        again, _ = await Watching(trigger).change()
        assert again == change

    run(body)


def test_a_change_while_nobody_watches_is_told(lake: Path) -> None:
    """A paused DAG has no watcher; the first look afterwards compares with what was noted before."""

    async def body() -> None:
        trigger = trigger_of(lake)
        first = Watching(trigger)
        _, seen = await first.change(lambda: write(lake / "in" / "b.csv"))
        await first.watch.note(seen)
        write(lake / "in" / "c.csv")
        change, _ = await Watching(trigger).change()
        assert change["added"] == ["c.csv"]

    run(body)


def test_that_data_are_gone_is_not_told_and_that_they_are_there_is(lake: Path) -> None:
    """A run would find nothing; a file that was awaited is a change."""

    async def body() -> None:
        shutil.rmtree(lake / "in")
        watching = Watching(trigger_of(lake, path="in/"))
        change, seen = await watching.change(lambda: ((lake / "in").mkdir(), write(lake / "in" / "b.csv")))
        assert (change["files"], change["previous"]) == (1, "absent:")
        await watching.watch.note(seen)
        kept = (lake / "in" / "b.csv").read_text()

        async def gone_and_back() -> None:
            shutil.rmtree(lake / "in")
            await watching.looked()  # a look that finds nothing
            (lake / "in").mkdir()
            (lake / "in" / "b.csv").write_text(kept)
            await watching.looked()  # a look that finds what was told
            write(lake / "in" / "c.csv")

        later, _ = await watching.change(lambda: asyncio.ensure_future(gone_and_back()))
        assert (later["added"], later["removed"]) == (["c.csv"], [])

    run(body)


def test_a_datastore_that_cannot_be_opened_is_tried_again(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch goes on; a connection that is there later is found."""

    async def body() -> None:
        trigger = DataChangeTrigger("nowhere", "in/*.csv", "auto", 0.0, POLL)
        watching = Watching(trigger)

        async def appear() -> None:
            await watching.looked()  # looks that fail
            monkeypatch.setenv("AIRFLOW__MLPIPE__DATASTORES", f'{{"nowhere": {{"url": "{lake.as_uri()}"}}}}')
            await until(lambda: noted(trigger) is not None)
            write(lake / "in" / "b.csv")

        appearing = asyncio.ensure_future(appear())
        change, _ = await asyncio.wait_for(anext(watching._stream), SECONDS)
        await appearing
        assert change["added"] == ["b.csv"]

    run(body)


def test_airflow_confirms_before_a_change_is_noted(lake: Path) -> None:
    """In Airflow's own manager of streams: told, stored, confirmed, noted; and one stream for equal triggers."""
    from airflow.triggers.shared_stream import SharedStreamManager

    async def body() -> None:
        manager: Any = SharedStreamManager()
        trigger = trigger_of(lake)
        key = trigger.shared_stream_key()
        assert key == trigger_of(lake).shared_stream_key()
        events = trigger.filter_shared_stream(manager.subscribe(trigger_id=1, trigger=trigger, key=key))
        waiting = asyncio.ensure_future(anext(events))
        await until(lambda: noted(trigger) is not None)
        before = noted(trigger)
        write(lake / "in" / "b.csv")
        event = await asyncio.wait_for(waiting, SECONDS)
        number = manager.bind_pending_event(trigger_id=1, key=key)
        following = asyncio.ensure_future(anext(events))  # the triggerer asks for the next one at once
        for _ in range(20):
            await asyncio.sleep(0)
        assert noted(trigger) == before
        manager.confirm_persisted([number])
        await until(lambda: noted(trigger) == event.payload["digest"])
        following.cancel()
        await manager.unsubscribe(1, key)

    run(body)


def test_a_trigger_is_the_same_after_airflows_database(lake: Path) -> None:
    """Airflow knows two triggers as one by their arguments, also those that it reads back."""
    from airflow.models.trigger import Trigger
    from airflow.serialization.encoders import encode_trigger
    from airflow.triggers.base import BaseEventTrigger

    trigger = trigger_of(lake)
    encoded = encode_trigger(trigger)
    stored = Trigger(classpath=encoded["classpath"], kwargs=encoded["kwargs"])
    assert BaseEventTrigger.hash(stored.classpath, stored.kwargs) == BaseEventTrigger.hash(**encoded)
    assert DataChangeTrigger(**stored.kwargs).members == trigger.members


def test_a_dag_is_scheduled_by_changes_in_a_line() -> None:
    """An asset with a watcher; ways of watching that differ are assets that differ, and names say how."""
    data = DataReference(Datastore("lake"), "in/*.csv")
    usual, quick = changes(data), changes(data, window=5, poll=2)
    assert (usual.name, quick.name) == ("lake/in/*.csv", "lake/in/*.csv (window 5 s, poll 2 s)")
    assert usual.uri == "x-mlpipe://lake/in/%2A.csv"
    assert changes(DataReference(Datastore("x", url="s3://b/p/"), "é/")).uri == "x-mlpipe://s3://b/p/%C3%A9/"


@pytest.mark.parametrize(
    ("data", "arguments", "said"),
    [
        ("raw", {}, "watched of a DataReference"),
        (DataReference(Datastore("lake"), "x", version="1"), {}, "do not change"),
        (DataReference(Datastore("lake"), "{{ ds }}/x"), {}, "known in a run only"),
        (DataReference(Datastore("lake"), "x"), {"window": -1}, "window is a time"),
        (DataReference(Datastore("lake"), "x"), {"poll": 0}, "poll is a time"),
        (DataReference(Datastore("lake"), "x"), {"window": "1m"}, "a number of seconds"),
    ],
)
def test_what_cannot_be_watched_is_refused_at_parse(data: Any, arguments: dict[str, Any], said: str) -> None:
    """Also a path that only a run knows."""
    with pytest.raises(DefinitionError, match=said):
        changes(data, **arguments)


def test_objects_are_not_read_to_see_a_change(lake: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing tells: no answer of the store is as long as one of the objects, at the first look and afterwards."""
    from support.flaky import FlakyNetwork

    from airflow_mlpipe.store.config import StoreConfig
    from airflow_mlpipe.store.open import open_store

    size, longest = 2_000_000, 200_000
    url = f"s3://{s3.new_bucket()}/root"
    store = open_store(StoreConfig(url=url, options=s3.options))
    store.put("raw/a.bin", b"a" * size)
    with FlakyNetwork(s3.endpoint) as network:
        extra = {"url": url, "endpoint_url": network.endpoint, "region": "us-east-1"}
        connection = {"conn_type": "mlpipe_datastore", "login": "testing", "password": "testing", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_FAR", json.dumps(connection))
        network.cut_after = longest

        async def body() -> None:
            watching = Watching(DataChangeTrigger("far", "raw/", "auto", 0.0, POLL))
            change, _ = await watching.change(lambda: store.put("raw/b.bin", b"b" * size))
            assert (change["added"], change["files"], change["size"]) == (["b.bin"], 2, 2 * size)

        run(body)
        assert network.cut_after == longest
