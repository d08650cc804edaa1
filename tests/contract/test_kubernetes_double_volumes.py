"""The test double of a cluster gives containers their volumes, variables and identity as a kubelet does."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import pytest
from support.pods import Cluster, condition, container, pod, state, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

pytestmark = [pytest.mark.kubernetes, pytest.mark.docker]

_AT_V = [{"name": "v", "mountPath": "/v"}]


def said(cluster: Cluster, script: str, *, spec: dict[str, Any] | None = None, **more: Any) -> str:
    """What a pod's only container writes."""
    ended = cluster.done(pod("p", container(script, **more), **(spec or {})))
    assert ended.status.phase == "Succeeded", cluster.log("p")
    return cluster.log("p")


def make_secret(cluster: Cluster, **data: str) -> None:
    encoded = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    cluster.core.create_namespaced_secret(cluster.namespace, {"metadata": {"name": "s"}, "data": encoded})


def claim(name: str, **metadata: Any) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name, **metadata}, "spec": spec}


# -- volumes ----------------------------------------------------------------------------------------------------------


def test_an_empty_folder_is_shared_and_everybodys(cluster: Cluster) -> None:
    """An ``emptyDir`` is empty at first, writable for every user, and the same for all containers."""
    first = container("ls /v; echo x > /v/file", "init", volumeMounts=_AT_V, securityContext={"runAsUser": 1234})
    spec = {"volumes": [{"name": "v", "emptyDir": {}}], "initContainers": [first]}
    assert said(cluster, "stat -c '%u %a' /v /v/file", spec=spec, volumeMounts=_AT_V) == "0 777\n1234 644\n"


def test_an_empty_folder_can_be_memory(cluster: Cluster) -> None:
    """Medium ``Memory`` is a tmpfs of the given size, shared between the containers."""
    first = container("echo x > /v/file", "init", volumeMounts=_AT_V)
    volume = {"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}
    script = "cat /v/file; df -k /v | tail -n 1 | awk '{print $1, $2}'"
    spec = {"volumes": [volume], "initContainers": [first]}
    assert said(cluster, script, spec=spec, volumeMounts=_AT_V) == "x\ntmpfs 8192\n"


def test_a_group_of_files(cluster: Cluster) -> None:
    """``fsGroup`` owns what is in volumes, and each process is in it."""
    context = {"runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 2000}
    make_secret(cluster, key="value")
    volumes = [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "s", "defaultMode": 0o400}}]
    mounts = [*_AT_V, {"name": "s", "mountPath": "/s"}]
    script = "id -G; stat -c '%g %a' /v; touch /v/file; stat -c '%g' /v/file; cat /s/key; stat -L -c ' %g %a' /s/key"
    spec = {"volumes": volumes, "securityContext": context}
    assert said(cluster, script, spec=spec, volumeMounts=mounts) == "1000 2000\n2000 2777\n2000\nvalue 2000 440\n"


def test_a_secret_as_files(cluster: Cluster) -> None:
    """Its keys are files of the given mode, read-only, reached over links."""
    make_secret(cluster, user="me", password="secret")
    volumes = [{"name": "v", "secret": {"secretName": "s", "defaultMode": 0o400}}]
    script = (
        "ls /v; cat /v/password; stat -L -c ' %a' /v/password; readlink /v/user; touch /v/new 2>/dev/null || echo no"
    )
    told = said(cluster, script, spec={"volumes": volumes}, volumeMounts=_AT_V).splitlines()
    assert told[:4] == ["password", "user", "secret 400", "..data/user"]
    assert told[-1] == "no"


def test_some_keys_of_a_secret_under_other_names(cluster: Cluster) -> None:
    """``items`` choose the keys, their paths and modes."""
    make_secret(cluster, user="me", password="secret")
    items = [{"key": "password", "path": "deep/er", "mode": 0o440}]
    volumes = [{"name": "v", "secret": {"secretName": "s", "items": items}}]
    script = "ls /v; stat -L -c '%a' /v/deep/er; cat /v/deep/er"
    assert said(cluster, script, spec={"volumes": volumes}, volumeMounts=_AT_V) == "deep\n440\nsecret"


