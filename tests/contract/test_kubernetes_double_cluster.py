"""The test double of a cluster places pods, disturbs them and runs jobs as a cluster does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.pods import Cluster, condition, container, pod, refused, state, until

if TYPE_CHECKING:
    from kubernetes_double.double import KubernetesDouble
    from kubernetes_double.options import Node

pytestmark = [pytest.mark.kubernetes, pytest.mark.docker]

_FOREVER = container("trap 'exit 0' TERM; while :; do sleep 0.1; done")


@pytest.fixture
def gpu_node(kubernetes_double: KubernetesDouble) -> Iterator[Node]:
    """A node with two GPUs, a label and a taint."""
    from kubernetes_double.options import Node

    node = Node(
        name="gpu-a",
        allocatable={"nvidia.com/gpu": "2"},
        labels={"pool": "gpu", "zone": "7"},
        taints=(("nvidia.com/gpu", "present", "NoSchedule"),),
    )
    kubernetes_double.add_node(node)
    yield node
    if node.name in {n["metadata"]["name"] for n in kubernetes_double.nodes()}:
        kubernetes_double.remove_node(node.name)


def gpus(count: int, **more: Any) -> dict[str, Any]:
    return {**_FOREVER, "resources": {"limits": {"nvidia.com/gpu": str(count)}}, **more}


_TOLERATION: dict[str, Any] = {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]}


def unschedulable(cluster: Cluster, name: str) -> str:
    """Why a pod has no node."""
    found = until(lambda: c if (c := condition(cluster.get(name), "PodScheduled")) and c.status == "False" else None)
    assert found.reason == "Unschedulable"
    until(lambda: found.message in cluster.events(name).get("FailedScheduling", ""))
    return str(found.message)


# -- the scheduler ----------------------------------------------------------------------------------------------------


def test_nobody_has_a_gpu(cluster: Cluster) -> None:
    """A pod that no node can take stays pending, and says why in the scheduler's words."""
    cluster.run(pod("p", gpus(1)))
    assert unschedulable(cluster, "p") == (
        "0/2 nodes are available: 2 Insufficient nvidia.com/gpu. preemption: 0/2 nodes are available: "
        "2 No preemption victims found for incoming pod."
    )
    assert cluster.get("p").status.phase == "Pending"


def test_gpus_are_counted(cluster: Cluster, gpu_node: Node) -> None:
    """A node's devices are there once; the next pod waits for the end of the one that has them."""
    cluster.run(pod("first", gpus(2), **_TOLERATION))
    assert cluster.running("first").spec.node_name == gpu_node.name
    cluster.run(pod("second", gpus(1), **_TOLERATION))
    assert "3 Insufficient nvidia.com/gpu" in unschedulable(cluster, "second")
    cluster.core.delete_namespaced_pod("first", cluster.namespace)
    assert cluster.running("second").spec.node_name == gpu_node.name


def test_a_taint_keeps_pods_away(cluster: Cluster, gpu_node: Node) -> None:
    """A node with a taint takes only pods that tolerate it."""
    cluster.run(pod("p", nodeSelector={"pool": "gpu"}))
    assert unschedulable(cluster, "p") == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}, "
        "2 node(s) didn't match Pod's node affinity/selector. preemption: 0/3 nodes are available: "
        "3 Preemption is not helpful for scheduling."
    )
    assert cluster.done(pod("q", nodeSelector={"pool": "gpu"}, **_TOLERATION)).spec.node_name == gpu_node.name


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ({"key": "pool", "operator": "In", "values": ["gpu", "other"]}, True),
        ({"key": "pool", "operator": "NotIn", "values": ["gpu"]}, False),
        ({"key": "zone", "operator": "Gt", "values": ["6"]}, True),
        ({"key": "zone", "operator": "Lt", "values": ["6"]}, False),
        ({"key": "zone", "operator": "Exists"}, True),
    ],
)
def test_node_affinity(expression: dict[str, Any], fits: bool) -> None:
    """Expressions on the labels of nodes, as the scheduler reads them."""
    from kubernetes_double.control.fit import why_not
    from kubernetes_double.objects.resources import Object

    node: Object = {
        "metadata": {"name": "n", "labels": {"pool": "gpu", "zone": "7"}},
        "spec": {},
        "status": {"allocatable": {"cpu": "1", "memory": "1Gi"}},
    }
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    spec = {"containers": [], "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
    assert (why_not({"spec": spec}, node, {}) == []) is fits


def test_a_new_node_takes_what_waits(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """A pod that fits nowhere starts when a node comes on which it fits."""
    from kubernetes_double.options import Node

    cluster.run(pod("p", container(resources={"requests": {"memory": "100Gi"}})))
    assert "2 Insufficient memory" in unschedulable(cluster, "p")
    kubernetes_double.add_node(Node(name="big", allocatable={"memory": "200Gi"}))
    assert cluster.ended("p").spec.node_name == "big"
    kubernetes_double.remove_node("big")


def test_init_containers_and_sidecars_need_room_too() -> None:
    """The most that is needed at a time: init containers alone, sidecars with all that follows."""
    from kubernetes_double.control.fit import requested

    def needs(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    spec = {"initContainers": [needs("1", restartPolicy="Always"), needs("5")], "containers": [needs("2"), needs("2")]}
    assert requested({"spec": spec}) == {"cpu": 6}


def test_a_pod_of_a_claim_that_is_not_there(cluster: Cluster) -> None:
    """It is not placed, and told so."""
    cluster.run(pod("p", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "none"}}]))
    assert 'persistentvolumeclaim "none" not found' in unschedulable(cluster, "p")


