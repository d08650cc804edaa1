"""``airflow mlpipe spec``: what a step's compute would be asked for, without running anything."""

from __future__ import annotations

from argparse import Namespace

from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.cli.dags import load_dag
from airflow_mlpipe.cli.plan import parse_params
from airflow_mlpipe.cli.submit import parse_conf
from airflow_mlpipe.cli.tables import print_lines
from airflow_mlpipe.cli.workspace import open_stores
from airflow_mlpipe.experiment.errors import UsageError
from airflow_mlpipe.experiment.params import merge_conf


@command
def spec(args: Namespace) -> None:
    """Run the command."""
    import json

    from airflow_mlpipe.operators.describe import describe_step

    stores = open_stores()
    dag = load_dag(args.dag_id)
    if args.task_id not in dag.task_ids:
        raise UsageError(
            "there is no such task", where=f"DAG {dag.dag_id!r}", given=args.task_id, valid=sorted(dag.task_ids)
        )
    conf = merge_conf(parse_conf(args.conf), parse_params(dag, args.param), {})
    found = describe_step(dag, args.task_id, conf, stores=stores)
    if args.output == "json":
        document = {"compute": found.compute, "request": found.request, "unknown": list(found.unknown)}
        write_json("spec", {"dag_id": dag.dag_id, "task_id": args.task_id, **document})
        return
    print_lines(f"compute: {found.compute}", json.dumps(found.request, indent=2, ensure_ascii=False))
    if found.unknown:
        print_lines("", f"without the outputs of {', '.join(found.unknown)}, which have no result yet")
