"""``airflow mlpipe pin`` and ``unpin``: results that gc must leave."""

from __future__ import annotations

import getpass
from argparse import Namespace

from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.cli.select import find_fingerprint, get_record
from airflow_mlpipe.cli.tables import print_lines
from airflow_mlpipe.cli.workspace import open_workspace


@command
def pin(args: Namespace) -> None:
    """Run ``pin``."""
    workspace = open_workspace()
    record = get_record(workspace, find_fingerprint(workspace, args.what, args.map_index))
    kept = workspace.pins.pin(record.fingerprint, _user(), args.why)
    if args.output == "json":
        write_json("pin", {"fingerprint": kept.fingerprint, "pinned": True, "by": kept.by, "why": kept.why})
    else:
        print_lines(f"pinned {kept.fingerprint}, produced by {record.producer}")


@command
def unpin(args: Namespace) -> None:
    """Run ``unpin``."""
    workspace = open_workspace()
    fingerprint = find_fingerprint(workspace, args.what, args.map_index)
    was_pinned = workspace.pins.unpin(fingerprint)
    if args.output == "json":
        write_json("unpin", {"fingerprint": fingerprint, "pinned": False, "was_pinned": was_pinned})
    else:
        print_lines(f"{'unpinned' if was_pinned else 'was not pinned:'} {fingerprint}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that no user database knows (KeyError before Python 3.13)
        return "unknown"
