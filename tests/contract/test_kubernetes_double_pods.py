"""The test double of a cluster runs pods as a kubelet does: order, ends, restarts, probes, logs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.pods import Cluster, condition, container, pod, refused, sidecar, state, status, until

if TYPE_CHECKING:
    from docker import DockerClient
    from kubernetes_double.double import KubernetesDouble

pytestmark = [pytest.mark.kubernetes, pytest.mark.docker]

_SHARED: dict[str, Any] = {"volumes": [{"name": "v", "emptyDir": {}}]}
_AT_V = [{"name": "v", "mountPath": "/v"}]


# -- life -------------------------------------------------------------------------------------------------------------


def test_a_pod_succeeds(cluster: Cluster) -> None:
    """A pod whose program ends with 0 has succeeded; its state says how, and its events what happened."""
    ended = cluster.done(pod("p", container("echo hello")))
    assert ended.status.phase == "Succeeded"
    found = state(ended).terminated
    assert (found.exit_code, found.reason) == (0, "Completed")
    assert found.finished_at >= found.started_at
    assert condition(ended, "Ready").reason == "PodCompleted"
    assert cluster.log("p") == "hello\n"
    assert {"Scheduled", "Pulled", "Created", "Started"} <= cluster.events("p").keys()


def test_a_pod_fails_with_the_code_and_the_last_words_of_its_program(cluster: Cluster) -> None:
    """Exit code and termination message are in the state."""
    ended = cluster.done(pod("p", container("echo why > /dev/termination-log; exit 7")))
    found = state(ended).terminated
    assert (ended.status.phase, found.exit_code, found.reason, found.message) == ("Failed", 7, "Error", "why\n")


def test_the_log_can_be_the_last_words(cluster: Cluster) -> None:
    """``FallbackToLogsOnError`` takes the end of the log of a program that failed."""
    failing = container("echo from the log; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    assert state(cluster.done(pod("p", failing))).terminated.message == "from the log\n"


def test_too_much_memory_is_told_as_such(cluster: Cluster) -> None:
    """A program that goes over its limit is ended by the kernel: ``OOMKilled``, 137."""
    hungry = container(resources={"limits": {"memory": "64Mi"}})
    hungry["command"] = ["python3", "-c", "x = bytearray(256 << 20); print(len(x))"]
    found = state(cluster.done(pod("p", hungry))).terminated
    assert (found.exit_code, found.reason) == (137, "OOMKilled")


def test_limits_of_cpu_are_those_of_the_kernel(cluster: Cluster, engine: DockerClient) -> None:
    """A limit of half a CPU is a quota of the container."""
    cluster.run(pod("p", container("sleep 100", resources={"limits": {"cpu": "500m"}})))
    found = status(cluster.running("p"))
    host = engine.api.inspect_container(found.container_id.partition("//")[2])["HostConfig"]
    assert host["CpuQuota"] / host["CpuPeriod"] == 0.5


def test_a_program_that_is_not_there(cluster: Cluster) -> None:
    """A program that cannot be started has its own reason."""
    missing = container()
    missing["command"] = ["/no/such/program"]
    ended = cluster.done(pod("p", missing))
    found = state(ended).terminated
    assert (ended.status.phase, found.reason, found.exit_code) == ("Failed", "ContainerCannotRun", 127)
    assert "/no/such/program" in found.message


def test_a_deadline_ends_a_pod(cluster: Cluster) -> None:
    """``activeDeadlineSeconds`` fails the pod with ``DeadlineExceeded``."""
    ended = cluster.done(
        pod("p", container("exec sleep 1000"), activeDeadlineSeconds=1, terminationGracePeriodSeconds=0)
    )
    assert (ended.status.phase, ended.status.reason) == ("Failed", "DeadlineExceeded")
    assert state(ended).terminated.exit_code == 137


def test_a_failure_is_tried_again(cluster: Cluster) -> None:
    """With ``OnFailure`` a container starts again until it ends well; the attempt before is remembered."""
    again = container("n=$(ls /v | wc -l); touch /v/$n; echo try $n; [ $n = 2 ]", volumeMounts=_AT_V)
    ended = cluster.done(pod("p", again, restartPolicy="OnFailure", **_SHARED))
    found = status(ended)
    assert (ended.status.phase, found.restart_count) == ("Succeeded", 2)
    assert found.last_state.terminated.exit_code == 1
    assert (cluster.log("p"), cluster.log("p", previous=True)) == ("try 2\n", "try 1\n")


def test_failures_wait_longer_and_longer(cluster: Cluster) -> None:
    """Between tries the container is in ``CrashLoopBackOff``."""
    cluster.run(pod("p", container("exit 1"), restartPolicy="OnFailure"))
    assert "back-off" in cluster.waiting("p", "CrashLoopBackOff").message


def test_the_phases_of_a_pod(cluster: Cluster) -> None:
    """A running pod is ready; while its init container runs it is pending, and says so."""
    gate = container("until [ -e /v/go ]; do sleep 0.1; done", "gate", volumeMounts=_AT_V)
    main = container("exec sleep 1000", volumeMounts=_AT_V)
    cluster.run(pod("p", main, initContainers=[gate], **_SHARED))
    found = cluster.running("p", "gate")
    assert found.status.phase == "Pending"
    assert state(found).waiting.reason == "PodInitializing"
    assert condition(found, "Initialized").message == "containers with incomplete status: [gate]"
    assert condition(found, "PodScheduled").status == "True"


def test_a_running_pod_is_ready(cluster: Cluster) -> None:
    """All conditions of a pod that runs without probes are true, and it has an address."""
    cluster.run(pod("p", container("exec sleep 1000")))
    found = cluster.running("p")
    assert (found.status.phase, found.status.host_ip) == ("Running", "127.0.0.1")
    assert found.status.pod_ip
    kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    assert [condition(found, kind).status for kind in kinds] == ["True"] * 4


# -- init containers and sidecars -------------------------------------------------------------------------------------


def test_init_containers_run_one_after_the_other(cluster: Cluster) -> None:
    """Each begins when the one before has ended, and the main container after all."""
    line = "echo {} >> /v/order"
    first, second = (container(line.format(name), name, volumeMounts=_AT_V) for name in ("first", "second"))
    cluster.done(pod("p", container("cat /v/order", volumeMounts=_AT_V), initContainers=[first, second], **_SHARED))
    assert cluster.log("p") == "first\nsecond\n"


def test_a_failed_init_container_fails_the_pod(cluster: Cluster) -> None:
    """The main container is never started."""
    ended = cluster.done(pod("p", initContainers=[container("exit 4", "init")]))
    assert (ended.status.phase, state(ended, "init").terminated.exit_code) == ("Failed", 4)
    assert state(ended).waiting.reason == "PodInitializing"


def test_a_sidecar_must_have_started_before_what_follows(cluster: Cluster) -> None:
    """The next container waits for the sidecar's startup probe."""
    probe = {"exec": {"command": ["test", "-e", "/v/started"]}, "periodSeconds": 1, "failureThreshold": 60}
    slow = sidecar(
        "trap 'exit 0' TERM; until [ -e /v/go ]; do sleep 0.1; done; touch /v/started; while :; do sleep 0.1; done",
        volumeMounts=_AT_V,
        startupProbe=probe,
    )
    look = container("ls /v", volumeMounts=_AT_V)
    cluster.run(pod("p", look, initContainers=[slow], **_SHARED))
    found = cluster.running("p", "side")
    assert status(found, "side").started is False
    assert state(found).waiting.reason == "PodInitializing"


