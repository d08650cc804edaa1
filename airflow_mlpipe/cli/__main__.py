"""``python -m airflow_mlpipe.cli submit ...``: the command that needs no Airflow on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_mlpipe.cli.options import SUBMIT
from airflow_mlpipe.cli.submit import submit


def main(argv: Sequence[str] | None = None) -> None:
    """Parse a command line and run it; ends the process."""
    parser = argparse.ArgumentParser(prog="mlpipe", description="Runs of pipelines over Airflow's REST API")
    subparser = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        SUBMIT.name, help=SUBMIT.help, description=SUBMIT.description
    )
    for option in SUBMIT.options:
        subparser.add_argument(*option.flags, **option.settings)
    submit(parser.parse_args(argv))


if __name__ == "__main__":
    main()
