"""``airflow mlpipe graph``: what is connected to what, for a page, for Graphviz, for programs."""

from __future__ import annotations

from argparse import Namespace

from airflow_mlpipe.cli.command import command
from airflow_mlpipe.cli.dags import is_file, load_dag
from airflow_mlpipe.cli.tables import print_lines


@command
def graph(args: Namespace) -> None:
    """Run the command."""
    import json

    from airflow_mlpipe.pipelines.records import Pipeline
    from airflow_mlpipe.pipelines.taking.graph import graph_of

    found = Pipeline.read(args.dag_id).graph if is_file(args.dag_id) else graph_of(load_dag(args.dag_id))
    if "json" in (args.format, args.output):
        print_lines(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
        return
    print_lines((found.to_mermaid() if args.format == "mermaid" else found.to_dot()).rstrip("\n"))
