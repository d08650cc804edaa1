"""``airflow mlpipe import``: DAGs from the pipelines of another system, and what could not be taken over."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import FAILED, CommandLineError, command, write_json
from airflow_mlpipe.cli.output import out

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.v2.run import Imported


@command
def import_pipelines(args: Namespace) -> int:
    """Import, and report."""
    from airflow_mlpipe.azureml.v2.run import import_all
    from airflow_mlpipe.experiment.params import split_assignments

    path = Path(args.path)
    if not path.exists():
        raise CommandLineError("there is no such file or folder", where="PATH", given=args.path)
    into = Path(args.into) if args.into else None
    done = import_all(path, into, computes=split_assignments(args.compute), again=args.replace)
    if args.output == "json":
        write_json("import", {"pipelines": [_document(one) for one in done]})
    else:
        _print(done)
    return FAILED if any(one.dag_id is None for one in done) else 0


def _document(one: Imported) -> dict[str, Any]:
    return {
        "file": one.file,
        "kind": one.kind,
        "dag_id": one.dag_id,
        "dag_file": str(one.written) if one.written else None,
        "findings": [
            {"level": f.level, "file": f.file, "line": f.line, "at": f.at, "what": f.what, "fix": f.fix}
            for f in one.findings
        ],
    }


def _print(done: list[Imported]) -> None:
    from airflow_mlpipe.azureml.v2.findings import lines_of

    for one in done:
        result = f"DAG {one.dag_id} in {one.written}" if one.dag_id else "not imported"
        out().write(f"{one.file}: {result}\n")
        for line in lines_of(one.findings):
            out().write(f"  {line}\n")
    count = sum(1 for one in done if one.dag_id)
    out().write(f"imported {count} of {len(done)}\n")