def test_sidecars_end_after_the_main_containers_the_last_one_first(cluster: Cluster) -> None:
    """They get SIGTERM one after the other, in the reverse of their order."""
    script = "trap 'echo {} >> /v/order; exit 0' TERM; touch /v/{}; while :; do sleep 0.1; done"
    sides = []
    for name in ("one", "two"):
        started = {"exec": {"command": ["test", "-e", f"/v/{name}"]}, "periodSeconds": 1}
        sides.append(sidecar(script.format(name, name), name, volumeMounts=_AT_V, startupProbe=started))
    claim = {"apiVersion": "v1", "metadata": {"name": "c"}}
    claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.core.create_namespaced_persistent_volume_claim(cluster.namespace, claim)
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    main = container("echo main >> /v/order", volumeMounts=_AT_V)
    assert cluster.done(pod("p", main, initContainers=sides, volumes=volumes)).status.phase == "Succeeded"
    cluster.done(pod("reader", container("cat /v/order", volumeMounts=_AT_V), volumes=volumes))
    assert cluster.log("reader") == "main\ntwo\none\n"


def test_the_sidecars_of_a_deleted_pod_end_after_its_main_containers(cluster: Cluster) -> None:
    """However long the main container takes within its grace, the sidecar is asked only then."""
    claim = {"metadata": {"name": "c"}}
    claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.core.create_namespaced_persistent_volume_claim(cluster.namespace, claim)
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    script = "trap '{}echo {} >> /v/order; exit 0' TERM; touch /v/{}; while :; do sleep 0.1; done"
    probe = {"exec": {"command": ["test", "-e", "/v/side"]}, "periodSeconds": 1}
    side = sidecar(script.format("", "side", "side"), volumeMounts=_AT_V, startupProbe=probe)
    main = container(script.format("sleep 1; ", "main", "main"), volumeMounts=_AT_V)
    main["readinessProbe"] = {"exec": {"command": ["test", "-e", "/v/main"]}, "periodSeconds": 1}
    cluster.run(pod("p", main, initContainers=[side], volumes=volumes))
    until(lambda: condition(cluster.running("p"), "Ready").status == "True")
    cluster.core.delete_namespaced_pod("p", cluster.namespace, grace_period_seconds=60)
    until(lambda: cluster.is_gone("p"))
    cluster.done(pod("reader", container("cat /v/order", volumeMounts=_AT_V), volumes=volumes))
    assert cluster.log("reader") == "main\nside\n"


