"""Steps in pods, in a real Airflow: of the cluster's double, with the workspace in an object store."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kubernetes_double.double import KubernetesDouble
    from servers import S3Server

STEPS = """
    from airflow_mlpipe import CommandStep, Environment, Outputs, PipelineData, Resources, ScriptStep, step

    IMAGE = Environment(image="{image}")

    @step(compute_target="cluster", environment=IMAGE, resources=Resources(cpu=0.5, memory="256Mi", shm="32Mi"))
    def numbers(count: int) -> Outputs(total=int, words=list):
        import os
        return Outputs(total=sum(range(count)), words=[os.environ["HOME"], os.getcwd()])

    with DAG("pods", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        text, upper = PipelineData("text", kind="file"), PipelineData("upper", kind="file")
        ScriptStep(task_id="write", script_name="write.py", source_directory="code", compute_target="cluster",
                   environment=IMAGE, outputs=[text], arguments=[text])
        CommandStep(task_id="shout", command=["sh", "-c", 'tr a-z A-Z < "$0" > "$1"', text, upper],
                    compute_target="cluster", environment=IMAGE, outputs=[upper])

        @step
        def read(upper) -> str:
            return upper.read_text()

        read(upper)
        numbers(10)
    """
FILES = {
    "code/write.py": "import helper, sys\nopen(sys.argv[1], 'w').write(helper.TEXT)\n",
    "code/helper.py": "TEXT = 'abc'\n",
}
DEFERRED = """
    from airflow_mlpipe import CommandStep, Environment, PipelineData

    with DAG("deferred_pod", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        text = PipelineData("text", kind="file")
        CommandStep(task_id="one", command=["sh", "-c", '{script}', "sh", text], compute_target="cluster",
                    environment=Environment(image="{image}"), outputs=[text], deferrable=True)
    """

pytestmark = pytest.mark.slow


@pytest.fixture
def namespace(
    kubernetes_double: KubernetesDouble, s3: S3Server, agent_image: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A deployment whose compute ``cluster`` is a namespace of the double; at its end nothing of ours is in it."""
    from kubernetes_double.objects.resources import PODS, SECRETS
    from support.pods import until

    labels = {"kubernetes-double/network": "host", "pod-security.kubernetes.io/enforce": "restricted"}
    name = kubernetes_double.add_namespace(f"test-{uuid.uuid4().hex[:10]}", labels)
    compute = {
        "kind": "kubernetes",
        "kubeconfig": str(kubernetes_double.kubeconfig),
        "namespace": name,
        "agent_image": agent_image,
        "resolve_digest": False,
        "user": "1000:1000",
    }
    workspace = f"s3://{s3.new_bucket()}/ml"
    connection = {
        "conn_type": "mlpipe_datastore",
        "login": "testing",
        "password": "testing",
        "extra": {"url": workspace, "endpoint_url": s3.endpoint, "region": "us-east-1"},
    }
    monkeypatch.setenv("AIRFLOW__MLPIPE__COMPUTES", json.dumps({"cluster": compute}))
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", workspace)
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE_CONNECTION", "bucket")
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    yield name
    store = kubernetes_double.store
    until(lambda: not [*store.all(PODS, name), *store.all(SECRETS, name)])
    kubernetes_double.clear(name)


def test_scripts_commands_and_functions_run_in_pods_and_are_reused(run_dag, base_image, namespace):
    """Data move between pods and the worker through the workspace; the second run starts no pod."""
    source = STEPS.replace("{image}", base_image)
    run = run_dag(source, files=FILES)
    assert set(run.states.values()) == {"success"}, run.log
    assert run["read"].xcoms["return_value"] == "ABC"
    assert run["numbers"].xcoms["total"] == 45
    assert run["numbers"].xcoms["words"] == ["/mlpipe/home", "/mlpipe/code"]
    assert "created the pod" in run["shout"].log
    again = run_dag(source, files=FILES)
    assert again.executed == []
    assert "created the pod" not in again.log


def test_a_deferred_step_waits_in_the_triggerer_and_its_result_counts(run_dag, base_image, namespace):
    """Its lines are shown once each; the second run reuses it."""
    source = DEFERRED.replace("{image}", base_image)
    source = source.replace("{script}", "echo first line; sleep 7; echo last line; echo x > $1")
    run = run_dag(source)
    assert run["one"].state == "success", run.log
    assert "the program goes on by itself" in run["one"].log
    for line in ("first line", "last line"):
        assert run.log.count(line) - run.log.count(f"echo {line}") == 1, run.log
    assert run_dag(source).executed == []


def test_a_deferred_step_that_fails_is_told_as_any_other(run_dag, base_image, namespace):
    """Its exit code, after the triggerer has seen its end; and a pod that no node takes is not waited for forever."""
    run = run_dag(DEFERRED.replace("{image}", base_image).replace("{script}", "echo why; exit 3"))
    assert run["one"].state == "failed"
    assert "ended with exit code 3" in run["one"].log


OPERATOR = """
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    with DAG("operator", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        KubernetesPodOperator(task_id="one", name="one", namespace="{namespace}", image="{image}",
                              cmds=["/bin/sh", "-c"], arguments=["sleep 8"], config_file="{config}",
                              container_security_context={{"allowPrivilegeEscalation": False, "runAsUser": 1000,
                                  "runAsNonRoot": True, "capabilities": {{"drop": ["ALL"]}},
                                  "seccompProfile": {{"type": "RuntimeDefault"}}}})
    """
OURS = """
    from airflow_mlpipe import CommandStep, Environment

    with DAG("ours", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        CommandStep(task_id="one", command=["sh", "-c", "sleep 8"], compute_target="cluster",
                    environment=Environment(image="{image}"))
    """


def test_a_step_asks_the_api_for_no_more_than_airflows_own_operator(
    run_dag, base_image, kubernetes_double: KubernetesDouble, namespace
):
    """For a program of the same length."""

    def asked(source: str) -> int:
        before = len(kubernetes_double.requests(path=namespace))
        run = run_dag(source)
        assert run.state == "success", run.log
        return len(kubernetes_double.requests(path=namespace)) - before

    config = str(kubernetes_double.kubeconfig)
    theirs = asked(OPERATOR.format(namespace=namespace, image=base_image, config=config))
    ours = asked(OURS.replace("{image}", base_image))
    assert 0 < ours <= theirs, (ours, theirs)


def test_a_compute_behind_two_connections_answers(kubernetes_double: KubernetesDouble, monkeypatch, namespace):
    """Its options in one of ours, its cluster in one of Airflow's own type; the button in the form asks the cluster."""
    from airflow_mlpipe.hooks.computes import ComputeHook

    cluster = {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubernetes_double.kubeconfig)}}
    ours = {"kind": "kubernetes", "connection": "their_cluster", "namespace": namespace, "gpus": '{"a100": {}}'}
    monkeypatch.setenv("AIRFLOW_CONN_THEIR_CLUSTER", json.dumps(cluster))
    monkeypatch.setenv("AIRFLOW_CONN_PODS", json.dumps({"conn_type": "mlpipe_compute", "extra": ours}))
    assert ComputeHook("pods").test_connection() == (True, f"the cluster lets this user see the pods of {namespace}")
    _, nobody = kubernetes_double.add_user(f"nobody-{uuid.uuid4().hex[:6]}", ())
    cluster["extra"] = {"kube_config_path": str(nobody)}
    monkeypatch.setenv("AIRFLOW_CONN_THEIR_CLUSTER", json.dumps(cluster))
    answers, why = ComputeHook("pods").test_connection()
    assert not answers
    assert "cannot list resource" in why
