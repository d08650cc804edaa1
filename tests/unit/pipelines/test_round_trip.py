"""A pipeline that went once around is equal."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from support.pipelines import pipelines

from airflow_mlpipe.pipelines.build import build_dag
from airflow_mlpipe.pipelines.reading.pipeline import read_pipeline
from airflow_mlpipe.pipelines.records import Pipeline
from airflow_mlpipe.pipelines.taking.dag import take_apart
from airflow_mlpipe.pipelines.taking.graph import graph_of

_SLOW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def dag_of(pipeline: Pipeline) -> Any:
    """The DAG of a pipeline; nothing is read from disk, as its DAG file is not there."""
    wrong: list[Any] = []
    dag = build_dag(
        pipeline, dag_file="/nowhere/dag.py", rebase=lambda path: path, wrong=lambda *what: wrong.append(what)
    )
    assert not wrong
    return dag


@given(pipelines())
@_SLOW
def test_a_pipeline_comes_back_from_its_text(pipeline: Pipeline) -> None:
    """Records -> YAML -> records, and the text of the second is that of the first."""
    text = pipeline.to_yaml()
    again = read_pipeline(text).pipeline
    assert again == pipeline
    assert again.to_yaml() == text


@given(pipelines())
@_SLOW
def test_a_pipeline_comes_back_from_its_dag(pipeline: Pipeline) -> None:
    """Records -> DAG -> records: the first time data get the names of their ports, from then on nothing changes."""
    first = take_apart(dag_of(pipeline))
    assert not first.left_out
    second = take_apart(dag_of(read_pipeline(first.pipeline.to_yaml()).pipeline))
    assert not second.left_out
    assert first.pipeline == second.pipeline
    assert {s.task_id: s.arguments for s in first.pipeline.steps} == {s.task_id: s.arguments for s in pipeline.steps}


@given(pipelines())
@_SLOW
def test_a_pipeline_and_its_dag_have_one_graph(pipeline: Pipeline) -> None:
    """What is seen does not depend on where it is looked at."""
    taken = take_apart(dag_of(pipeline)).pipeline
    assert graph_of(dag_of(taken)) == taken.graph