# -- disturbances -----------------------------------------------------------------------------------------------------


def test_an_eviction_by_the_kubelet_fails_the_pod(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """Phase ``Failed``, reason ``Evicted``, condition ``DisruptionTarget``; the object stays."""
    cluster.run(pod("p", _FOREVER))
    cluster.running("p")
    kubernetes_double.evict("p", cluster.namespace)
    ended = cluster.ended("p")
    assert (ended.status.phase, ended.status.reason) == ("Failed", "Evicted")
    assert "The node was low on resource: memory" in ended.status.message
    assert condition(ended, "DisruptionTarget").reason == "TerminationByKubelet"


def test_an_eviction_by_the_api_deletes_the_pod(cluster: Cluster) -> None:
    """As a drain asks for: marked, and deleted with its grace."""
    body = pod("p", _FOREVER)
    body["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.run(body)
    cluster.running("p")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    cluster.core.create_namespaced_pod_eviction("p", cluster.namespace, eviction)
    ended = cluster.ended("p")
    assert condition(ended, "DisruptionTarget").reason == "EvictionByEvictionAPI"
    assert ended.metadata.deletion_timestamp


def test_a_preempted_pod_says_so(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """Condition ``DisruptionTarget`` with the scheduler's reason, then a deletion."""
    body = pod("p", _FOREVER)
    body["metadata"]["finalizers"] = ["example.com/hold"]
    cluster.run(body)
    cluster.running("p")
    kubernetes_double.preempt("p", cluster.namespace)
    assert condition(cluster.ended("p"), "DisruptionTarget").reason == "PreemptionByScheduler"
    assert "Preempted" in cluster.events("p")


def test_a_lost_node_leaves_its_pods_terminating(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """Nobody reports of them, their logs cannot be had, and they go only with the node."""
    from kubernetes_double.options import Node

    kubernetes_double.add_node(Node(name="frail", labels={"frail": "yes"}))
    cluster.run(pod("p", _FOREVER, nodeSelector={"frail": "yes"}))
    cluster.running("p")
    kubernetes_double.lose_node("frail")
    found = cluster.get("p")
    assert found.metadata.deletion_timestamp
    assert (found.status.phase, condition(found, "Ready").reason) == ("Running", "NodeLost")
    assert condition(found, "DisruptionTarget").reason == "DeletionByTaintManager"
    assert refused(cluster.core.read_namespaced_pod_log, "p", cluster.namespace)["code"] == 500
    kubernetes_double.remove_node("frail")
    until(lambda: cluster.is_gone("p"))


def test_a_node_that_comes_back_ends_what_was_deleted(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """A node that was only cut off does what it has missed."""
    from kubernetes_double.options import Node

    kubernetes_double.add_node(Node(name="shy", labels={"shy": "yes"}))
    cluster.run(pod("p", _FOREVER, nodeSelector={"shy": "yes"}))
    cluster.running("p")
    kubernetes_double.lose_node("shy", crash=False)
    assert state(cluster.get("p")).running
    kubernetes_double.find_node("shy")
    until(lambda: cluster.is_gone("p"))
    kubernetes_double.remove_node("shy")


# -- jobs -------------------------------------------------------------------------------------------------------------


def job(script: str, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [container(script)]}}
    return {"metadata": {"name": "j"}, "spec": {"template": template, "backoffLimit": 0, **spec}}


def over(cluster: Cluster) -> Any:
    def look() -> Any:
        found = cluster.batch.read_namespaced_job_status("j", cluster.namespace)
        return found if condition(found, "Complete") or condition(found, "Failed") else None

    return until(look)


def pods_of(cluster: Cluster) -> list[Any]:
    found = cluster.core.list_namespaced_pod(cluster.namespace, label_selector="batch.kubernetes.io/job-name=j")
    return list(found.items)


def test_a_job_completes(cluster: Cluster) -> None:
    """Its pod belongs to it and carries its labels; when it has succeeded, so has the job."""
    cluster.batch.create_namespaced_job(cluster.namespace, job("echo done"))
    ended = over(cluster)
    assert (condition(ended, "Complete").status, ended.status.succeeded) == ("True", 1)
    (only,) = pods_of(cluster)
    assert only.metadata.owner_references[0].uid == ended.metadata.uid
    assert only.metadata.labels["batch.kubernetes.io/controller-uid"] == ended.metadata.uid


def test_a_job_tries_again_up_to_its_limit(cluster: Cluster) -> None:
    """``backoffLimit`` 1 means two pods; then it has failed."""
    cluster.batch.create_namespaced_job(cluster.namespace, job("exit 3", backoffLimit=1))
    ended = over(cluster)
    assert (condition(ended, "Failed").reason, ended.status.failed) == ("BackoffLimitExceeded", 2)
    assert len(pods_of(cluster)) == 2


def test_a_job_of_several(cluster: Cluster) -> None:
    """An indexed job gives each pod its number."""
    body = job("echo $JOB_COMPLETION_INDEX", completions=2, parallelism=2, completionMode="Indexed")
    cluster.batch.create_namespaced_job(cluster.namespace, body)
    assert over(cluster).status.succeeded == 2
    assert sorted(cluster.log(each.metadata.name) for each in pods_of(cluster)) == ["0\n", "1\n"]


def test_a_job_has_a_deadline(cluster: Cluster) -> None:
    """After ``activeDeadlineSeconds`` it has failed, and its pod goes."""
    cluster.batch.create_namespaced_job(cluster.namespace, job("exec sleep 1000", activeDeadlineSeconds=1))
    assert condition(over(cluster), "Failed").reason == "DeadlineExceeded"


@pytest.mark.parametrize(("policy", "left"), [("Background", 0), ("Foreground", 0), (None, 1)])
def test_what_becomes_of_the_pods_of_a_deleted_job(cluster: Cluster, policy: str | None, left: int) -> None:
    """They go with the job where the client says so; without a word they are orphans."""
    cluster.batch.create_namespaced_job(cluster.namespace, job("true"))
    over(cluster)
    options = {"propagation_policy": policy} if policy else {}
    cluster.batch.delete_namespaced_job("j", cluster.namespace, **options)
    until(lambda: not cluster.batch.list_namespaced_job(cluster.namespace).items)
    until(lambda: len(pods_of(cluster)) == left)
    assert all(not each.metadata.owner_references for each in pods_of(cluster))


def test_a_job_counts_what_was_deleted(cluster: Cluster) -> None:
    """A pod that somebody deletes is a failure, and stays one when it is gone."""
    body = job("exec sleep 1000", backoffLimit=1)
    body["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 0
    cluster.batch.create_namespaced_job(cluster.namespace, body)
    for _ in range(2):
        (name,) = until(lambda: [each.metadata.name for each in pods_of(cluster)])
        cluster.begun(name)
        cluster.core.delete_namespaced_pod(name, cluster.namespace)
        until(lambda name=name: cluster.is_gone(name))
    ended = over(cluster)
    assert (condition(ended, "Failed").reason, ended.status.failed) == ("BackoffLimitExceeded", 2)


def test_a_job_whose_pods_are_forbidden(cluster: Cluster) -> None:
    """The job is taken; that its pod is not is told by an event."""
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.core.patch_namespace(cluster.namespace, label)
    cluster.batch.create_namespaced_job(cluster.namespace, job("true"))
    assert 'violates PodSecurity "restricted:latest"' in until(lambda: cluster.events("j").get("FailedCreate"))


def test_a_job_must_not_restart_always(cluster: Cluster) -> None:
    """The usual restart policy of pods is none of a job's."""
    body = job("true")
    del body["spec"]["template"]["spec"]["restartPolicy"]
    assert refused(cluster.batch.create_namespaced_job, cluster.namespace, body)["code"] == 422
