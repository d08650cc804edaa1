"""Pipelines of Azure ML v2: their YAML becomes a pipeline's file of ours, with its code, and a DAG file of two lines.

Beside the journey: run once, by ``airflow mlpipe import azureml``.  Guarantees that what has no equivalent is told with
its file and line, that nothing is dropped in silence, and that a value of a pipeline never becomes syntax of a shell.
"""
