"""Killing a worker before each of its writes, on the whole journey of a step.

``python -m support.killed SCENARIO FOLDER`` plays a scenario in ``FOLDER/0``, ``FOLDER/1``, ..., each in a process of
its own that gets SIGKILL just before its 1st, 2nd, ... change of the file system (see ``support.crash``), until one
runs to its end.  After each kill the task instance is tried again.  ``FOLDER/points.jsonl`` tells what was found: see
:class:`Point`.

A step runs as Airflow's task runner runs it - ``pre_execute``, then ``execute`` - with a context of plain objects.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.exceptions import DownstreamTasksSkipped, TaskDeferred

from airflow_mlpipe import DataReference, Datastore, Environment, PipelineData, ScriptStep
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.runtime.stores import Host
from airflow_mlpipe.runtime.tidy import tidy
from airflow_mlpipe.store.exporting import manifest_key
from airflow_mlpipe.store.gc import collect, sweep
from airflow_mlpipe.store.layout import LAST, LEASES, RUNS, USAGE
from support.crash import kill_before, put_model

OLD, NEW, UP = "old", "new", "upstream"
RUN = "run-new"
COPY = "notes/note.txt"
POINTS = "points.jsonl"
# What the program says is not part of its fingerprint: so a second execution shows by its bytes.
SCRIPT = """\
import pathlib, sys
raw, up, tree, note = map(pathlib.Path, sys.argv[1:])
says = (tree.parents[3] / "says").read_text()
(tree / "deep" / "empty").mkdir(parents=True)
(tree / "deep" / "file").write_text(says + (up / "file").read_text())
(tree / "file").write_text(raw.read_text())
note.write_text(says)
"""


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one kill left.

    :param killed: ``False`` for the last one, which ran to its end.
    :param seen: which result was recorded, and every byte of it there.
    :param copy: the plain copy that the author asked for, if it was marked as complete.
    :param again: what the next try of the task instance did. :param xcoms: the text of the outputs that it pushed.
    :param wrote: which result was recorded then. :param copied: the plain copy then.
    :param left: after a gc without grace: every object of workspace and datastores.
    :param host: after everything unused was tidied away: the files of the host's cache of blobs, and of its scratch.
    """

    killed: bool
    seen: str | None
    copy: str | None
    again: str
    xcoms: Mapping[str, str] = field(default_factory=dict)
    wrote: str | None
    copied: str | None
    left: list[str]
    host: list[str]


# ---- the step --------------------------------------------------------------------------------------------------------


def prepare(folder: Path, *, script: str = SCRIPT, upstream: str = UP) -> OutputReference:
    """Make a folder a deployment with the step's code and data, and that of this process; the upstream's output."""
    for name in ("code", "lake"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "code" / "main.py").write_text(script)
    (folder / "lake" / "raw.txt").write_text("raw")
    os.environ |= {
        "AIRFLOW__MLPIPE__WORKSPACE": (folder / "workspace").as_uri(),
        "AIRFLOW__MLPIPE__CACHE": str(folder / "cache"),
        "AIRFLOW__MLPIPE__SCRATCH": str(folder / "scratch"),
    }
    return put_model(Stores().workspace, upstream)


def shelf_of(folder: Path) -> Datastore:
    """Where one of the outputs goes."""
    return Datastore("shelf", url=(folder / "shelf").as_uri())


def step_in(folder: Path, upstream: OutputReference) -> ScriptStep:
    """The step: a file of a lake and a folder from upstream in, a folder and a file with a plain copy out."""
    raw = DataReference(Datastore("lake", url=(folder / "lake").as_uri()), "raw.txt", name="raw")
    tree, note = PipelineData("tree"), PipelineData("note", kind="file", datastore=shelf_of(folder), path=COPY)
    with DAG("killed", schedule=None):
        return ScriptStep(
            task_id="step",
            source_directory=str(folder / "code"),
            script_name="main.py",
            inputs={"raw": raw, "up": upstream.to_json()},
            outputs=[tree, note],
            arguments=[{"input": "raw"}, {"input": "up"}, tree, note],
            environment=Environment(requirements=str(lock)) if (lock := folder / "requirements.txt").exists() else None,
            do_xcom_push=False,  # the return value alone needs more of Airflow than there is here
        )


