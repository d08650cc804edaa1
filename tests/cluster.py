"""The fixture of a Kubernetes cluster: the test double of ``kubernetes_double/``, on the Docker engine.

Not ``kubernetes.py``: this folder is on the path of imports, and that name is the client's.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from support.pods import Cluster

if TYPE_CHECKING:
    from docker import DockerClient
    from kubernetes_double.double import KubernetesDouble


@pytest.fixture(scope="session")
def kubernetes_double(engine: DockerClient, base_image: str) -> Iterator[KubernetesDouble]:
    """The session's cluster, with two nodes of 4 CPUs and 8 GiB and no GPU.

    Its waits between tries are a twentieth of the usual ones.
    """
    from kubernetes_double.double import KubernetesDouble
    from kubernetes_double.options import Options

    options = Options(pause_image=base_image, namespace="tests", crash_seconds=0.5, pull_seconds=0.5, mount_seconds=0.2)
    with KubernetesDouble(engine, options) as double:
        yield double


@pytest.fixture
def cluster(kubernetes_double: KubernetesDouble) -> Iterator[Cluster]:
    """A client in a namespace of the test's own, which goes at its end with everything in it."""
    name = kubernetes_double.add_namespace(f"test-{uuid.uuid4().hex[:10]}")
    found = Cluster(kubernetes_double.kubeconfig, name)
    try:
        yield found
    finally:
        kubernetes_double.clear(name)
        found.close()
