"""The test double of a cluster speaks the API as a cluster does: objects, selectors, patches, watches, refusals."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.pods import Cluster, container, pod, refused, until

if TYPE_CHECKING:
    from kubernetes_double.double import KubernetesDouble

pytestmark = [pytest.mark.kubernetes, pytest.mark.docker]


def secret(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **more}, "stringData": {"key": "value"}}


# -- objects ----------------------------------------------------------------------------------------------------------


def test_an_object_gets_identity_and_version_and_can_be_made_once(cluster: Cluster) -> None:
    """A created object has a uid, a time and a version; the same name again is a conflict."""
    made = cluster.core.create_namespaced_secret(cluster.namespace, secret("s"))
    assert made.metadata.uid
    assert made.metadata.creation_timestamp
    assert made.metadata.resource_version
    assert base64.b64decode(made.data["key"]) == b"value"
    assert refused(cluster.core.create_namespaced_secret, cluster.namespace, secret("s"))["reason"] == "AlreadyExists"


def test_a_generated_name_has_the_prefix(cluster: Cluster) -> None:
    """``generateName`` is the beginning of the name."""
    made = cluster.core.create_namespaced_secret(cluster.namespace, {"metadata": {"generateName": "run-"}})
    assert made.metadata.name.startswith("run-")
    assert len(made.metadata.name) == len("run-") + 5


def test_what_is_not_there_is_not_found(cluster: Cluster) -> None:
    """A read of nothing is 404, and says of what kind it would have been."""
    answer = refused(cluster.core.read_namespaced_pod, "none", cluster.namespace)
    assert answer["message"] == 'pods "none" not found'
    assert answer["details"] == {"name": "none", "kind": "pods"}


def test_a_namespace_that_is_not_there_takes_nothing(cluster: Cluster) -> None:
    """Nothing can be created in a namespace that does not exist."""
    answer = refused(cluster.core.create_namespaced_secret, "nowhere", secret("s"))
    assert answer["message"] == 'namespaces "nowhere" not found'


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("a=1", ["s1"]),
        ("a==1", ["s1"]),
        ("a!=1", ["s2", "s3"]),
        ("a in (1, 2)", ["s1", "s2"]),
        ("a notin (1)", ["s2", "s3"]),
        ("a", ["s1", "s2"]),
        ("!a", ["s3"]),
        ("a,b=x", ["s2"]),
    ],
)
def test_label_selectors(cluster: Cluster, selector: str, found: list[str]) -> None:
    """Lists give what the label selector lets through."""
    for name, labels in (("s1", {"a": "1"}), ("s2", {"a": "2", "b": "x"}), ("s3", {})):
        cluster.core.create_namespaced_secret(cluster.namespace, secret(name, labels=labels))
    items = cluster.core.list_namespaced_secret(cluster.namespace, label_selector=selector).items
    assert [item.metadata.name for item in items] == found


def test_field_selectors(cluster: Cluster) -> None:
    """Lists give what the field selector lets through, and refuse fields that a cluster does not know."""
    for name in ("s1", "s2"):
        cluster.core.create_namespaced_secret(cluster.namespace, secret(name))
    items = cluster.core.list_namespaced_secret(cluster.namespace, field_selector="metadata.name!=s1").items
    assert [item.metadata.name for item in items] == ["s2"]
    answer = refused(cluster.core.list_namespaced_pod, cluster.namespace, field_selector="spec.hostname=x")
    assert "is not a known field selector" in answer["message"]


def test_long_lists_come_in_pages(cluster: Cluster) -> None:
    """``limit`` gives a part and a token for the next."""
    for number in range(3):
        cluster.core.create_namespaced_secret(cluster.namespace, secret(f"s{number}"))
    first = cluster.core.list_namespaced_secret(cluster.namespace, limit=2)
    rest = cluster.core.list_namespaced_secret(cluster.namespace, limit=2, _continue=first.metadata._continue)
    assert [item.metadata.name for item in [*first.items, *rest.items]] == ["s0", "s1", "s2"]
    assert rest.metadata._continue is None


@pytest.mark.parametrize("kind", ["strategic-merge", "merge"])
def test_metadata_can_be_patched(cluster: Cluster, kind: str) -> None:
    """A patch adds labels and removes those that it sets to null."""
    cluster.core.create_namespaced_secret(cluster.namespace, secret("s", labels={"old": "1", "kept": "1"}))
    patched = cluster.core.patch_namespaced_secret(
        "s",
        cluster.namespace,
        {"metadata": {"labels": {"new": "1", "old": None}}},
        _content_type=f"application/{kind}-patch+json",
    )
    assert patched.metadata.labels == {"kept": "1", "new": "1"}


def test_a_pod_cannot_be_changed(cluster: Cluster) -> None:
    """A patch of a pod's containers is refused."""
    cluster.run(pod("p"))
    patch = {"spec": {"containers": [{"name": "base", "command": ["false"]}]}}
    answer = refused(cluster.core.patch_namespaced_pod, "p", cluster.namespace, patch)
    assert answer["code"] == 422
    assert "pod updates may not change fields other than" in answer["message"]