def run(folder: Path, upstream: OutputReference, run_id: str, *, try_number: int = 1, **conf: Any) -> dict[str, Any]:
    """One try of the step; ``decision`` is what became of it, beside what it pushed."""
    step = step_in(folder, upstream)
    pushed: dict[str, Any] = {}
    context: Any = {
        "task": step,
        "dag": step.dag,
        "params": {},
        "dag_run": SimpleNamespace(conf={"mlpipe": conf} if conf else {}),
        "outlet_events": {},
        "ti": SimpleNamespace(
            dag_id="killed",
            task_id="step",
            run_id=run_id,
            map_index=-1,
            try_number=try_number,
            xcom_push=lambda key, value: pushed.update({key: value}),
        ),
    }
    try:
        step.pre_execute(context)
        step.execute(context)
    except DownstreamTasksSkipped:
        return {**pushed, "decision": "reused"}
    except TaskDeferred:
        return {"decision": "waiting"}
    return {**pushed, "decision": "executed"}


# ---- what it left ----------------------------------------------------------------------------------------------------


def recorded() -> str | None:
    """Which result is recorded, with every byte of it there: old, new, or none."""
    stores = Stores()
    records = [r for r in stores.workspace.records.list() if r.producer.task_id == "step"]
    if not records:
        return None
    (record,) = records
    tree, note = record.outputs
    contents = stores.contents(tree.datastore)
    files = {
        path: contents.read_bytes(entry.digest).decode() if entry.kind == "file" else entry.kind
        for path, entry in contents.walk(tree.digest)
    }
    says = stores.contents(note.datastore).read_bytes(note.digest).decode()
    assert files == {
        "deep": "folder",
        "deep/empty": "folder",
        "deep/file": says + UP,
        "file": "raw",
    }, files
    return says


def copy_in(folder: Path) -> str | None:
    """The plain copy, if its manifest says that it is complete."""
    shelf = folder / "shelf"
    return (shelf / COPY).read_text() if (shelf / manifest_key(COPY, is_file=True)).exists() else None


def texts(pushed: Mapping[str, Any]) -> dict[str, str]:
    """The note that a task pushed, and a file of its tree."""
    stores, found = Stores(), {}
    for name in ("tree", "note"):
        reference = OutputReference.from_json(pushed[name])
        contents = stores.contents(reference.datastore)
        digest = reference.digest
        if reference.kind == "folder":
            digest = next(e.digest for path, e in contents.walk(digest) if path == "deep/file")
        found[name] = contents.read_bytes(digest).decode()
    return found


def objects_after_gc(folder: Path) -> list[str]:
    """Every object that a gc without grace leaves, once leases of the dead have run out; not who used what when."""
    for lease in (folder / "workspace" / LEASES).rglob("*"):
        if lease.is_file():
            os.utime(lease, (1_000_000_000, 1_000_000_000))
    stores, shelf, now = Stores(), shelf_of(folder).spelling, timedelta(0)
    places = {
        "datastores": {shelf: stores.contents(shelf).store},
        "copies": {"copies": stores.datastore(shelf_of(folder))},
    }
    sweep(stores.workspace, collect(stores.workspace, grace=now, **places), **places)
    assert collect(stores.workspace, grace=now, **places).objects == ()
    files = [p for name in ("workspace", "shelf") for p in (folder / name).rglob("*") if p.is_file()]
    names = sorted(str(path.relative_to(folder)) for path in files)
    return [name for name in names if not name.startswith(tuple(f"workspace/{x}/" for x in (RUNS, LAST, USAGE)))]