def test_a_sidecar_whose_start_fails_starts_again(cluster: Cluster) -> None:
    """A startup probe that has failed too often ends the container; the next attempt may do better."""
    script = "n=$(ls /v | wc -l); touch /v/$n; trap 'exit 1' TERM; while :; do sleep 0.1; done"
    probe = {"exec": {"command": ["test", "-e", "/v/1"]}, "periodSeconds": 1, "failureThreshold": 1}
    side = sidecar(script, volumeMounts=_AT_V, startupProbe=probe)
    ended = cluster.done(pod("p", initContainers=[side], **_SHARED))
    assert (ended.status.phase, status(ended, "side").restart_count) == ("Succeeded", 1)
    events = cluster.events("p")
    assert "Startup probe failed" in events["Unhealthy"]
    assert "Container side failed startup probe, will be restarted" in events["Killing"]


def test_a_pod_runs_until_its_sidecars_have_ended(cluster: Cluster) -> None:
    """While a sidecar finishes its work the pod is ``Running``, though its main container's end is known."""
    slow = sidecar(
        "trap 'touch /v/asked; until [ -e /v/go ]; do sleep 0.1; done; exit 0' TERM; touch /v/up; "
        "while :; do sleep 0.1; done",
        volumeMounts=_AT_V,
        startupProbe={"exec": {"command": ["test", "-e", "/v/up"]}, "periodSeconds": 1},
    )
    cluster.run(pod("p", container("exit 0"), initContainers=[slow], terminationGracePeriodSeconds=60, **_SHARED))
    found = until(lambda: found if state(found := cluster.get("p")).terminated else None)
    assert (found.status.phase, state(found).terminated.exit_code) == ("Running", 0)
    assert state(found, "side").running


def test_a_sidecar_that_does_not_listen_is_killed(cluster: Cluster) -> None:
    """After the rest of the grace period a sidecar gets SIGKILL; the pod has succeeded all the same."""
    deaf = sidecar("trap '' TERM; while :; do sleep 0.1; done")
    ended = cluster.done(pod("p", initContainers=[deaf], terminationGracePeriodSeconds=1))
    assert (ended.status.phase, state(ended, "side").terminated.exit_code) == ("Succeeded", 137)


def test_a_failed_sidecar_does_not_fail_the_pod(cluster: Cluster) -> None:
    """Its exit code is told, and changes nothing."""
    rude = sidecar(
        "trap 'exit 9' TERM; touch /v/up; while :; do sleep 0.1; done",
        volumeMounts=_AT_V,
        startupProbe={"exec": {"command": ["test", "-e", "/v/up"]}, "periodSeconds": 1},
    )
    ended = cluster.done(pod("p", initContainers=[rude], **_SHARED))
    assert (ended.status.phase, state(ended, "side").terminated.exit_code) == ("Succeeded", 9)


def test_a_sidecar_that_ends_too_early_starts_again(cluster: Cluster) -> None:
    """Even where the pod never restarts anything else."""
    main = container("until [ -e /v/2 ]; do sleep 0.1; done", volumeMounts=_AT_V)
    short = sidecar("n=$(ls /v | wc -l); touch /v/$n; [ $n = 2 ] && exec sleep 1000; exit 1", volumeMounts=_AT_V)
    ended = cluster.done(pod("p", main, initContainers=[short], terminationGracePeriodSeconds=0, **_SHARED))
    assert (ended.status.phase, status(ended, "side").restart_count) == ("Succeeded", 2)