def test_an_old_version_cannot_replace_a_new_one(cluster: Cluster) -> None:
    """A replacement of a version that is not the newest is a conflict."""
    old = cluster.core.create_namespaced_config_map(cluster.namespace, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    cluster.core.patch_namespaced_config_map("c", cluster.namespace, {"data": {"a": "2"}})
    answer = refused(cluster.core.replace_namespaced_config_map, "c", cluster.namespace, old)
    assert answer["reason"] == "Conflict"


def test_a_deletion_can_be_for_one_identity_only(cluster: Cluster) -> None:
    """A precondition on the uid keeps another object of the same name."""
    cluster.core.create_namespaced_secret(cluster.namespace, secret("s"))
    wanted = {"preconditions": {"uid": "another"}}
    assert refused(cluster.core.delete_namespaced_secret, "s", cluster.namespace, body=wanted)["reason"] == "Conflict"


def test_what_belongs_to_something_goes_with_it(cluster: Cluster) -> None:
    """A secret whose owner is gone is deleted."""
    owner = cluster.core.create_namespaced_config_map(cluster.namespace, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
    cluster.core.create_namespaced_secret(cluster.namespace, secret("s", ownerReferences=[reference]))
    cluster.core.create_namespaced_secret(cluster.namespace, secret("other"))
    cluster.core.delete_namespaced_config_map("owner", cluster.namespace)
    names = ["other"]
    until(
        lambda: [s.metadata.name for s in cluster.core.list_namespaced_secret(cluster.namespace).items] == names or None
    )


def test_an_owner_that_never_was_takes_its_dependants_along(cluster: Cluster) -> None:
    """A reference to a uid that does not exist is that of an owner that has gone."""
    reference = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "never"}
    cluster.core.create_namespaced_secret(cluster.namespace, secret("s", ownerReferences=[reference]))
    until(lambda: not cluster.core.list_namespaced_secret(cluster.namespace).items)


def test_a_finalizer_holds_an_object(cluster: Cluster) -> None:
    """What has a finalizer goes when the finalizer does."""
    cluster.core.create_namespaced_secret(cluster.namespace, secret("s", finalizers=["example.com/hold"]))
    cluster.core.delete_namespaced_secret("s", cluster.namespace)
    assert cluster.core.read_namespaced_secret("s", cluster.namespace).metadata.deletion_timestamp
    cluster.core.patch_namespaced_secret("s", cluster.namespace, {"metadata": {"finalizers": None}})
    until(lambda: not cluster.core.list_namespaced_secret(cluster.namespace).items)


# -- validation -------------------------------------------------------------------------------------------------------


def test_an_unknown_field_is_refused(cluster: Cluster) -> None:
    """A field that the published type has not is a strict decoding error."""
    answer = refused(cluster.run, pod("p", container(imagePolicy="Never")))
    assert answer["code"] == 400
    assert 'strict decoding error: unknown field "spec.containers[0].imagePolicy"' in answer["message"]


def test_a_wrong_type_is_refused(cluster: Cluster) -> None:
    """A text where the published type has a list is a decoding error."""
    answer = refused(cluster.run, pod("p", {"name": "base", "image": "x", "args": "text"}))
    assert answer["code"] == 400
    assert "cannot unmarshal string" in answer["message"]


@pytest.mark.parametrize(
    ("change", "field", "told"),
    [
        ({"metadata": {"name": "Upper"}}, "metadata.name", "a lowercase RFC 1123 subdomain must consist of"),
        ({"metadata": {"name": "p", "labels": {"a b": "x"}}}, "metadata.labels", "name part must consist of"),
        ({"metadata": {"name": "p", "labels": {"a": "x" * 64}}}, "metadata.labels", "must be no more than 63 bytes"),
        ({"containers": []}, "spec.containers", "Required value"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image", "Required value"),
        ({"containers": [container(name="A_b")]}, "spec.containers[0].name", "RFC 1123 label"),
        ({"containers": [container(), container()]}, "spec.containers[1].name", "Duplicate value"),
        ({"restartPolicy": "Sometimes"}, "spec.restartPolicy", "supported values"),
        (
            {"containers": [container(volumeMounts=[{"name": "v", "mountPath": "/v"}])]},
            "spec.containers[0].volumeMounts[0].name",
            "Not found",
        ),
        (
            {"containers": [container(resources={"requests": {"memory": "2Q"}})]},
            "spec.containers[0].resources.requests[memory]",
            "quantities must match",
        ),
        (
            {"containers": [container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})]},
            "spec.containers[0].resources.requests",
            "must be less than or equal to cpu limit of 1",
        ),
        (
            {"containers": [container(resources={"requests": {"nvidia.com/gpu": "1"}})]},
            "spec.containers[0].resources.limits",
            "Limit must be set for non overcommitable resources",
        ),
        (
            {"initContainers": [container(name="i", readinessProbe={"exec": {"command": ["true"]}})]},
            "spec.initContainers[0].readinessProbe",
            "may not be set for init containers without restartPolicy=Always",
        ),
        ({"volumes": [{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]}, "spec.volumes[0].secret", "more"),
        ({"tolerations": [{"key": "a", "operator": "Equals"}]}, "spec.tolerations[0].operator", "supported values"),
    ],
)
def test_a_broken_rule_is_told_with_its_field(cluster: Cluster, change: Any, field: str, told: str) -> None:
    """An object that breaks a rule is 422, and its causes name the field."""
    body = pod("p")
    body["metadata"] |= change.pop("metadata", {})
    body["spec"] |= change
    answer = refused(cluster.run, body)
    assert (answer["code"], answer["reason"]) == (422, "Invalid")
    causes = {cause["field"]: cause["message"] for cause in answer["details"]["causes"]}
    assert told in causes[field]


def test_defaults_are_filled_in(cluster: Cluster) -> None:
    """A pod says only what differs from the usual."""
    made = cluster.run({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "x:1"}]}})
    assert made.spec.restart_policy == "Always"
    assert made.spec.termination_grace_period_seconds == 30
    assert made.spec.containers[0].image_pull_policy == "IfNotPresent"
    assert made.spec.service_account_name == "default"
    assert made.status.qos_class == "BestEffort"


