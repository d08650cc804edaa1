"""From a task to the document of a container: golden files, and what is refused."""

from __future__ import annotations

import io
import json
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.executors import spec
from airflow_mlpipe.executors.config import DockerConfig
from airflow_mlpipe.executors.mount import Mount
from airflow_mlpipe.executors.options import Options

GOLDEN = Path(__file__).parents[2] / "golden" / "executors"
TASK = spec.Task(
    id="019ab3c2-7c30-7f6e-9d5a-2f2b8f1c0001",
    dag_id="vision",
    task_id="train.fit",
    run_id="manual__2026-11-21T23:22:16+00:00",
    map_index=3,
    try_number=2,
    log_path="dag_id=vision/run_id=manual/task_id=train.fit/map_index=3/attempt=2.log",
    log_size=17,
)
OPTIONS = Options(
    deployment="d1",
    image="ml/airflow:7",
    api_url="http://api-server:8080/execution/",
    executors="LocalExecutor,airflow_mlpipe.executors.DockerExecutor",
    environment={"AIRFLOW__CORE__DAGS_FOLDER": "/dags"},
    labels={"team": "vision"},
)
FULL = replace(
    OPTIONS,
    api_url="http://host.docker.internal:8080/execution/",
    network="airflow",
    mounts=(Mount(source="/srv/dags", target="/dags", read_only=True),),
    allowed_mounts=("/srv/data", "models"),
    allowed_networks=("gpu-net",),
)
CASES = {
    "least": (DockerConfig(), OPTIONS),
    "all": (
        DockerConfig(
            image="ml/gpu:1",
            cpus=1.5,
            memory="16Gi",
            gpus=2,
            shm="2Gi",
            mounts=["/srv/data/images:/images", "models:/models:rw"],
            network="gpu-net",
            environment={"HF_HOME": "/cache", "AIRFLOW__CORE__DAGS_FOLDER": "/other"},
        ),
        FULL,
    ),
    "gpus_all": (DockerConfig(gpus="all"), OPTIONS),
    "gpus_by_id": (DockerConfig(gpus=["0", "GPU-3faa8e21"]), OPTIONS),
}


@pytest.mark.parametrize("name", CASES)
def test_the_document_is_the_golden_one(name):
    """What the engine is asked for changes only on purpose; ``WRITE_GOLDEN=1`` writes the files."""
    config, options = CASES[name]
    found = spec.container_document(TASK, config, options)
    file = GOLDEN / f"{name}.json"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert json.loads(file.read_text()) == found


def test_the_labels_that_the_executor_reads_are_its_own():
    """A label of the deployment's configuration cannot replace them."""
    options = replace(OPTIONS, labels={spec.DEPLOYMENT: "another", spec.TASK_INSTANCE: "another"})
    labels = spec.container_document(TASK, DockerConfig(), options)["Labels"]
    assert (labels[spec.DEPLOYMENT], labels[spec.TASK_INSTANCE]) == ("d1", TASK.id)


@pytest.mark.parametrize(
    ("config", "options", "words"),
    [
        (DockerConfig(), replace(OPTIONS, image=None), "['image']: no image is named"),
        (DockerConfig(mounts=["/etc:/etc"]), OPTIONS, "['mounts']: tasks may not mount this. given: '/etc'"),
        (DockerConfig(mounts=["/srv/data/../x:/x"]), FULL, "given: '/srv/x'. valid: '/srv/data', 'models'"),
        (DockerConfig(mounts=["/srv/database:/x"]), FULL, "given: '/srv/database'"),
        (DockerConfig(mounts=["models2:/x"]), FULL, "given: 'models2'"),
        (DockerConfig(network="host"), FULL, "['network']: tasks may not use this network. given: 'host'"),
        (
            DockerConfig(environment={"AIRFLOW_CONN_DB": "x"}),
            OPTIONS,
            "would see this secret. given: ['AIRFLOW_CONN_DB']",
        ),
    ],
)
def test_what_the_deployment_does_not_allow_is_refused(config, options, words):
    """The message names the member, what was given and what is allowed."""
    with pytest.raises(DefinitionError) as error:
        spec.container_document(TASK, config, options)
    assert words in str(error.value)
    assert "executor_config['docker']" in str(error.value)


def test_the_archive_is_one_file_that_any_user_of_the_image_can_read():
    """Images run as users that are not known here."""
    with tarfile.open(fileobj=io.BytesIO(spec.workload_archive(b"{}"))) as archive:
        (member,) = archive.getmembers()
        assert (member.name, member.mode) == (spec.COMMAND[-1].lstrip("/"), 0o444)
        assert archive.extractfile(member).read() == b"{}"


def test_a_name_is_what_docker_takes():
    """Whatever letters the ids have."""
    name = spec.container_name(replace(TASK, dag_id="größe/x", task_id="y" * 300), "0f")
    assert name.startswith("airflow-gr_e_x.yyy")
    assert name.endswith("-0f")
    assert len(name) < 128
    assert name.isascii()
