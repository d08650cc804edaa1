"""``airflow mlpipe spec``: a pipeline as YAML; or what a step's compute would be asked for; nothing is run."""

from __future__ import annotations

import os
from argparse import Namespace

from airflow_mlpipe.cli.command import command, say, write_json
from airflow_mlpipe.cli.dags import is_file, load_dag
from airflow_mlpipe.cli.plan import parse_params
from airflow_mlpipe.cli.submit import parse_conf
from airflow_mlpipe.cli.tables import print_lines
from airflow_mlpipe.cli.workspace import open_stores
from airflow_mlpipe.experiment.errors import UsageError
from airflow_mlpipe.experiment.params import merge_conf


@command
def spec(args: Namespace) -> None:
    """Run the command."""
    if args.task_id is None:
        _show_pipeline(args)
    else:
        _show_step(args)


def _show_pipeline(args: Namespace) -> None:
    from airflow_mlpipe.pipelines.load import dag_from_spec
    from airflow_mlpipe.pipelines.records import Pipeline
    from airflow_mlpipe.pipelines.taking.dag import Taken, UnformedError, take_apart
    from airflow_mlpipe.pipelines.writing import to_document

    for option, given in (("--conf", args.conf != "{}"), ("--param", args.param)):
        if given:
            raise UsageError(f"{option} is about a step", where="spec", fix="name the step after the DAG")
    if is_file(args.dag_id):
        taken = Taken(pipeline=Pipeline.read(args.dag_id), left_out=())
        dag_from_spec(os.path.abspath(args.dag_id))  # what the operators refuse
    else:
        taken = take_apart(load_dag(args.dag_id))
    pipeline, left_out = taken.pipeline, taken.left_out
    if left_out and (not args.partial or not pipeline.steps):
        raise UnformedError(pipeline.name, left_out)
    for name in left_out:
        say(f"left out: {name}")
    if args.output == "json":
        write_json("pipeline", {"pipeline": to_document(pipeline), "left_out": list(left_out)})
        return
    print_lines(pipeline.to_yaml().rstrip("\n"))


def _show_step(args: Namespace) -> None:
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
