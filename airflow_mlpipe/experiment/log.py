"""From a task's log, as the REST API sends it, to the few lines that say why the task failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_mlpipe.experiment.text import printable

_GROUP, _END = "::group::", "::endgroup::"
_AIRFLOWS = frozenset({f"{_GROUP}Log message source details", f"{_GROUP}Pre Execute"})
"""Groups in which Airflow says where the log is, and how it loaded the DAG."""
_SERIOUS = frozenset({"warning", "error", "critical"})

Entry = str | Mapping[str, Any]


def last_lines(entries: Iterable[Entry], count: int) -> list[str]:
    """The last lines of a log.

    A line that is there several times (a program prints an error, and the task's exception repeats it) is shown where
    it is last.  Of the lines in Airflow's own groups only warnings and errors are shown.

    :param entries: the member ``content`` of Airflow's answer. :param count: how many lines at most.
    """
    # A dict keeps the place of its first insertion; from the end backwards that is the last line of each kind.
    last: dict[str, str] = {}
    for line in reversed([line for entry in _without_preamble(entries) for line in _lines(entry)]):
        if line.strip() and line.strip() not in last:
            last[line.strip()] = line
    return list(last.values())[:count][::-1]


def _without_preamble(entries: Iterable[Entry]) -> Iterator[Entry]:
    within = False
    for entry in entries:
        event = _event(entry)
        if event.startswith((_GROUP, _END)):
            within = event in _AIRFLOWS
        elif not within or (not isinstance(entry, str) and entry.get("level") in _SERIOUS):
            yield entry


def _event(entry: Entry) -> str:
    return entry if isinstance(entry, str) else str(entry.get("event", ""))


def _lines(entry: Entry) -> list[str]:
    lines = _event(entry).splitlines()
    if not isinstance(entry, str):
        # An exception that wraps another one repeats its message; the last of the two is the cause.
        causes = {d.get("exc_value"): d for d in entry.get("error_detail") or () if isinstance(d, dict)}
        for detail in causes.values():
            lines += f"{detail.get('exc_type')}: {detail.get('exc_value')}".splitlines()
    return [printable(line) for line in lines]
