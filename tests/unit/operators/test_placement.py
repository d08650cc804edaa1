"""A compute of kind ``airflow`` is where Airflow runs a step's task."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from airflow.sdk import DAG

from airflow_mlpipe import CommandStep, Gpu, Resources, step
from airflow_mlpipe.errors import ConfigurationError, DefinitionError

A100 = {"node_selector": {"gpu": "a100"}, "tolerations": [{"key": "gpu", "operator": "Exists"}], "memory": "40Gi"}
COMPUTES = {
    "cluster": {"kind": "airflow", "executor": "KubernetesExecutor", "pool": "gpus", "gpus": {"a100": A100}},
    "box": {"kind": "airflow", "executor": "DockerExecutor"},
    "celery": {"kind": "airflow", "queue": "gpu", "executor": "CeleryExecutor"},
    "wrong": {"kind": "airflow", "takes": "everything"},
}


@pytest.fixture(autouse=True)
def computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the deployment says."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__COMPUTES", json.dumps(COMPUTES))


@pytest.fixture
def dag() -> Iterator[DAG]:
    """A DAG to define steps in."""
    with DAG("placed", schedule=None) as dag:
        yield dag


def test_a_queue_and_an_executor_come_from_the_compute(dag: DAG) -> None:
    """And nothing where there is nothing to say."""
    placed = CommandStep(task_id="a", command=["true"], compute_target="celery", resources=Resources(gpu=1))
    assert (placed.queue, placed.executor, placed.executor_config) == ("gpu", "CeleryExecutor", {})
    assert CommandStep(task_id="b", command=["true"]).executor is None


def test_a_kubernetes_executor_gets_a_pod_made_of_the_resources(dag: DAG) -> None:
    """Requests and limits, the nodes of that kind of GPU, shared memory; the pool has a slot for each GPU."""
    resources = Resources(cpu=4, memory="16Gi", gpu=Gpu(2, kind="a100", memory="40Gi"), shm="2Gi", disk="50Gi")
    placed = CommandStep(task_id="a", command=["true"], compute_target="cluster", resources=resources)
    assert (placed.pool, placed.pool_slots) == ("gpus", 2)
    spec = placed.executor_config["pod_override"].spec
    (base,) = spec.containers
    assert base.name == "base"
    assert base.resources.limits == {"memory": "16Gi", "ephemeral-storage": "50Gi", "nvidia.com/gpu": "2"}
    assert base.resources.requests == {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "50Gi"}
    assert spec.node_selector == {"gpu": "a100"}
    assert [(t.key, t.operator) for t in spec.tolerations] == [("gpu", "Exists")]
    assert (base.volume_mounts[0].mount_path, spec.volumes[0].empty_dir.size_limit) == ("/dev/shm", "2Gi")


def test_the_pod_survives_airflows_serialisation_and_its_own_merge(dag: DAG) -> None:
    """Airflow's KubernetesExecutor takes it from the serialised DAG and merges it into the template."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
    from airflow.serialization.serialized_objects import DagSerialization
    from kubernetes.client import models as k8s

    CommandStep(task_id="a", command=["true"], compute_target="cluster", resources=Resources(gpu=1))
    again = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("a")
    template = k8s.V1Pod(spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base", image="airflow")]))
    merged = PodGenerator.reconcile_pods(template, PodGenerator.from_obj(again.executor_config))
    (base,) = merged.spec.containers
    assert (base.image, base.resources.limits) == ("airflow", {"nvidia.com/gpu": "1"})


def test_a_docker_executor_gets_its_own_form(dag: DAG) -> None:
    """The same as an author would write for it."""
    resources = Resources(cpu=2, memory="4Gi", gpu=1)
    placed = CommandStep(task_id="a", command=["true"], compute_target="box", resources=resources)
    assert placed.executor_config == {"docker": {"cpus": 2, "memory": "4Gi", "gpus": 1}}


def test_what_the_author_says_stays(dag: DAG) -> None:
    """An argument of the task is stronger than the compute."""
    placed = CommandStep(task_id="a", command=["true"], compute_target="celery", queue="mine", executor="LocalExecutor")
    assert (placed.queue, placed.executor) == ("mine", "LocalExecutor")


def test_mapped_steps_and_functions_are_placed_alike(dag: DAG) -> None:
    """On all ways in which a step is made."""

    @step(compute_target="cluster", resources=Resources(gpu=2))
    def train(lr: float) -> int:
        return 1

    mapped = CommandStep.partial(task_id="m", compute_target="celery").expand(command=[["true"], ["false"]])
    assert mapped.queue == "gpu"
    assert train(0.1).operator.pool_slots == 2
    assert train.expand(lr=[0.1, 0.2]).operator.pool_slots == 2


def test_mistakes_are_seen_at_parse(dag: DAG) -> None:
    """Of the author, and of the deployment."""
    with pytest.raises(DefinitionError, match=r"step 'a'.*does not have such GPUs.*'h100'.*valid: 'a100'"):
        CommandStep(
            task_id="a", command=["true"], compute_target="cluster", resources=Resources(gpu=Gpu(1, kind="h100"))
        )
    with pytest.raises(ConfigurationError, match=r"computes: wrong.*no such form.*'everything'"):
        CommandStep(task_id="b", command=["true"], compute_target="wrong")
