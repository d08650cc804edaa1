"""Airflow's own operators for Kubernetes run against the test double: what they rely on is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.pods import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

    from kubernetes_double.double import KubernetesDouble
    from support.dags import DagRunner, RunOutcome

    Runner = Callable[..., RunOutcome]


pytestmark = [pytest.mark.kubernetes, pytest.mark.docker]

_DAG = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from kubernetes.client import models as k8s

with DAG("on_kubernetes"):
    {operator}(
        task_id="work",
        name="work",
        namespace="{namespace}",
        image="{image}",
        cmds=["/bin/sh", "-c"],
        arguments=['''{script}'''],
        config_file="{config}",
        {more}
    )
"""


@pytest.fixture
def run(run_dag: DagRunner, kubernetes_double: KubernetesDouble, cluster: Cluster, base_image: str) -> Runner:
    """Run a script as a task."""

    def call(script: str, more: str = "", operator: str = "KubernetesPodOperator") -> RunOutcome:
        source = _DAG.format(
            operator=operator,
            namespace=cluster.namespace,
            image=base_image,
            script=script,
            config=kubernetes_double.kubeconfig,
            more=more,
        )
        return run_dag(source)

    return call


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_pod_operator_succeeds(
    run: Runner, kubernetes_double: KubernetesDouble, cluster: Cluster, deferrable: bool
) -> None:
    """Its pod runs, its log is the task's, and its pod is deleted; deferred, the trigger watches it."""
    outcome = run("echo from the pod", f"deferrable={deferrable}, do_xcom_push=False")
    assert outcome.state == "success", outcome.log
    assert "from the pod" in outcome.log
    watched = [
        request for request in kubernetes_double.requests("GET", f"{cluster.namespace}/") if "watch" in request.query
    ]
    assert bool(watched) is deferrable
    (created,) = kubernetes_double.requests("POST", f"{cluster.namespace}/pods$")
    assert created.status == 201
    assert kubernetes_double.requests("DELETE", f"{cluster.namespace}/pods/work-")


@pytest.mark.parametrize("deferrable", [False, True])
def test_the_pod_operator_fails(run: Runner, deferrable: bool) -> None:
    """The exit code of its container fails the task."""
    outcome = run("echo before; exit 3", f"deferrable={deferrable}, do_xcom_push=False")
    assert outcome.state == "failed"
    assert "before" in outcome.log


def test_the_pod_operator_gives_up_a_pod_that_no_node_takes(run: Runner) -> None:
    """What the scheduler says is in the task's log."""
    more = (
        "do_xcom_push=False, schedule_timeout_seconds=1, startup_timeout_seconds=1, startup_check_interval_seconds=1,"
        "container_resources=k8s.V1ResourceRequirements(limits={'nvidia.com/gpu': '1'})"
    )
    outcome = run("true", more)
    assert outcome.state == "failed"
    assert "2 Insufficient nvidia.com/gpu" in outcome.log


def test_the_job_operator_succeeds(run: Runner, cluster: Cluster) -> None:
    """A job is made, its pod runs, and the task waits for it."""
    outcome = run("true", "wait_until_job_complete=True, job_poll_interval=1", "KubernetesJobOperator")
    assert outcome.state == "success", outcome.log
    (job,) = cluster.batch.list_namespaced_job(cluster.namespace).items
    assert job.status.succeeded == 1
