"""Transfers and modules in a pipeline's file: they run, and come back from the DAG."""

from __future__ import annotations

import json

import pytest
from support.modules import write_module

from airflow_mlpipe.pipelines.reading.pipeline import read_pipeline
from airflow_mlpipe.pipelines.taking.dag import spec_of

PIPELINE = """
api: mlpipe/v1
name: kinds
params: {factor: 3}
datastores:
  lake: {url: "@LAKE@/lake"}
  pond: {url: "@LAKE@/pond"}
data:
  raw: {datastore: lake, path: numbers.txt}
  landed: {datastore: pond, path: landed/}
groups: {g: }
steps:
  last:
    command: [sh, -c, 'cat $0/* $1 $2 > $3', "${steps.g.scale.outputs.scaled}", "${steps.g.scale.outputs.total}",
              "${steps.keep.outputs.kept}", "${outputs.all}"]
    outputs: {all: file}
  land:
    transfer: {source: "${data.raw}", destination: "${data.landed}", concurrency: 2}
  keep:
    transfer:
      source: ${data.raw}
      destination: {name: kept, kind: file, datastore: pond, path: kept/numbers.txt}
      mode: sync
    after: [land]
  g.scale:
    module: ./scale
    inputs: {numbers: "${data.raw}"}
    params: {factor: "${params.factor}"}
    outputs: {total: {datastore: pond, path: "totals/{run}.json"}}
    retries: 1
  seen:
    command: [ls, "${steps.land.outputs.landed}"]
"""


@pytest.fixture
def folder(tmp_path):
    """A bundle with the pipeline in a folder, its module beside it, and data."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "pond").mkdir()
    (tmp_path / "lake" / "numbers.txt").write_text("1\n2\n")
    write_module(tmp_path / "dags" / "pipelines" / "scale")
    text = PIPELINE.replace("@LAKE@", tmp_path.as_uri())
    (tmp_path / "dags" / "pipelines" / "kinds.yaml").write_text(text)
    return tmp_path / "dags"


DAG_FILE = "from airflow_mlpipe import load_pipelines\ndags = load_pipelines('pipelines')\n"


def test_transfers_and_modules_run(run_dag, folder):
    """Data land where the file says, the module's outputs are there under its names, and the second run reuses all."""
    first = run_dag(DAG_FILE, folder=folder)
    assert set(first.states.values()) == {"success"}, first.log
    assert first.executed == ["g.scale", "keep", "land", "last", "seen"]
    assert (folder.parent / "pond" / "landed" / "numbers.txt").read_text() == "1\n2\n"
    (total,) = (folder.parent / "pond" / "totals").glob("manual*.json")
    assert json.loads(total.read_text()) == {"total": 9.0}
    again = run_dag(folder=folder)
    assert set(again.states.values()) == {"success"}, again.log
    assert again.executed == []


def test_transfers_and_modules_come_back_from_the_dag(run_dag, folder):
    """DAG -> records -> YAML -> DAG -> records: equal, and the module is said by what its author said of it."""
    dag = run_dag.parse(DAG_FILE, folder=folder)
    pipeline = spec_of(dag)
    scale = pipeline.step("g.scale")
    assert (scale.module, dict(scale.parameters)) == ("./scale", {"factor": "{{ params.factor }}"})
    assert [output.name for output in scale.outputs] == ["total"]
    assert read_pipeline(pipeline.to_yaml()).pipeline == pipeline
    (folder / "pipelines" / "kinds.yaml").write_text(pipeline.to_yaml())
    assert spec_of(run_dag.parse(folder=folder)) == pipeline
    assert {*pipeline.graph.upstream("last")} == {"data:raw", "keep", "land", "g.scale"}


def test_an_output_that_a_module_does_not_have_is_a_mistake_of_its_reader(run_dag, folder):
    """With the line of the step that wants it, and the outputs that there are."""
    path = folder / "pipelines" / "kinds.yaml"
    path.write_text(path.read_text().replace("scale.outputs.scaled", "scale.outputs.skaled"))
    with pytest.raises(AssertionError) as raised:
        run_dag.parse(DAG_FILE, folder=folder)
    assert "steps.last: step 'g.scale' has no such output. given: 'skaled'. valid: 'scaled', 'total'" in str(
        raised.value
    )
    assert f"{path}:13:" in str(raised.value)


def test_a_module_that_is_not_there_is_told_once(run_dag, folder):
    """And not again by each step that takes its outputs."""
    path = folder / "pipelines" / "kinds.yaml"
    path.write_text(path.read_text().replace("./scale", "./nobody"))
    with pytest.raises(AssertionError) as raised:
        run_dag.parse(DAG_FILE, folder=folder)
    message = str(raised.value).strip().splitlines()[-1]
    assert "steps.g.scale" in message
    assert "steps.last" not in message
