"""From files to DAGs: the DAG file is what Airflow knows, the YAML is found from it, and all mistakes come at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.pipelines.load import dag_from_spec, load_pipelines
from airflow_mlpipe.pipelines.reading.mistakes import PipelineFileError
from airflow_mlpipe.pipelines.records import Pipeline
from airflow_mlpipe.pipelines.taking.dag import spec_of

TEXT = """
api: mlpipe/v1
name: NAME
tags: [b, a]
schedule: "@daily"
start_date: 2026-01-31
timezone: Europe/Vienna
params: {rate: 0.1, epochs: {type: integer, default: 3, minimum: 1}}
data:
  raw: {datastore: lake, path: raw.csv}
groups: {g: {tooltip: first}}
defaults: {source: src, environment: {requirements: requirements.txt}}
steps:
  first: {command: ["true"]}
  g.prepare:
    script: prepare.py
    arguments: ["${data.raw}", "${outputs.data}", --rate, "${params.rate}"]
    outputs: [data]
  train:
    command: [train, "${steps.g.prepare.outputs.data}"]
    after: [g.prepare, first]
    retries: 2
    retry_policy: infrastructure
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with ``dags.py``, and in ``pipelines`` a pipeline with its code."""
    folder = tmp_path / "bundle" / "pipelines"
    (folder / "src").mkdir(parents=True)
    for name in ("src/prepare.py", "requirements.txt", "../dags.py"):
        (folder / name).touch()
    (folder / "one.yaml").write_text(TEXT.replace("NAME", "one"))
    return folder.parent


def load(bundle: Path, path: str = "pipelines/one.yaml") -> Any:
    """The DAG of a file, as if ``dags.py`` asked for it."""
    return dag_from_spec(path, dag_file=str(bundle / "dags.py"))


def test_paths_are_relative_to_the_yaml_and_the_dag_is_of_the_dag_file(bundle: Path) -> None:
    """What Airflow parses again is the DAG file; folders in the operators are as it sees them."""
    dag = load(bundle)
    assert dag.fileloc == str(bundle / "dags.py")
    prepare = dag.get_task("g.prepare")
    assert (prepare.source_directory, prepare.environment.requirements) == (
        "pipelines/src",
        "pipelines/requirements.txt",
    )
    assert spec_of(dag) == Pipeline.read(bundle / "pipelines" / "one.yaml")


def test_a_moved_bundle_serialises_to_the_same_bytes(bundle: Path, tmp_path: Path) -> None:
    """Another version of a bundle is another folder: nothing absolute is in the DAG, or each would be a new version."""
    from airflow.serialization.serialized_objects import DagSerialization

    def serialised(folder: Path) -> str:
        document = DagSerialization.to_dict(load(folder))
        document["dag"].pop("fileloc")
        return json.dumps(document, sort_keys=True)

    first = serialised(bundle)
    os.rename(bundle, tmp_path / "moved")
    assert serialised(tmp_path / "moved") == first


def test_two_interpreters_serialise_to_the_same_bytes(bundle: Path) -> None:
    """Whatever the seed of their hashes."""
    (bundle / "dags.py").write_text("from airflow_mlpipe import load_pipelines\ndags = load_pipelines('pipelines')\n")
    code = (
        "import json, sys, runpy\n"
        "from airflow.serialization.serialized_objects import DagSerialization\n"
        f"dags = runpy.run_path({str(bundle / 'dags.py')!r})['dags']\n"
        "print(json.dumps([DagSerialization.to_dict(dag) for dag in dags], sort_keys=True))"
    )
    shown = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for seed in ("0", "4242")
    }
    assert len(shown) == 1
    assert len(json.loads(shown.pop())) == 1


def test_a_dag_has_what_its_file_says(bundle: Path) -> None:
    """Parameters with their schemas, time zone, groups, orders, settings of Airflow."""
    from airflow_mlpipe import RetryInfrastructure

    dag = load(bundle)
    assert (dag.dag_id, dag.tags, dag.timezone.name, str(dag.start_date)) == (
        "one", {"a", "b"}, "Europe/Vienna", "2026-01-30 23:00:00+00:00",
    )  # fmt: skip
    epochs = dag.params.get_param("epochs")
    assert (epochs.value, epochs.schema) == (3, {"type": "integer", "minimum": 1})
    assert dag.get_task("g.prepare").task_group.tooltip == "first"
    train = dag.get_task("train")
    assert train.upstream_task_ids == {"g.prepare", "first"}
    assert (train.retries, type(train.retry_policy)) == (2, RetryInfrastructure)
    assert dag.get_task("g.prepare").arguments[2:] == ["--rate", "{{ params.rate }}"]


def test_what_operators_refuse_has_its_place_in_the_file(bundle: Path) -> None:
    """A script that is not there, an image on the local compute, a default that its schema refuses: told together."""
    (bundle / "pipelines" / "one.yaml").write_text(
        "api: mlpipe/v1\nname: one\nparams:\n  p: {type: integer, default: x}\nsteps:\n"
        "  a:\n    script: nobody.py\n  b:\n    command: [x]\n    environment: {image: i}\n"
        "  c:\n    command: [x]\n    trigger_rule: sometimes\n"
    )
    with pytest.raises(PipelineFileError) as raised:
        load(bundle)
    assert [(one.line, one.at) for one in raised.value.mistakes] == [
        (4, "params.p"),
        (7, "steps.a.script"),
        (8, "steps.b"),
        (11, "steps.c"),
    ]


@pytest.mark.parametrize("schedule", ["61 * * * *", "yesterday"])
def test_a_schedule_that_is_none_has_its_place_in_the_file(bundle: Path, schedule: str) -> None:
    """Airflow would tell it of the DAG file."""
    (bundle / "pipelines" / "one.yaml").write_text(
        f'api: mlpipe/v1\nname: one\nschedule: "{schedule}"\nsteps:\n  a: {{command: ["true"]}}\n'
    )
    with pytest.raises(PipelineFileError) as raised:
        load(bundle)
    assert [(one.line, one.at) for one in raised.value.mistakes] == [(3, "schedule")]


def test_all_pipelines_of_a_folder_are_loaded(bundle: Path) -> None:
    """Files that say ``api: mlpipe/v1``, in the order of their paths, folders in the folder included."""
    deeper = bundle / "pipelines" / "deeper"
    deeper.mkdir()
    (deeper / "two.yml").write_text("api: mlpipe/v1\nname: two\nsteps: {a: {command: [x]}}")
    (deeper / "values.yaml").write_text("a: 1")
    dags = load_pipelines("pipelines", dag_file=str(bundle / "dags.py"))
    assert [dag.dag_id for dag in dags] == ["two", "one"]


def test_mistakes_of_several_files_are_told_together(bundle: Path) -> None:
    """Each file with its own; two pipelines of one name are a mistake of the second."""
    (bundle / "pipelines" / "two.yaml").write_text("api: mlpipe/v1\nname: one\nsteps: {a: {command: [x]}}")
    (bundle / "pipelines" / "three.yaml").write_text("api: mlpipe/v1\nname: three\n")
    with pytest.raises(DefinitionError) as raised:
        load_pipelines("pipelines", dag_file=str(bundle / "dags.py"))
    assert "three.yaml:1:1: steps" in str(raised.value)
    assert "two.yaml: " in str(raised.value)
    assert "one.yaml is a pipeline of this name, too" in str(raised.value)


def test_a_helper_may_load_the_pipelines(run_dag: Any, bundle: Path) -> None:
    """Its own file is what paths are relative to; the DAG file is the one that Airflow parses."""
    helper = bundle / "lib" / "flows.py"
    helper.parent.mkdir()
    helper.write_text("from airflow_mlpipe import load_pipelines\n\ndef all(): return load_pipelines('../pipelines')\n")
    (bundle / "dags.py").write_text(
        "import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), 'lib'))\n"
        "import flows\ndags = flows.all()  # airflow\n"
    )
    dag = run_dag.parse(folder=bundle)
    assert (dag.fileloc, dag.get_task("g.prepare").source_directory) == (str(bundle / "dags.py"), "pipelines/src")


def test_a_file_or_folder_that_is_not_there_is_said(bundle: Path) -> None:
    """With the path that was looked at."""
    with pytest.raises(DefinitionError, match=r"bundle/nobody\.yaml: cannot be read"):
        load(bundle, "nobody.yaml")
    with pytest.raises(DefinitionError, match="no such folder"):
        load_pipelines("nowhere", dag_file=str(bundle / "dags.py"))


def test_reading_a_pipeline_needs_no_airflow(bundle: Path) -> None:
    """An editor, or a check in CI, reads files and shows graphs without it."""
    code = (
        "import sys\nfrom airflow_mlpipe import Pipeline\n"
        f"pipeline = Pipeline.read({str(bundle / 'pipelines' / 'one.yaml')!r})\n"
        "pipeline.graph.to_mermaid(), pipeline.to_yaml()\n"
        "print('airflow' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "False"
