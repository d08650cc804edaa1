"""``airflow mlpipe ls``: the results that can be reused."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.cli.select import produced_by
from airflow_mlpipe.cli.tables import moment, print_lines, print_table
from airflow_mlpipe.cli.workspace import open_workspace
from airflow_mlpipe.experiment.text import duration, short, size
from airflow_mlpipe.model.records import ReuseRecord
from airflow_mlpipe.store.layout import USAGE, stem_fingerprint

if TYPE_CHECKING:
    from airflow_mlpipe.store.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A result.

    :param used: when it was last reused, seconds since the epoch by the store's clock; ``None`` when never.
    """

    record: ReuseRecord
    pinned: bool
    used: float | None

    @property
    def size(self) -> int:
        """Bytes of all outputs."""
        return sum(output.size for output in self.record.outputs)

    def to_json(self) -> dict[str, Any]:
        """The form of ``--output json``."""
        record = self.record
        return {
            "fingerprint": record.fingerprint,
            "producer": record.producer.to_json(),
            "started": record.started,
            "seconds": record.seconds,
            "outputs": len(record.outputs),
            "files": sum(output.files for output in record.outputs),
            "bytes": self.size,
            "pinned": self.pinned,
            "used": self.used,
            "nondeterministic": record.nondeterministic,
        }


@command
def ls(args: Namespace) -> None:
    """Run the command."""
    rows = list_results(open_workspace(), args.dag, args.task)
    if args.output == "json":
        write_json("ls", {"records": [row.to_json() for row in rows]})
    elif rows:
        print_table(
            ("FINGERPRINT", "PRODUCED BY", "STARTED", "TOOK", "SIZE", "USED", "NOTES"),
            [_cells(row) for row in rows],
            right=frozenset({"TOOK", "SIZE"}),
        )
    else:
        print_lines("No results.")


def list_results(workspace: Workspace, dag_id: str | None = None, task_id: str | None = None) -> list[Row]:
    """The reuse records that a DAG, or a task, produced; the newest first.

    :raises WorkspaceVersionError: when a newer version wrote one.
    """
    pinned = {pin.fingerprint for pin in workspace.pins.list()}
    used = {stem_fingerprint(info.key.rpartition("/")[2]): info.modified for info in workspace.store.list(USAGE)}
    return [
        Row(record=record, pinned=record.fingerprint in pinned, used=used.get(record.fingerprint))
        for record in produced_by(workspace.records.list(), dag_id, task_id)
    ]


def _cells(row: Row) -> tuple[str, ...]:
    record = row.record
    notes = [name for name, holds in (("pinned", row.pinned), ("nondeterministic", record.nondeterministic)) if holds]
    return (
        short(record.fingerprint),
        str(record.producer),
        moment(record.started),
        duration(record.seconds),
        size(row.size),
        moment(row.used or 0.0) or "never",
        ", ".join(notes),
    )