def host_after_tidy(folder: Path) -> list[str]:
    """Every file that a host keeps of what nothing uses any more."""
    tidy(Host(cache=folder / "cache", scratch=folder / "scratch"), 0)
    roots = [folder / "scratch", folder / "cache" / "blobs", folder / "cache" / "checkpoints"]
    return sorted(str(path.relative_to(folder)) for root in roots for path in root.rglob("*") if path.is_file())


# ---- scenarios -------------------------------------------------------------------------------------------------------


def nothing(folder: Path, upstream: OutputReference) -> None:
    """The step has never run."""


def old_result(folder: Path, upstream: OutputReference) -> None:
    """Another run has recorded a result."""
    (folder / "says").write_text(OLD)
    assert run(folder, upstream, "run-old")["decision"] == "executed"
    shutil.rmtree(folder / "cache")  # what follows is on another host


def result_without_copy(folder: Path, upstream: OutputReference) -> None:
    """Somebody removed the plain copy of its output."""
    old_result(folder, upstream)
    shutil.rmtree(folder / "shelf" / "notes")


Before = Callable[[Path, OutputReference], None]
SCENARIOS: dict[str, tuple[Before, dict[str, Any], int]] = {
    "first": (nothing, {}, 1),
    "refresh": (old_result, {"refresh": "all"}, 4),  # most of its changes are those of the first
    "reuse": (result_without_copy, {}, 1),
}
"""What was there before, the conf of the run that is killed, and each how many changes it is killed."""


def in_child(function: Callable[[], object], *, log: Path, change: int | None = None) -> bool:
    """Run something in a process of its own, and wait for it and all that it started; whether it was killed.

    :param change: kill it before this change of the file system.
    """
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    assert threading.active_count() == 1, "a fork copies one thread"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.dup2(out, 1)
            os.dup2(out, 2)
            if change is not None:
                kill_before(change)
            function()
            status = 0
        except BaseException:  # noqa: BLE001  (a forked child must not return, whatever happened)
            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(out)
    _, status = os.waitpid(child, 0)
    while True:  # what outlived it is this process's now, and ends, or the test does not
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    if not os.WIFSIGNALED(status):
        assert status == 0, log.read_text()
    return os.WIFSIGNALED(status)


def play(scenario: str, root: Path) -> None:
    """Play a scenario until one process survives."""
    before, conf, every = SCENARIOS[scenario]
    warm = root / "warm"  # all is imported here, so that a child's first write is the step's
    upstream = prepare(warm)
    old_result(warm, upstream)
    assert run(warm, upstream, RUN)["decision"] == "reused"
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans of the killed come here
    for change in range(0, 2_000, every):
        folder, log = root / str(change), root / f"{change}.log"
        upstream = prepare(folder)
        before(folder, upstream)
        (folder / "says").write_text(NEW)
        killed = in_child(lambda: run(folder, upstream, RUN, **conf), log=log, change=change)  # noqa: B023
        with (root / POINTS).open("a") as points:
            points.write(json.dumps(asdict(look(folder, upstream, killed, conf))) + "\n")
        shutil.rmtree(folder)
        if not killed:
            return
    raise AssertionError("the scenario never ends")


def look(folder: Path, upstream: OutputReference, killed: bool, conf: Mapping[str, Any]) -> Point:
    """See what a kill left, and try again."""
    seen, copy = recorded(), copy_in(folder)
    again = run(folder, upstream, RUN, try_number=2, **conf)
    return Point(
        killed=killed,
        seen=seen,
        copy=copy,
        again=again["decision"],
        xcoms=texts(again),
        wrote=recorded(),
        copied=copy_in(folder),
        left=objects_after_gc(folder),
        host=host_after_tidy(folder),
    )


def worker(folder: Path) -> None:
    """Run the first try of the step in a folder that was prepared; for a process that is killed meanwhile."""
    script = (folder / "code" / "main.py").read_text()
    run(folder, prepare(folder, script=script), RUN)


if __name__ == "__main__":
    play(sys.argv[1], Path(sys.argv[2]))
