"""The conformance suite of computes on a real cluster: ``make test-kubernetes``.

It runs where the environment says which:

- ``KUBECONFIG``, and ``KUBERNETES_TEST_NAMESPACE`` of it, which is there and may enforce the restricted standard;
- ``KUBERNETES_TEST_IMAGE``, with Python and a shell, and ``KUBERNETES_TEST_AGENT_IMAGE``, of ``Dockerfile.agent``: on
  the nodes (``kind load docker-image``, ``minikube image load``, ``k3s ctr images import``) or in a registry;
- ``KUBERNETES_TEST_WORKSPACE``, the URL of a prefix that is reached from here and from the pods, and
  ``KUBERNETES_TEST_WORKSPACE_OPTIONS``, how it is opened, as JSON (credentials, endpoint).
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest
from support.on_kubernetes import OnPods
from support.pod_bench import PodPlace, kubernetes_config

from airflow_mlpipe.testing.compute_contract import ComputeBench

_NEEDED = (
    "KUBECONFIG",
    "KUBERNETES_TEST_NAMESPACE",
    "KUBERNETES_TEST_IMAGE",
    "KUBERNETES_TEST_AGENT_IMAGE",
    "KUBERNETES_TEST_WORKSPACE",
)
_MISSING = [name for name in _NEEDED if not os.environ.get(name)]


@pytest.mark.kubernetes
@pytest.mark.slow
@pytest.mark.skipif(bool(_MISSING), reason=f"THE TESTS ON A CLUSTER ARE SKIPPED: {', '.join(_MISSING)} not set")
class TestRealCluster(OnPods):
    """Pods that nobody imitates."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> ComputeBench:
        """A bench with a prefix of its own."""
        config = kubernetes_config(
            kubeconfig=os.environ["KUBECONFIG"],
            namespace=os.environ["KUBERNETES_TEST_NAMESPACE"],
            agent_image=os.environ["KUBERNETES_TEST_AGENT_IMAGE"],
            resolve_digest=False,
            user="1000:1000",
        )
        url = f"{os.environ['KUBERNETES_TEST_WORKSPACE'].rstrip('/')}/{uuid.uuid4().hex[:12]}"
        options = json.loads(os.environ.get("KUBERNETES_TEST_WORKSPACE_OPTIONS", "{}"))
        place = PodPlace(config=config, url=url, options=options, root=tmp_path)
        return self.open(place, os.environ["KUBERNETES_TEST_IMAGE"])

    def in_main(self, command: str) -> None:
        """As ``kubectl exec`` does it."""
        from kubernetes.stream import stream

        (pod,) = self.listed("pod")
        stream(
            self.core.connect_get_namespaced_pod_exec,
            pod["metadata"]["name"],
            self.namespace,
            container="main",
            command=["sh", "-c", command],
            stdout=True,
            stderr=True,
        )
