"""``airflow mlpipe forget``: remove reuse records, so that their steps execute again."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_mlpipe.cli.command import CommandLineError, command, confirm, say, write_json
from airflow_mlpipe.cli.select import UnknownNameError, find_by_digits, get_record, produced_by, starting_with
from airflow_mlpipe.cli.tables import print_lines
from airflow_mlpipe.cli.workspace import open_workspace
from airflow_mlpipe.experiment.text import short
from airflow_mlpipe.model.records import ReuseRecord

if TYPE_CHECKING:
    from airflow_mlpipe.store.workspace import Workspace

_SHOWN = 10


@command
def forget(args: Namespace) -> None:
    """Run the command."""
    workspace = open_workspace()
    found = find_records(workspace, args.what)
    pinned = {p.fingerprint for p in workspace.pins.list()}
    doomed = [r for r in found if r.fingerprint not in pinned]
    if kept := len(found) - len(doomed):
        say(f"{kept} of them pinned and kept; see airflow mlpipe unpin")
    if doomed:
        for record in doomed[:_SHOWN]:
            say(f"  {short(record.fingerprint)}  {record.producer}")
        if len(doomed) > _SHOWN:
            say(f"  and {len(doomed) - _SHOWN} more")
        confirm(f"forget {len(doomed)} results?", yes=args.yes)
    gone = [r.fingerprint for r in doomed if workspace.records.forget(r.fingerprint)]
    if args.output == "json":
        write_json("forget", {"forgotten": gone, "pinned": kept})
    else:
        print_lines(f"forgot {len(gone)} results; their outputs stay until gc")


def find_records(workspace: Workspace, what: Sequence[str]) -> list[ReuseRecord]:
    """The records that ``FINGERPRINT`` or ``DAG [TASK]`` means.

    :raises CommandLineError: for another number of words, or a word that means both a fingerprint and a DAG.
    :raises UnknownNameError: when there are none.
    """
    if len(what) > 2:
        raise CommandLineError(
            "too many words", where="command line", given=list(what), valid="FINGERPRINT | DAG [TASK]"
        )
    of_dag = produced_by(workspace.records.list(), what[0], what[1] if len(what) == 2 else None)
    by_digits = starting_with(workspace, what[0]) if len(what) == 1 else []
    if of_dag and by_digits:
        raise CommandLineError(
            "this is the id of a DAG and the start of a fingerprint",
            where="command line",
            given=what[0],
            fix=f"say {by_digits[0]}, or the DAG with a task",
        )
    if of_dag:
        return of_dag
    if by_digits:
        return [get_record(workspace, find_by_digits(workspace, what[0]))]
    raise UnknownNameError(
        "no result has this fingerprint or was produced so", where=workspace.url, given=" ".join(what)
    )
