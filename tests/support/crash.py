"""Killing a writer of a workspace before each of its writes.

``python -m support.crash SCENARIO FOLDER`` plays a scenario in ``FOLDER/0``, ``FOLDER/1``, ..., each in a process of
its own that gets SIGKILL just before its 1st, 2nd, ... change of the file system, until one runs to its end.  Every
open for writing, link, rename, remove, mkdir, rmdir and utime of the interpreter is such a point, wherever it happens.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.gc import collect, sweep
from airflow_mlpipe.store.layout import record_key
from airflow_mlpipe.store.leases import Lease
from airflow_mlpipe.store.local import LocalObjectStore
from airflow_mlpipe.store.workspace import Workspace
from support.answers import fingerprint, producer, record, reference, run

_CHANGES = {"os.link", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.utime", "os.truncate"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
OLD, NEW = "old", "new"


def open_workspace(folder: Path) -> Workspace:
    """The workspace in a folder.

    Its leases run out at once, as that of a dead process does after a while.  One thread writes, so that the points at
    which it is killed are the same each time.
    """
    store = LocalObjectStore(folder)
    return Workspace(store, Contents(store, threads=1), lease_seconds=-1.0)


@functools.cache
def output_of(content: str) -> Path:
    """What a step wrote: a folder with a file, a folder below it with another, and an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="mlpipe-output-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "sub").mkdir()
    (folder / "empty").mkdir()
    (folder / "file").write_text(content)
    (folder / "sub" / "file").write_text(f"{content}!")
    return folder


def put_model(workspace: Workspace, content: str) -> OutputReference:
    """Publish what a step wrote."""
    found = LocalIndex(None).identify(output_of(content))
    workspace.contents.publish(output_of(content), found)
    return reference(name="model", kind="folder", digest=found.digest, identity=found.digest)


def execute(workspace: Workspace, content: str, run_id: str, *, replace: bool = False) -> None:
    """What a step writes from its decision to its end, in the order of a step."""
    mark = fingerprint("step")
    lease = workspace.leases.acquire(mark, producer(run_id))
    assert isinstance(lease, Lease)
    assert lease.beat()
    workspace.runs.put(run("step", run_id, decision="running"))
    offered = record("step", outputs=(put_model(workspace, content),), run_id=run_id)
    workspace.keys.put(mark, {"content": content})
    published = workspace.records.publish(offered, replace=replace)
    workspace.runs.put(run("step", run_id, outputs=published.record.outputs))
    workspace.usage.touch(mark)
    lease.release()


def nothing(workspace: Workspace) -> None:
    """A folder that is not there yet."""


def old_result(workspace: Workspace) -> None:
    """An earlier result."""
    execute(workspace, OLD, "run-old")


def broken_record(workspace: Workspace) -> None:
    """A record that somebody cut off."""
    old_result(workspace)
    workspace.store.put(record_key(fingerprint("step")), b"{")


def dead_holder(workspace: Workspace) -> None:
    """A lease that has run out, and one that was superseded and not removed."""
    lease = workspace.leases.acquire(fingerprint("step"), producer("dead"))
    assert isinstance(lease, Lease)
    assert lease.beat()


def publish(workspace: Workspace) -> None:
    """A step executes and records its result."""
    execute(workspace, NEW, "run-new")


def refresh(workspace: Workspace) -> None:
    """A step executes again and replaces the recorded result."""
    execute(workspace, NEW, "run-new", replace=True)


def forget_and_sweep(workspace: Workspace) -> None:
    """A result is not used any more, and gc removes all of it."""
    plan = collect(workspace, grace=timedelta(0), unused_for=timedelta(microseconds=1))
    sweep(workspace, plan)


SCENARIOS: dict[str, tuple[Callable[[Workspace], None], Callable[[Workspace], None]]] = {
    "publish": (nothing, publish),
    "refresh": (old_result, refresh),
    "heal": (broken_record, publish),
    "take over": (dead_holder, publish),
    "sweep": (old_result, forget_and_sweep),
}
"""What is there before, and what is killed."""


def kill_before(change: int) -> None:
    """End this process with SIGKILL just before it changes the file system for the so-many-th time, counted from 0."""
    left = change

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
        if not writes and event not in _CHANGES:
            return
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    sys.addaudithook(count)


def play(scenario: str, folder: Path) -> int:
    """Play a scenario until one process survives; how many were killed."""
    before, killed = SCENARIOS[scenario]
    for content in (OLD, NEW):
        output_of(content)  # not in a child, which would count these writes
    for change in range(2_000):
        workspace = folder / str(change)
        before(open_workspace(workspace))
        child = os.fork()
        if child == 0:
            kill_before(change)
            killed(open_workspace(workspace))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert status == 0, f"the scenario itself failed at {change}"
            return change
    raise AssertionError("the scenario never ends")


if __name__ == "__main__":
    play(sys.argv[1], Path(sys.argv[2]))
