"""Tables for people: aligned columns, nothing cut off where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone

from rich.console import Console
from rich.table import Table
from rich.text import Text

from airflow_mlpipe.cli.output import out
from airflow_mlpipe.experiment.text import printable

_UNBOUNDED = 100_000  # columns: rich folds lines to 80 where it cannot know the width, which no grep expects


def console() -> Console:
    """A console on the command's output."""
    plain = Console(file=out())
    return plain if plain.is_terminal else Console(file=out(), width=_UNBOUNDED)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str] = frozenset()) -> None:
    """Print rows under headings.

    :param right: columns to align to the right.
    """
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        # Text, not str: names may hold what rich would take for markup.
        table.add_row(*(Text(printable(cell)) for cell in row))
    with (printer := console()).capture() as captured:
        printer.print(table)
    print_lines(*(line.rstrip() for line in captured.get().splitlines()))


def print_lines(*lines: str) -> None:
    """Print lines as they are."""
    out().write("".join(f"{line}\n" for line in lines))


def moment(seconds: float) -> str:
    """A time in UTC, ``2026-01-31 08:30:00Z``; empty for 0."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ") if seconds else ""
