"""What a deployment may say of a cluster, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.pod_bench import kubernetes_config

from airflow_mlpipe.compute.kubernetes_config import Claim, GpuNodes, KubernetesConfig
from airflow_mlpipe.errors import MLPipeError


def test_nothing_need_be_said() -> None:
    """The cluster of the kubeconfig, and the defaults of the docs."""
    assert kubernetes_config() == KubernetesConfig()
    assert kubernetes_config().queue_seconds == 86_400


def test_a_form_gives_texts() -> None:
    """Of which JSON, YAML, lists, truths and numbers are read."""
    gpus = {"a100": {"node_selector": {"gpu": "a100"}, "memory": "40Gi"}}
    found = kubernetes_config(
        gpus=json.dumps(gpus),
        volumes='{"lake": "lake-claim"}',
        image_pull_secrets="one, two",
        in_cluster="true",
        queue_seconds="60",
        template="spec: {dnsPolicy: Default}",
        labels='{"team": "vision"}',
    )
    assert found.gpus == {"a100": GpuNodes(node_selector={"gpu": "a100"}, memory="40Gi")}
    assert found.volumes == {"lake": Claim(claim="lake-claim")}
    assert (found.image_pull_secrets, found.in_cluster, found.queue_seconds) == (("one", "two"), True, 60.0)
    assert found.template == {"spec": {"dnsPolicy": "Default"}}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"nodes": 3}, "unknown option.*given: .'nodes'."),
        ({"gpus": "{"}, "gpus: not JSON"),
        ({"gpus": {"a100": {"label": "x"}}}, r"gpus\.a100: unknown option.*valid: 'affinity'"),
        ({"gpus": {"a100": {"memory": "much"}}}, "not an amount of memory"),
        ({"gpus": {"a100": {"tolerations": {"key": "x"}}}}, "not a list of tolerations"),
        ({"gpus": {"a100": {"node_selector": {"x": 1}}}}, "node_selector: not texts by name"),
        ({"volumes": {"lake": {"sub_path": "x"}}}, "names no claim"),
        ({"template": "a: [b"}, "template: not YAML"),
        ({"template": {"containers": []}}, "template: not a pod.*valid: 'metadata', 'spec'"),
        ({"template": {"spec": {"containers": [{"image": "x"}]}}}, r"containers\[0\]: it has no name"),
        ({"labels": {"team": 1}}, "labels: not texts by name"),
        ({"image_pull_secrets": [1]}, "not a list of names"),
        ({"user": "me"}, "user: not a user"),
        ({"in_cluster": True, "kubeconfig": "/x"}, "more than one way to the cluster"),
        ({"queue_seconds": "soon"}, "queue_seconds: a value of the wrong type"),
    ],
)
def test_what_is_wrong_is_said(members: dict[str, Any], words: str) -> None:
    """Where, what was given, and what would have been right."""
    with pytest.raises(MLPipeError, match=words):
        kubernetes_config(**members)