# -- deletion ---------------------------------------------------------------------------------------------------------


def test_a_deleted_pod_gets_its_grace(cluster: Cluster) -> None:
    """It is marked, its program gets SIGTERM, and its object goes when the program has ended."""
    from kubernetes import watch

    cluster.run(pod("p", container("trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done")))
    cluster.running("p")
    until(lambda: cluster.log("p"))
    version = cluster.core.list_namespaced_pod(cluster.namespace).metadata.resource_version
    deleted = cluster.core.delete_namespaced_pod("p", cluster.namespace, grace_period_seconds=60)
    assert deleted.metadata.deletion_timestamp
    assert deleted.metadata.deletion_grace_period_seconds == 60
    last = None
    for event in watch.Watch().stream(
        cluster.core.list_namespaced_pod, cluster.namespace, resource_version=version, timeout_seconds=60
    ):
        last = event
        if event["type"] == "DELETED":
            break
    assert last is not None
    assert (last["object"].status.phase, state(last["object"]).terminated.exit_code) == ("Failed", 5)


def test_a_program_that_does_not_listen_is_killed(cluster: Cluster) -> None:
    """After the grace period comes SIGKILL."""
    cluster.run(pod("p", container("trap '' TERM; while :; do sleep 0.1; done")))
    cluster.running("p")
    cluster.core.delete_namespaced_pod("p", cluster.namespace, grace_period_seconds=1)
    until(lambda: cluster.is_gone("p"))


def test_a_deletion_without_grace_is_at_once(cluster: Cluster, engine: DockerClient) -> None:
    """The object is gone with the answer, and its containers soon after."""
    made = cluster.run(pod("p", container("exec sleep 1000")))
    cluster.running("p")
    cluster.core.delete_namespaced_pod("p", cluster.namespace, grace_period_seconds=0)
    assert cluster.is_gone("p")
    label = f"mlpipe.kubernetes-double.pod={made.metadata.uid}"
    until(lambda: not engine.api.containers(all=True, filters={"label": label}))


def test_a_hook_runs_before_the_signal(cluster: Cluster) -> None:
    """``preStop`` runs to its end, and then the program gets SIGTERM."""
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /v/said"]}}}
    script = "trap 'cat /v/said > /dev/termination-log; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    holding = {"finalizers": ["example.com/hold"]}
    body = pod("p", container(script, volumeMounts=_AT_V, lifecycle=hook), **_SHARED)
    body["metadata"] |= holding
    cluster.run(body)
    until(lambda: cluster.running("p") and cluster.log("p"))
    cluster.core.delete_namespaced_pod("p", cluster.namespace, grace_period_seconds=60)
    assert state(cluster.ended("p")).terminated.message == "hook\n"
    cluster.core.patch_namespaced_pod("p", cluster.namespace, {"metadata": {"finalizers": None}})
    until(lambda: cluster.is_gone("p"))


# -- probes -----------------------------------------------------------------------------------------------------------


