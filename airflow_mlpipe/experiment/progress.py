"""Show how a run gets on: a live table on a terminal, a line for each change anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Protocol, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from airflow_mlpipe.experiment.records import Snapshot, StepStatus
from airflow_mlpipe.experiment.text import duration, printable

_COLOURS = {"success": "green", "failed": "red", "upstream_failed": "red", "up_for_retry": "yellow", "running": "cyan"}
_QUIET = frozenset({"none", "scheduled", "queued", "removed"})
"""States that say nothing that a reader of a log waits for."""


class Reporter(Protocol):
    """Shows snapshots; a context manager around the time of watching."""

    def __enter__(self) -> object:
        """Start to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the output in order, however the watching ended."""

    def update(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""

    def finish(self, snapshot: Snapshot) -> None:
        """Show the last one."""


class Silent:
    """Shows nothing."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass

    def update(self, snapshot: Snapshot) -> None:
        """Nothing."""

    def finish(self, snapshot: Snapshot) -> None:
        """Nothing."""


class Lines(Silent):
    """A line for each change: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._before: dict[str, str] = {}

    def update(self, snapshot: Snapshot) -> None:
        """Write what changed since the last snapshot."""
        self._write(str(snapshot.run), f"run {snapshot.run.state}")
        for step in snapshot.steps:
            if step.state not in _QUIET:
                self._write(step.name, f"{step.state} {outcome_text(step)}".rstrip())

    def finish(self, snapshot: Snapshot) -> None:
        """Write the totals."""
        self._write(str(snapshot.run), summary(snapshot))

    def _write(self, name: str, text: str) -> None:
        if self._before.get(name) != text:
            self._before[name] = text
            now = datetime.now().astimezone().strftime("%H:%M:%S")
            self._stream.write(f"{now} {name}: {text}\n")
            self._stream.flush()


class LiveTable:
    """A table that is redrawn in place: for terminals."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw."""
        self._live.update(step_table(snapshot))

    def finish(self, snapshot: Snapshot) -> None:
        """Redraw with the totals, and leave it there."""
        self._live.update(step_table(snapshot), refresh=True)


def reporter_for(stream: TextIO | None = None) -> Reporter:
    """The reporter that fits a stream; by default stdout."""
    stream = stream or sys.stdout
    console = Console(file=stream)
    return LiveTable(console) if console.is_terminal and not console.is_dumb_terminal else Lines(stream)


def step_table(snapshot: Snapshot) -> Table:
    """The steps of a run, with what they decided and why."""
    table = Table(title=Text(str(snapshot.run)), caption=Text(summary(snapshot)), title_justify="left", box=None)
    table.caption_justify = "left"
    for column in ("STEP", "STATE", "DECISION", "REASON"):
        table.add_column(column, overflow="fold")
    for column in ("SECONDS", "SAVED"):
        table.add_column(column, justify="right", no_wrap=True)
    for step in snapshot.steps:
        outcome = step.outcome
        # Without a template of the author's, Airflow's label is the index, which the name has.
        labelled = step.label and step.label != str(step.map_index)
        name = f"{step.name} {step.label}" if labelled else step.name
        # Text, not str: what comes from a deployment is shown as it is, and is no markup.
        table.add_row(
            Text(printable(name)),
            Text(step.state, style=_COLOURS.get(step.state, "")),
            Text(outcome.decision if outcome else ""),
            Text(printable("; ".join(outcome.reasons)) if outcome else ""),
            Text(duration(outcome.seconds if outcome and outcome.seconds is not None else step.seconds)),
            Text(duration(outcome.saved or None) if outcome else ""),
        )
    return table


def outcome_text(step: StepStatus) -> str:
    """What a step decided, in one line: ``executed in 2.1 s because PARAM lr 0.1 -> 0.3``."""
    outcome = step.outcome
    if outcome is None:
        return ""
    because = printable("; ".join(outcome.reasons))
    if outcome.decision == "reused":
        origin = f" from {printable(outcome.origin)}" if outcome.origin else ""
        saved = f", saved {duration(outcome.saved)}" if outcome.saved else ""
        return f"reused{origin}{saved}" + (f" ({because})" if because else "")
    if outcome.decision == "running":
        return "executing" + (f" because {because}" if because else "")
    took = f" in {duration(outcome.seconds)}" if outcome.seconds else ""
    return f"{outcome.decision}{took}" + (f" because {because}" if because else "")


def summary(snapshot: Snapshot) -> str:
    """A run's totals: ``success in 14.2 s: 2 executed, 5 reused, saved 3 m 02 s``."""
    decisions = [s.outcome.decision for s in snapshot.steps if s.outcome and s.state not in ("failed", "up_for_retry")]
    counts = [(decisions.count(d), d) for d in ("executed", "running", "reused")]
    counts.append((len(snapshot.failed), "failed"))
    parts = [f"{count} {what}" for count, what in counts if count]
    if saved := _total(s.outcome.saved for s in snapshot.steps if s.outcome):
        parts.append(f"saved {duration(saved)}")
    took = f" in {duration(snapshot.run.seconds)}" if snapshot.run.ended and snapshot.run.seconds else ""
    return f"{snapshot.run.state}{took}" + (f": {', '.join(parts)}" if parts else "")


def _total(amounts: Iterable[float | None]) -> float:
    return sum(a for a in amounts if a)