def test_a_pod_waits_for_its_secret(cluster: Cluster) -> None:
    """Until the secret is there the container is being created, and an event says what is missing."""
    volumes = [{"name": "v", "secret": {"secretName": "s"}}]
    cluster.run(pod("p", container("cat /v/key", volumeMounts=_AT_V), volumes=volumes))
    told = until(lambda: cluster.events("p").get("FailedMount"))
    assert told == 'MountVolume.SetUp failed for volume "v" : secret "s" not found'
    assert state(cluster.get("p")).waiting.reason == "ContainerCreating"
    make_secret(cluster, key="value")
    assert cluster.ended("p").status.phase == "Succeeded"


def test_one_file_of_a_config_map(cluster: Cluster) -> None:
    """``subPath`` mounts one file among those that the image has."""
    cluster.core.create_namespaced_config_map(cluster.namespace, {"metadata": {"name": "c"}, "data": {"one": "1"}})
    mounts = [{"name": "v", "mountPath": "/etc/one", "subPath": "one"}]
    volumes = [{"name": "v", "configMap": {"name": "c"}}]
    script = "cat /etc/one; [ -e /etc/passwd ]"
    assert said(cluster, script, spec={"volumes": volumes}, volumeMounts=mounts) == "1"


def test_a_folder_of_a_volume(cluster: Cluster) -> None:
    """``subPath`` makes a folder of an ``emptyDir``; ``readOnly`` keeps it as it is."""
    mounts = [
        {"name": "v", "mountPath": "/a", "subPath": "x/y"},
        {"name": "v", "mountPath": "/b", "readOnly": True},
    ]
    script = "echo 1 > /a/f; cat /b/x/y/f; touch /b/g 2>/dev/null || echo no"
    assert said(cluster, script, spec={"volumes": [{"name": "v", "emptyDir": {}}]}, volumeMounts=mounts) == "1\nno\n"


def test_projections(cluster: Cluster) -> None:
    """One folder of several sources: a secret, the pod's own labels."""
    make_secret(cluster, key="value")
    sources = [
        {"secret": {"name": "s"}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
    ]
    body = pod("p", container("cat /v/key /v/labels", volumeMounts=_AT_V), labels={"a": "1", "b": "2"})
    body["spec"]["volumes"] = [{"name": "v", "projected": {"sources": sources}}]
    cluster.done(body)
    assert cluster.log("p") == 'valuea="1"\nb="2"'


def test_a_claim_outlives_pods(cluster: Cluster) -> None:
    """What one pod writes to a claim's volume, another reads; it is root's, as a new file system."""
    cluster.core.create_namespaced_persistent_volume_claim(cluster.namespace, claim("c"))
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    said(cluster, "echo kept > /v/file", spec={"volumes": volumes}, volumeMounts=_AT_V)
    cluster.done(pod("q", container("cat /v/file; stat -c '%u %a' /v", volumeMounts=_AT_V), volumes=volumes))
    assert cluster.log("q") == "kept\n0 755\n"
    found = cluster.core.read_namespaced_persistent_volume_claim("c", cluster.namespace)
    assert found.status.phase == "Bound"


def test_a_claim_goes_when_nothing_uses_it(cluster: Cluster, engine: DockerClient) -> None:
    """A deleted claim stays until its pod has ended; then its volume is gone too."""
    made = cluster.core.create_namespaced_persistent_volume_claim(cluster.namespace, claim("c"))
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    cluster.run(pod("p", container("exec sleep 1000", volumeMounts=_AT_V), volumes=volumes))
    cluster.running("p")
    cluster.core.delete_namespaced_persistent_volume_claim("c", cluster.namespace)
    assert cluster.core.read_namespaced_persistent_volume_claim("c", cluster.namespace).metadata.deletion_timestamp
    cluster.core.delete_namespaced_pod("p", cluster.namespace, grace_period_seconds=0)
    until(lambda: not cluster.core.list_namespaced_persistent_volume_claim(cluster.namespace).items)
    name = f"claim-{made.metadata.uid[:13]}"
    until(lambda: not engine.api.volumes(filters={"name": name})["Volumes"])


# -- variables and programs -------------------------------------------------------------------------------------------


def test_variables(cluster: Cluster) -> None:
    """Values come from the pod, from secrets and from each other."""
    make_secret(cluster, key="value")
    variables = [
        {"name": "PLAIN", "value": "a"},
        {"name": "BOTH", "value": "$(PLAIN)-$(NONE)-$$(PLAIN)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
    ]
    script = 'echo "$PLAIN $BOTH $NAME $KEY $CPU ${NODE%-?}"'
    limits = {"limits": {"cpu": "250m"}}
    assert said(cluster, script, env=variables, resources=limits) == "a a-$(NONE)-$(PLAIN) p value 250 node\n"


def test_a_variable_of_nothing(cluster: Cluster) -> None:
    """A key that is not there keeps the container from being made."""
    make_secret(cluster, key="value")
    variables = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "other"}}}]
    cluster.run(pod("p", container(env=variables)))
    told = cluster.waiting("p", "CreateContainerConfigError").message
    assert told == f"couldn't find key other in Secret {cluster.namespace}/s"