def test_what_the_double_cannot_do_is_refused(cluster: Cluster) -> None:
    """A field that would only be ignored is 501: no test may pass because of that."""
    answer = refused(cluster.run, pod("p", runtimeClassName="other"))
    assert (answer["code"], answer["message"]) == (501, "the test double does not cover spec.runtimeClassName")


def test_a_service_account_must_exist(cluster: Cluster) -> None:
    """A pod of an account that is not there is forbidden."""
    answer = refused(cluster.run, pod("p", serviceAccountName="nobody"))
    assert answer["code"] == 403
    assert 'serviceaccount "nobody" not found' in answer["message"]


def test_restricted_pod_security(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """A namespace that enforces ``restricted`` refuses each relaxation by name, and takes a pod without any."""
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.core.patch_namespace(cluster.namespace, label)
    answer = refused(cluster.run, pod("p", volumes=[{"name": "h", "hostPath": {"path": "/"}}], hostNetwork=True))
    assert answer["code"] == 403
    for told in (
        'violates PodSecurity "restricted:latest"',
        "host namespaces (hostNetwork=true)",
        'hostPath volumes (volume "h")',
        'allowPrivilegeEscalation != false (container "base" must set',
        'must set securityContext.capabilities.drop=["ALL"]',
        'restricted volume types (volume "h" uses restricted volume type "hostPath")',
        'runAsNonRoot != true (pod or container "base"',
        'seccompProfile (pod or container "base"',
    ):
        assert told in answer["message"]
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    context = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    cluster.run(pod("p", container("id -u", securityContext=confined), securityContext=context))
    cluster.ended("p")
    assert cluster.log("p") == "1000\n"


# -- who may do what --------------------------------------------------------------------------------------------------


def test_a_token_that_nobody_has_is_unauthorized(kubernetes_double: KubernetesDouble) -> None:
    """A revoked token is 401."""
    user, kubeconfig = kubernetes_double.add_user("leaver", (("*", "*"),))
    cluster = Cluster(kubeconfig, "tests")
    cluster.core.list_namespaced_pod("tests")
    kubernetes_double.revoke(user)
    assert refused(cluster.core.list_namespaced_pod, "tests")["reason"] == "Unauthorized"


def test_a_user_may_do_what_is_allowed_and_no_more(kubernetes_double: KubernetesDouble) -> None:
    """What no rule allows is 403, in the words of RBAC."""
    _, kubeconfig = kubernetes_double.add_user("system:serviceaccount:tests:reader", (("list", "pods"),), ("tests",))
    cluster = Cluster(kubeconfig, "tests")
    cluster.core.list_namespaced_pod("tests")
    answer = refused(cluster.run, pod("p"))
    assert answer["message"] == (
        'pods is forbidden: User "system:serviceaccount:tests:reader" cannot create resource "pods" in API group "" in '
        'the namespace "tests"'
    )
    assert refused(cluster.core.list_namespaced_pod, "default")["code"] == 403


# -- watches ----------------------------------------------------------------------------------------------------------


def test_a_watch_tells_of_what_the_selector_sees(cluster: Cluster) -> None:
    """What begins to match is added, what ceases to match is deleted."""
    from kubernetes import watch

    def change() -> None:
        for labels in ({"a": "1"}, {"a": "2"}, {"a": "1"}):
            cluster.core.patch_namespaced_secret("s", cluster.namespace, {"metadata": {"labels": labels}})
        cluster.core.delete_namespaced_secret("s", cluster.namespace)

    made = cluster.core.create_namespaced_secret(cluster.namespace, secret("s"))
    threading.Thread(target=change, daemon=True).start()
    seen = []
    for event in watch.Watch().stream(
        cluster.core.list_namespaced_secret,
        cluster.namespace,
        label_selector="a=1",
        resource_version=made.metadata.resource_version,
        timeout_seconds=60,
    ):
        seen.append(event["type"])
        if len(seen) == 4:
            break
    assert seen == ["ADDED", "DELETED", "ADDED", "DELETED"]


def test_a_watch_of_a_forgotten_version_is_gone(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """After a compaction, a watch from an old version gets an error event with code 410."""
    version = cluster.core.list_namespaced_secret(cluster.namespace).metadata.resource_version
    kubernetes_double.forget_versions()
    answer = cluster.core.list_namespaced_secret(
        cluster.namespace, watch=True, resource_version=version, _preload_content=False
    )
    event = json.loads(answer.data)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_a_watch_ends_in_time_and_can_send_bookmarks(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """A bookmark tells how far the watch has come; ``timeoutSeconds`` ends it."""
    answer = cluster.core.list_namespaced_secret(
        cluster.namespace, watch=True, allow_watch_bookmarks=True, timeout_seconds=3, _preload_content=False
    )
    ask = threading.Event()
    threading.Thread(target=lambda: _ask(kubernetes_double, ask), daemon=True).start()
    events = [json.loads(line) for line in answer.stream() if line.strip()]
    ask.set()
    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert events[-1]["object"]["metadata"]["resourceVersion"]


def _ask(double: KubernetesDouble, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        double.send_bookmarks()


def test_a_dropped_watch_is_a_broken_connection(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """The hook breaks what is being watched, in the middle of the answer."""
    from urllib3.exceptions import ProtocolError

    answer = cluster.core.list_namespaced_secret(cluster.namespace, watch=True, _preload_content=False)
    threading.Thread(target=lambda: until(kubernetes_double.drop_watches), daemon=True).start()
    with pytest.raises(ProtocolError):
        list(answer.stream())


# -- requests ---------------------------------------------------------------------------------------------------------


def test_requests_can_be_made_to_fail(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """The next requests that fit are refused, with the status that the test wants; the one after is not."""
    path = f"{cluster.namespace}/configmaps$"
    kubernetes_double.fail_next(2, 500, method="GET", path=path)
    for _ in range(2):
        assert refused(cluster.core.list_namespaced_config_map, cluster.namespace)["code"] == 500
    cluster.core.list_namespaced_config_map(cluster.namespace)


def test_a_client_comes_back_after_too_many_requests(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """The client asks again by itself where a refusal says when (``Retry-After``)."""
    path = f"{cluster.namespace}/configmaps$"
    kubernetes_double.fail_next(1, 429, method="GET", path=path, headers={"Retry-After": "0"})
    cluster.core.list_namespaced_config_map(cluster.namespace)
    assert [request.status for request in kubernetes_double.requests("GET", path)] == [429, 200]


def test_an_answer_can_be_lost(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """What was asked for is done, and the client hears nothing of it."""
    from urllib3.exceptions import ProtocolError

    kubernetes_double.lose_next_answers(1, method="POST", path=f"{cluster.namespace}/secrets$")
    with pytest.raises(ProtocolError):
        cluster.core.create_namespaced_secret(cluster.namespace, secret("s"))
    assert cluster.core.read_namespaced_secret("s", cluster.namespace).metadata.uid


def test_an_answer_can_be_late(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """A client that waits for less gives up."""
    from urllib3.exceptions import ReadTimeoutError

    cluster.core.list_namespaced_secret(cluster.namespace)
    kubernetes_double.slow_next(1, 60, method="POST", path=f"{cluster.namespace}/secrets$")
    with pytest.raises(ReadTimeoutError):
        cluster.core.create_namespaced_secret(cluster.namespace, secret("s"), _request_timeout=(60, 0.5))


def test_an_outage(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """Nobody is served until it is over, not even over connections that were open."""
    from urllib3.exceptions import MaxRetryError

    cluster.core.list_namespaced_secret(cluster.namespace)
    with kubernetes_double.outage(), pytest.raises(MaxRetryError):
        cluster.core.list_namespaced_secret(cluster.namespace)
    cluster.core.list_namespaced_secret(cluster.namespace)


def test_requests_are_recorded(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """What was asked can be counted: method, path, query, user, status."""
    cluster.core.list_namespaced_config_map(cluster.namespace, label_selector="a=b")
    (request,) = kubernetes_double.requests("GET", f"{cluster.namespace}/configmaps$")
    assert (request.query, request.user, request.status) == ({"labelSelector": "a=b"}, "kubernetes-admin", 200)


def test_discovery(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """Clients learn the version, the groups and the kinds."""
    from kubernetes import client

    assert client.VersionApi(cluster.api).get_code().git_version == "v1.34.2+double"
    kinds = {each.kind for each in client.BatchV1Api(cluster.api).get_api_resources().resources}
    assert kinds == {"Job"}


def test_kubectl_reads_it(kubernetes_double: KubernetesDouble) -> None:
    """The usual program of the command line finds nodes and their names."""
    import shutil

    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("there is no kubectl")
    command = [program, "--kubeconfig", str(kubernetes_double.kubeconfig), "get", "nodes", "-o", "name"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "node/node-a" in found.stdout.split()


def test_the_asynchronous_client_speaks_to_it(kubernetes_double: KubernetesDouble, cluster: Cluster) -> None:
    """``kubernetes_asyncio`` creates, watches and deletes."""
    import asyncio

    from kubernetes_asyncio import client, config, watch

    async def journey() -> list[str]:
        configuration = client.Configuration()
        await config.load_kube_config(str(kubernetes_double.kubeconfig), client_configuration=configuration)
        async with client.ApiClient(configuration) as api:
            core = client.CoreV1Api(api)
            await core.create_namespaced_config_map(cluster.namespace, {"metadata": {"name": "c"}})
            await core.delete_namespaced_config_map("c", cluster.namespace)
            seen = []
            async with watch.Watch().stream(
                core.list_namespaced_config_map,
                cluster.namespace,
                resource_version=str(kubernetes_double.store.version - 2),
                timeout_seconds=60,
            ) as stream:
                async for event in stream:
                    seen.append(event["type"])
                    if len(seen) == 2:
                        break
            return seen

    assert asyncio.run(journey()) == ["ADDED", "DELETED"]
