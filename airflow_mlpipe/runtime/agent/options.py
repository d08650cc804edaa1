"""The agent's command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from airflow_mlpipe.runtime.remote import TOP

Command = Literal["stage", "publish", "sidecar", "ready"]

_HELP = {
    "stage": "write everything that the program reads",
    "publish": "store what the program wrote, and then the candidate",
    "sidecar": "stage, say so, wait for SIGTERM, publish",
    "ready": "exit code 0 when everything is staged, else 1",
}
_EXIT_CODES = """
exit codes: 0 done; 1 failed, candidates/<attempt>.error.json says why; 2 the command line or the documents are wrong;
3 ended by SIGTERM before there was a result; 4 failed, and the workspace could not be told: the last line of the output
is the document
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is to be done.

    :param job: file of the ``job/1``, or ``workspace:<key>`` of one in the workspace. :param stores: file of the
        ``stores/1``. :param root: folder of the attempt here. :param seen_as: where the program sees it.
    :param secrets: folder with a file for each secret; ``None`` where the program gets them in another way.
    :param out: key of the candidate; empty: the attempt's own.
    """

    command: Command
    root: Path
    seen_as: Path
    job: str = ""
    stores: Path = Path()
    secrets: Path | None = None
    out: str = ""


def parse(argv: Sequence[str]) -> Options:
    """Read the command line; ends the process with exit code 2 when it is wrong."""
    parser = argparse.ArgumentParser(prog="python -m airflow_mlpipe.runtime.agent", epilog=_EXIT_CODES)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in get_args(Command):
        one = commands.add_parser(name, help=_HELP[name], epilog=_EXIT_CODES)
        one.add_argument("--root", type=Path, default=TOP, help="folder of the attempt (default: %(default)s)")
        if name == "ready":
            continue
        one.add_argument("--job", required=True, metavar="FILE", help="job/1, or workspace:<key>")
        one.add_argument("--stores", type=Path, required=True, metavar="FILE", help="stores/1, with credentials")
        one.add_argument("--out", default="", metavar="KEY", help="of the candidate, if not the attempt's own")
        if name != "publish":
            one.add_argument("--secrets", type=Path, metavar="FOLDER", help="a file for each secret")
            one.add_argument("--seen-as", type=Path, metavar="FOLDER", help="where the program sees the root")
    found = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    return Options(**{"seen_as": found["root"], **found})