@pytest.fixture(scope="module")
def with_entry_point(engine: DockerClient, base_image: str) -> Iterator[str]:
    """An image with an entry point, arguments and a user of its own."""
    from tools.base_image import load

    tag = f"mlpipe-tests/entry:{os.getpid()}"
    load(engine, tag, config={"Entrypoint": ["/bin/echo", "image:"], "Cmd": ["usual"], "User": "nobody"})
    yield tag
    engine.api.remove_image(tag, force=True)


def test_command_and_arguments_stand_for_those_of_the_image(cluster: Cluster, with_entry_point: str) -> None:
    """``args`` are for the image's entry point, ``command`` replaces both; each knows the variables."""
    body = {"name": "base", "image": with_entry_point, "env": [{"name": "A", "value": "x"}]}
    variants = {
        "neither": ({}, "image: usual\n"),
        "args": ({"args": ["$(A)"]}, "image: x\n"),
        "command": ({"command": ["/bin/echo", "own:"]}, "own:\n"),
        "both": ({"command": ["printf", "<%s>"], "args": ["$(A)", "y"]}, "<x><y>"),
    }
    for name, (given, expected) in variants.items():
        cluster.done(pod(name, {**body, **given}))
        assert cluster.log(name) == expected


def test_an_image_whose_user_has_a_name(cluster: Cluster, with_entry_point: str) -> None:
    """A kubelet cannot tell from a name that it is not root's."""
    body = {"name": "base", "image": with_entry_point, "securityContext": {"runAsNonRoot": True}}
    cluster.run(pod("p", body))
    told = cluster.waiting("p", "CreateContainerConfigError").message
    assert "image has non-numeric user (nobody), cannot verify user is non-root" in told


def test_a_working_folder(cluster: Cluster) -> None:
    """``workingDir`` is where the program begins."""
    assert said(cluster, "pwd", workingDir="/etc") == "/etc\n"


def test_identity_and_confinement(cluster: Cluster) -> None:
    """User, group, a root file system that cannot be written, no capabilities, no new privileges."""
    context = {
        "runAsUser": 1000,
        "runAsGroup": 3000,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    script = "id -u; id -g; touch /tmp/x 2>/dev/null || echo no; awk '/CapBnd|NoNewPrivs/ {print $2}' /proc/self/status"
    assert said(cluster, script, securityContext=context) == "1000\n3000\nno\n0000000000000000\n1\n"


def test_root_where_root_is_refused(cluster: Cluster) -> None:
    """``runAsNonRoot`` keeps an image from running as root."""
    cluster.run(pod("p", container(securityContext={"runAsNonRoot": True})))
    told = cluster.waiting("p", "CreateContainerConfigError").message
    assert "container has runAsNonRoot and image will run as root" in told
    assert condition(cluster.get("p"), "Ready").status == "False"
