"""Pipelines in YAML: every file in ``pipelines`` is a DAG."""

from airflow_mlpipe import load_pipelines

dags = load_pipelines("pipelines")
