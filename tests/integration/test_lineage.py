"""Lineage, as the OpenLineage provider tells it: events of real runs, written to a file by its file transport."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe.fingerprint.digest import digest_bytes, tree_key

if importlib.util.find_spec("airflow.providers.openlineage") is None:
    print("SKIPPING THE TESTS OF LINEAGE: apache-airflow-providers-openlineage is not installed", file=sys.stderr)
    pytest.skip("apache-airflow-providers-openlineage is not installed", allow_module_level=True)

DAG_FILE = """
import pendulum
from pathlib import Path
from airflow.sdk import DAG
from airflow_mlpipe import CommandStep, DataReference, Datastore, PipelineData, step

@step
def packed(tree: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(tree.iterdir()))

@step
def length(data: bytes) -> int:
    return len(data)

with DAG("lineage", schedule=None):
    lake = Datastore("lake", url="@LAKE@")
    raw = DataReference(lake, "a #1 b.csv", name="raw")
    tree, note = PipelineData("tree"), PipelineData("note", kind="file")
    CommandStep(task_id="copy", command=["cp", raw, tree], inputs=[raw], outputs=[tree])
    CommandStep(task_id="list", command=["sh", "-c", "ls $0 > $1", tree, note], inputs=[tree], outputs=[note])
    CommandStep(task_id="fail", command=["false", note], inputs=[note], outputs=[PipelineData("never")])
    length(packed(tree))
"""
RUN = """
import sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag

folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="lineage")
for _ in range(2):
    bag.dags["lineage"].test()
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was told of two runs of a pipeline; the first executed, the second was reused.

    :param log: of both runs.
    """

    events: list[dict[str, Any]]
    folder: Path
    log: str

    def of(self, job: str, kind: str) -> list[dict[str, Any]]:
        """The events of a task of one kind, one for each run."""
        return [e for e in self.events if e["job"]["name"] == f"lineage.{job}" and e["eventType"] == kind]


def versions(data: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Namespace, name and version of datasets."""
    return [(d["namespace"], d["name"], d["facets"]["version"]["datasetVersion"]) for d in data]


@pytest.fixture(scope="module")
def told(airflow_db, airflow_home, tmp_path_factory):
    """Run it twice in a process of its own: the provider decides at its import whether it listens."""
    folder = tmp_path_factory.mktemp("lineage")
    dags, lake, file = folder / "dags", folder / "lake", folder / "events.json"
    dags.mkdir()
    lake.mkdir()
    (lake / "a #1 b.csv").write_text("1,2")
    (dags / "pipeline.py").write_text(DAG_FILE.replace("@LAKE@", lake.as_uri()))
    bundle = {
        "name": "lineage",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(dags)},
    }
    options = {
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": str(file), "append": True}),
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
        "AIRFLOW__MLPIPE__WORKSPACE": (folder / "workspace").as_uri(),
        "AIRFLOW__MLPIPE__CACHE": str(folder / "cache"),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(dags)], env=os.environ | options, capture_output=True, text=True
    )
    assert file.exists(), done.stdout[-3000:] + done.stderr[-3000:]
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return Told(events=events, folder=folder, log=done.stdout + done.stderr)


def test_both_runs_told_of_each_step(told):
    """A start and an end each; the second run was reused."""
    assert told.log.count("REUSED from lineage/") == 4
    for job, end in (("copy", "COMPLETE"), ("list", "COMPLETE"), ("fail", "FAIL")):
        assert (len(told.of(job, "START")), len(told.of(job, end))) == (2, 2)


def test_data_of_a_lake_are_an_input_with_their_digest(told):
    """By their plain name, for an executed step and for a reused one."""
    name = str(told.folder / "lake" / "a #1 b.csv")
    for event in told.of("copy", "COMPLETE"):
        assert versions(event["inputs"]) == [("file", name, digest_bytes(b"1,2"))]


def test_an_output_is_a_dataset_whose_version_is_its_digest(told):
    """A reused step has the outputs of the original."""
    executed, reused = (versions(event["outputs"]) for event in told.of("copy", "COMPLETE"))
    assert executed == reused
    ((namespace, name, version),) = executed
    assert namespace == "file"
    assert version.startswith("tree:")
    assert Path(name) == told.folder / "workspace" / tree_key(version)
    assert Path(name).is_file()


def test_the_output_of_one_step_is_the_input_of_the_next(told):
    """The same dataset and version, so that the graph is whole."""
    for producer, consumer in zip(told.of("copy", "COMPLETE"), told.of("list", "COMPLETE"), strict=True):
        assert versions(consumer["inputs"]) == versions(producer["outputs"])


def test_a_function_has_its_arguments_as_inputs_and_its_value_as_an_output(told):
    """Data by digest, executed or reused; a small value that XCom itself holds is no dataset."""
    copied, packed, counted = (told.of(job, "COMPLETE") for job in ("copy", "packed", "length"))
    for before, function, after in zip(copied, packed, counted, strict=True):
        assert versions(function["inputs"]) == versions(before["outputs"])
        ((_, _, version),) = versions(function["outputs"])
        assert version == digest_bytes(b"1,2")
        assert versions(after["inputs"]) == versions(function["outputs"])
        assert after["outputs"] == []


def test_a_step_that_failed_has_inputs_and_no_outputs(told):
    """What it read is known; it wrote nothing that counts."""
    for event, upstream in zip(told.of("fail", "FAIL"), told.of("list", "COMPLETE"), strict=True):
        assert versions(event["inputs"]) == versions(upstream["outputs"])
        assert event["outputs"] == []
