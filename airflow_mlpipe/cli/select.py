"""From what a user types to a result or a step run: fingerprints by their first digits, steps by name, latest first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from airflow_mlpipe.cli.command import CommandLineError
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.records import ReuseRecord, StepRun
from airflow_mlpipe.store import runs
from airflow_mlpipe.store.layout import PINS, RECORDS, run_key, runs_prefix, stem_fingerprint
from airflow_mlpipe.store.reading import read

if TYPE_CHECKING:
    from airflow_mlpipe.store.workspace import Workspace

_DIGITS = re.compile(r"(?:[a-z][a-z0-9]*:)?([0-9a-f]{1,64})\Z")
_SHOWN = 10  # matches that an error lists


class NotRememberedError(MLPipeError):
    """The workspace has no such result."""


class UnknownNameError(NotRememberedError, CommandLineError):
    """A name on the command line is that of nothing that the workspace knows."""


def find_fingerprint(workspace: Workspace, what: Sequence[str], map_index: int = -1) -> str:
    """The fingerprint that ``FINGERPRINT`` or ``DAG TASK [RUN]`` means.

    :raises CommandLineError: for another number of words, or the start of several fingerprints.
    :raises UnknownNameError: when it means none. :raises NotRememberedError: when the step has none.
    :raises WorkspaceVersionError: when a newer version wrote it.
    """
    if len(what) == 1:
        return find_by_digits(workspace, what[0])
    if len(what) > 3:
        raise CommandLineError(
            "too many words", where="command line", given=list(what), valid="FINGERPRINT | DAG TASK [RUN]"
        )
    run = find_run(workspace, what[0], what[1], what[2] if len(what) == 3 else None, map_index)
    if run.fingerprint is None:
        raise NotRememberedError("the step is uncacheable and has no result to reuse", where=str(run.step))
    return run.fingerprint


def find_by_digits(workspace: Workspace, text: str) -> str:
    """The one fingerprint, of a result or a pin, that starts so.

    :raises CommandLineError: when several do. :raises UnknownNameError: when none does.
    """
    found = starting_with(workspace, text)
    if len(found) > 1:
        shown = [*found[:_SHOWN], f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else found
        raise CommandLineError(
            f"{len(found)} fingerprints start so", where="command line", given=text, valid=shown, fix="give more digits"
        )
    if not found:
        raise UnknownNameError(
            "no result has this fingerprint",
            where=workspace.url,
            given=text,
            valid="a fingerprint or its first digits, or DAG TASK [RUN]",
            fix="see airflow mlpipe ls",
        )
    return found[0]


def starting_with(workspace: Workspace, text: str) -> list[str]:
    """Fingerprints of results and pins that start so, sorted; none for a text that is no start of one."""
    match = _DIGITS.match(text)
    if match is None:
        return []
    digits = match[1]
    workspace.check_format()
    found = set()
    for folder in (RECORDS, PINS):
        # Two digits are a folder's name, so that is all that must be listed.
        for info in workspace.store.list(f"{folder}/{digits[:2]}" if len(digits) >= 2 else folder):
            fingerprint = stem_fingerprint(info.key.rpartition("/")[2].removesuffix(".json"))
            if fingerprint and fingerprint.rpartition(":")[2].startswith(digits):
                found.add(fingerprint)
    return sorted(found)


def find_run(workspace: Workspace, dag_id: str, task_id: str, run_id: str | None, map_index: int = -1) -> StepRun:
    """What a task instance did; without ``run_id`` the latest of the task.

    :raises UnknownNameError: when the workspace knows of none; names what it knows.
    """
    if run_id is not None:
        found = workspace.runs.get(dag_id, run_id, task_id, map_index)
    else:
        found = _latest(workspace, dag_id, task_id, map_index)
    if found is not None:
        return found
    raise _unknown_run(workspace, dag_id, task_id, run_id, map_index)


def _unknown_run(
    workspace: Workspace, dag_id: str, task_id: str, run_id: str | None, map_index: int
) -> UnknownNameError:
    """What is wrong with the name of a step run: the first of DAG, run, task and index that nothing is known of."""
    name = task_id if map_index < 0 else f"{task_id}[{map_index}]"
    given = "/".join(part for part in (dag_id, run_id, name) if part)
    known = _known(workspace, dag_id, run_id)
    valid: Iterable[str] | str | None = [n if i < 0 else f"{n} --map-index {i}" for n, i in known][: 2 * _SHOWN]
    fix = None
    if not known and run_id is not None and (ids := _run_ids(workspace, dag_id)):
        what, valid = "this run is not remembered", ids
    elif not known:
        what, valid, fix = "no run of this DAG is remembered", None, "check the DAG's id; see airflow mlpipe ls"
    elif map_index < 0 and (indexes := [i for n, i in known if n == task_id and i >= 0]):
        what, valid = "the step is mapped, and has a result for each index", f"--map-index {_numbers(indexes)}"
    elif run_id is not None:
        what = "this run of the step is not remembered"
    else:
        what = "no run of this step is remembered"
    return UnknownNameError(what, where=workspace.url, given=given, valid=valid, fix=fix)


def _numbers(indexes: Sequence[int]) -> str:
    """``0, 1, 3``, or ``0 to 99`` of many."""
    if len(indexes) > _SHOWN:
        return f"{indexes[0]} to {indexes[-1]}"
    return ", ".join(map(str, indexes))


def _latest(workspace: Workspace, dag_id: str, task_id: str, map_index: int) -> StepRun | None:
    workspace.check_format()
    ending = "/" + "/".join(run_key(dag_id, "any", task_id, map_index).split("/")[-2:])
    found = [info for info in workspace.store.list(runs_prefix(dag_id, None, None)) if info.key.endswith(ending)]
    for info in sorted(found, key=lambda one: one.modified, reverse=True):
        if (run := read(workspace.store, info.key, runs.decode)) is not None:
            return run
    return workspace.runs.last(dag_id, task_id, map_index)


def _known(workspace: Workspace, dag_id: str, run_id: str | None) -> list[tuple[str, int]]:
    """Task and map index of every step that is remembered of a DAG, or of one run of it."""
    names = set()
    for info in workspace.store.list(runs_prefix(dag_id, run_id, None)):
        task, index = info.key.split("/")[-2:]
        names.add((unquote(task), int(index.removesuffix(".json"))))
    return sorted(names)


def _run_ids(workspace: Workspace, dag_id: str) -> list[str]:
    """The latest runs of a DAG, the newest first."""
    newest: dict[str, float] = {}
    for info in workspace.store.list(runs_prefix(dag_id, None, None)):
        run_id = unquote(info.key.split("/")[-3])
        newest[run_id] = max(info.modified, newest.get(run_id, info.modified))
    return sorted(newest, key=lambda r: newest[r], reverse=True)[:_SHOWN]


def get_record(workspace: Workspace, fingerprint: str) -> ReuseRecord:
    """A record that must be there.  :raises NotRememberedError: when it is not."""
    record = workspace.records.get(fingerprint)
    if record is None:
        raise NotRememberedError(
            "no result is recorded for this fingerprint",
            where=workspace.url,
            given=fingerprint,
            fix="it was forgotten, or its step failed or never recorded one; see airflow mlpipe why",
        )
    return record


def produced_by(
    records: Iterable[ReuseRecord], dag_id: str | None = None, task_id: str | None = None
) -> list[ReuseRecord]:
    """Those that a DAG, or a task, produced; the newest first."""
    found = [r for r in records if dag_id in (None, r.producer.dag_id) and task_id in (None, r.producer.task_id)]
    return sorted(found, key=lambda r: (-r.started, r.fingerprint))