def test_readiness_follows_the_probe(cluster: Cluster) -> None:
    """A container is ready while its probe passes."""
    probe = {"exec": {"command": ["test", "-e", "/v/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    script = "until [ -e /v/seen ]; do sleep 0.1; done; touch /v/ready; exec sleep 1000"
    teller = container("until [ -e /v/go ]; do sleep 0.1; done", "teller", volumeMounts=_AT_V)
    teller["readinessProbe"] = {"exec": {"command": ["touch", "/v/seen"]}, "initialDelaySeconds": 1}
    cluster.run(pod("p", container(script, volumeMounts=_AT_V, readinessProbe=probe), teller, **_SHARED))
    found = until(lambda: found if (found := cluster.get("p")).status.phase == "Running" else None)
    assert condition(found, "Ready").status == "False"
    until(lambda: status(cluster.get("p")).ready)


def test_a_server_is_asked_over_its_network(cluster: Cluster) -> None:
    """``httpGet`` asks the pod's own address, at a port that may be named."""
    server = container(
        readinessProbe={"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
        ports=[{"name": "web", "containerPort": 8080}],
    )
    server["command"] = ["python3", "-m", "http.server", "8080"]
    cluster.run(pod("p", server))
    until(lambda: condition(cluster.running("p"), "Ready").status == "True")


def test_a_container_that_is_not_alive_starts_again(cluster: Cluster) -> None:
    """The liveness probe's failures end the container, and the restart policy decides what then."""
    probe = {"exec": {"command": ["test", "-e", "/v/well"]}, "periodSeconds": 1, "failureThreshold": 1}
    script = "[ -e /v/well ] && exit 0; touch /v/again; trap 'touch /v/well; exit 1' TERM; while :; do sleep 0.1; done"
    ended = cluster.done(
        pod("p", container(script, volumeMounts=_AT_V, livenessProbe=probe), restartPolicy="OnFailure", **_SHARED)
    )
    assert (ended.status.phase, status(ended).restart_count) == ("Succeeded", 1)
    assert "failed liveness probe, will be restarted" in cluster.events("p")["Killing"]
    assert "Liveness probe failed" in cluster.events("p")["Unhealthy"]


# -- images -----------------------------------------------------------------------------------------------------------


def test_an_image_that_cannot_be_pulled(cluster: Cluster) -> None:
    """The container waits in ``ErrImagePull`` and ``ImagePullBackOff``, and the events say why."""
    body = container()
    body["image"] = "127.0.0.1:1/none:1"
    cluster.run(pod("p", body))
    assert "Back-off pulling image" in cluster.waiting("p", "ImagePullBackOff").message
    assert "127.0.0.1:1/none:1" in cluster.events("p")["Failed"]
    assert cluster.get("p").status.phase == "Pending"


@pytest.mark.parametrize(
    ("image", "policy", "reason"),
    [("Not//Valid", "IfNotPresent", "InvalidImageName"), ("127.0.0.1:1/none:1", "Never", "ErrImageNeverPull")],
)
def test_images_that_are_not_even_tried(cluster: Cluster, image: str, policy: str, reason: str) -> None:
    """A name that is none, and an image that is not there and may not be pulled."""
    cluster.run(pod("p", container(imagePullPolicy=policy) | {"image": image}))
    assert image in cluster.waiting("p", reason).message


# -- logs -------------------------------------------------------------------------------------------------------------


def test_a_log_can_be_followed(cluster: Cluster) -> None:
    """Lines come as they are written, and the answer ends with the container."""
    script = "for i in 1 2 3; do echo $i; sleep 0.2; done"
    cluster.run(pod("p", container(script)))
    cluster.begun("p")
    answer = cluster.core.read_namespaced_pod_log("p", cluster.namespace, follow=True, _preload_content=False)
    assert b"".join(answer.stream()) == b"1\n2\n3\n"


def test_logs_with_times_and_from_a_time_on(cluster: Cluster) -> None:
    """Each line has its time, from which on a log can be asked for again."""
    from kubernetes_double.objects import clock

    cluster.done(pod("p", container("for i in 1 2 3; do echo $i; sleep 0.1; done")))
    lines = [line.split() for line in cluster.log("p", timestamps=True).splitlines()]
    assert [text for _, text in lines] == ["1", "2", "3"]
    second = clock.read(lines[1][0]).astimezone(timezone.utc)
    since = second.isoformat().replace("+00:00", "Z")
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/p/log"
    answer = cluster.api.call_api(  # the client has no argument for it
        path, "GET", query_params=[("sinceTime", since)], auth_settings=["BearerToken"], _preload_content=False
    )
    assert answer.data == b"2\n3\n"
    assert cluster.log("p", tail_lines=1) == "3\n"
    assert cluster.log("p", since_seconds=3600) == "1\n2\n3\n"


def test_a_dropped_log_can_be_followed_again(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """The hook breaks the connection; the container does not notice."""
    from urllib3.exceptions import ProtocolError

    cluster.run(pod("p", container("echo 1; exec sleep 1000")))
    cluster.running("p")
    answer = cluster.core.read_namespaced_pod_log("p", cluster.namespace, follow=True, _preload_content=False)
    threading.Thread(target=lambda: until(kubernetes_double.drop_logs), daemon=True).start()
    with pytest.raises(ProtocolError):
        list(answer.stream())
    assert state(cluster.get("p")).running


def test_a_log_needs_a_container(cluster: Cluster) -> None:
    """With several containers one must be named; what has not begun has no log."""
    missing = [{"name": "v", "secret": {"secretName": "none"}}]
    cluster.run(pod("p", container(), container(name="other"), volumes=missing))
    answer = refused(cluster.core.read_namespaced_pod_log, "p", cluster.namespace)
    assert answer["message"] == "a container name must be specified for pod p, choose one of: [base other]"
    until(lambda: "FailedMount" in cluster.events("p"))
    answer = refused(cluster.core.read_namespaced_pod_log, "p", cluster.namespace, container="base")
    assert answer["message"] == 'container "base" in pod "p" is waiting to start: ContainerCreating'


def test_a_pod_without_a_node_has_an_empty_log(cluster: Cluster) -> None:
    """There is nobody to ask, and no error."""
    cluster.run(pod("p", nodeSelector={"nowhere": "true"}))
    assert cluster.log("p") == ""


# -- network and cleaning ---------------------------------------------------------------------------------------------


def test_the_containers_of_a_pod_share_their_network(cluster: Cluster) -> None:
    """One serves at 127.0.0.1, the other asks there; the host's name is the pod's."""
    server = sidecar("", "server", startupProbe={"tcpSocket": {"port": 8080}, "periodSeconds": 1})
    server["command"] = ["python3", "-m", "http.server", "8080", "--bind", "0.0.0.0"]
    main = container("hostname; wget -q -O /dev/null http://127.0.0.1:8080/ && echo served")
    cluster.done(pod("p", main, initContainers=[server], terminationGracePeriodSeconds=1))
    assert cluster.log("p") == "p\nserved\n"


def test_a_namespace_of_pods_that_reach_this_machine(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """With the double's own label, a server on 127.0.0.1 of this machine is reached from pods."""
    label = {"metadata": {"labels": {"kubernetes-double/network": "host"}}}
    cluster.core.patch_namespace(cluster.namespace, label)
    port = kubernetes_double.url.rpartition(":")[2]
    script = f"import socket; socket.create_connection(('127.0.0.1', {port})); print('reached')"
    cluster.done(pod("p", container() | {"command": ["python3", "-c", script]}))
    assert cluster.log("p") == "reached\n"


@pytest.fixture
def short_lived(engine: DockerClient, base_image: str) -> Iterator[KubernetesDouble]:
    """A double of the test's own."""
    from kubernetes_double.double import KubernetesDouble
    from kubernetes_double.options import Options

    with KubernetesDouble(engine, Options(pause_image=base_image)) as double:
        yield double


def test_nothing_is_left(short_lived: KubernetesDouble, engine: DockerClient) -> None:
    """A double that ends takes its containers and volumes along, whatever runs."""
    cluster = Cluster(short_lived.kubeconfig, "default")
    cluster.run(pod("p", container("exec sleep 1000", volumeMounts=_AT_V), **_SHARED))
    cluster.running("p")
    label = f"mlpipe.kubernetes-double={short_lived.session}"
    assert len(engine.api.containers(filters={"label": label})) == 2
    short_lived.__exit__()
    assert not engine.api.containers(all=True, filters={"label": label})
    assert not engine.api.volumes(filters={"label": label})["Volumes"]
    assert short_lived.failures() == []


_KILLED = """
import os, sys
sys.path[:0] = [".", "tests"]
import docker
from kubernetes_double.double import KubernetesDouble
from kubernetes_double.options import Options
from support.pods import Cluster, container, pod

double = KubernetesDouble(docker.from_env(), Options(pause_image=sys.argv[1])).__enter__()
cluster = Cluster(double.kubeconfig, "default")
body = pod("p", container("exec sleep 1000", volumeMounts=[{"name": "v", "mountPath": "/v"}]))
body["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
cluster.run(body)
cluster.running("p")
print(double.session, flush=True)
os.kill(os.getpid(), 9)
"""


def test_the_next_double_removes_what_a_killed_one_has_left(
    engine: DockerClient, base_image: str, tmp_path: Path
) -> None:
    """Containers and volumes are found by the process that made them."""
    from kubernetes_double.kubelet.engine import remove_abandoned

    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _KILLED, base_image]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert ended.returncode == -9, ended.stderr
    label = f"mlpipe.kubernetes-double={ended.stdout.strip()}"
    assert len(engine.api.containers(filters={"label": label})) == 2
    remove_abandoned(engine)
    assert not engine.api.containers(all=True, filters={"label": label})
    assert not engine.api.volumes(filters={"label": label})["Volumes"]
