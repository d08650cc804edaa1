"""The conformance suite of computes on pods: of the cluster's double, whose containers are real."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.pod_bench import BucketStores, PodPlace, kubernetes_config

from airflow_mlpipe.compute import Compute
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.testing.compute_contract import SECRET, ComputeBench, ComputeContract, wait_for

if TYPE_CHECKING:
    from docker import DockerClient
    from kubernetes_double.double import KubernetesDouble
    from servers import S3Server


class OnKubernetes(ComputeContract):
    """Pods of the double, in a namespace that takes restricted ones only."""

    options: dict[str, object] = {"user": "1000:1000"}

    @pytest.fixture
    def namespace(self, kubernetes_double: KubernetesDouble) -> Iterator[str]:
        """Whose pods reach the object store on this machine."""
        labels = {"kubernetes-double/network": "host", "pod-security.kubernetes.io/enforce": "restricted"}
        name = kubernetes_double.add_namespace(f"test-{uuid.uuid4().hex[:10]}", labels)
        yield name
        kubernetes_double.clear(name)

    @pytest.fixture
    def bench(
        self,
        tmp_path: Path,
        kubernetes_double: KubernetesDouble,
        engine: DockerClient,
        s3: S3Server,
        image: str,
        agent_image: str,
        namespace: str,
    ) -> ComputeBench:
        """A bench whose workspace is a bucket."""
        self.double, self.engine, self.namespace = kubernetes_double, engine, namespace
        config = self.config(str(kubernetes_double.kubeconfig), namespace, agent_image)
        self.place = PodPlace(config=config, url=f"s3://{s3.new_bucket()}/ml", options=s3.options, root=tmp_path)
        stores = BucketStores(url=self.place.url, options=s3.options)

        def make(bench: ComputeBench) -> Compute:
            return self.place.compute(stores)

        return ComputeBench(tmp_path, make, image=image, stores=stores)

    def config(self, kubeconfig: str, namespace: str, agent_image: str) -> KubernetesConfig:
        """As a deployment would write it; the images are on the nodes, and no registry has them."""
        members = {"kubeconfig": kubeconfig, "namespace": namespace, "agent_image": agent_image}
        return kubernetes_config(**members, resolve_digest=False, **self.options)

    @pytest.fixture
    def image(self, base_image: str) -> str:
        """Python, a shell, root."""
        return base_image

    @pytest.fixture(autouse=True)
    def nothing_left(self, bench: ComputeBench) -> Iterator[None]:
        """Whatever a test does: its pods and secrets are gone, and the double did as it should."""
        yield
        wait_for(lambda: not self.left_in_cluster())
        assert self.double.failures() == []

    def left_in_cluster(self) -> list[str]:
        """Pods and secrets of the namespace."""
        from kubernetes_double.objects.resources import PODS, SECRETS

        found = [*self.double.store.all(PODS, self.namespace), *self.double.store.all(SECRETS, self.namespace)]
        return [one["metadata"]["name"] for one in found]

    def wait_until_ended(self, bench: ComputeBench) -> None:
        """Ask the cluster."""
        wait_for(lambda: all(pod["status"]["phase"] == "Succeeded" for pod in self.pods()))

    def pods(self) -> list[dict[str, object]]:
        """As they are now."""
        from kubernetes_double.objects.resources import PODS

        return self.double.store.all(PODS, self.namespace)

    def in_main(self, command: str) -> None:
        """Do something in the program's container, from outside of the cluster."""
        (pod,) = self.pods()
        status = pod["status"]["containerStatuses"][0]
        container = self.engine.containers.get(status["containerID"].partition("://")[2])
        assert container.exec_run(["sh", "-c", command]).exit_code == 0

    def let_go_on(self, bench: ComputeBench) -> None:
        """In the pod."""
        self.in_main("touch /mlpipe/checkpoints/go")

    def run_watched(self, bench: ComputeBench, job: Job) -> JobResult:
        """What the cluster shows of the pod and its events holds no secret."""
        from kubernetes_double.objects.resources import EVENTS

        seen: list[str] = []

        def on_line(line: str) -> None:
            bench.lines.append(line)
            seen.extend(json.dumps(one) for one in [*self.pods(), *self.double.store.all(EVENTS, self.namespace)])

        result = bench.make(bench).run(job, on_line)
        assert seen
        assert not any(SECRET in text for text in seen)
        return result

    def test_lines_come_while_the_program_runs(self, bench: ComputeBench) -> None:
        """The program waits for a file that its line makes us write."""

        def on_line(line: str) -> None:
            if line == "ready":
                self.in_main("touch /mlpipe/tmp/flag")

        text = 'echo ready; while [ ! -e "$TMPDIR/flag" ]; do sleep 0.1; done'
        bench.make(bench).run(bench.job("sh", "-c", text, timeout=120.0), on_line)

    def test_a_failed_recheck_publishes_nothing(self, bench: ComputeBench) -> None:
        """Its error comes out, and no candidate stays."""
        from airflow_mlpipe.errors import InputChangedError

        def recheck() -> None:
            raise InputChangedError("changed", where="raw")

        with pytest.raises(InputChangedError):
            bench.run(bench.job("true"), recheck=recheck)
        assert not list(bench.stores.store.list("candidates"))

    def _kill_worker(self, bench: ComputeBench, loop: str) -> None:
        """In a process of its own: clients of object stores have threads, which a fork has not."""
        import pickle

        job = self._dead_job(bench, f'echo up; {loop}; do sleep 0.2; done; echo done > "$1"')
        task = bench.root / "task.pickle"
        task.write_bytes(pickle.dumps((self.place, job)))
        script = Path(__file__).parents[1] / "support" / "pod_bench.py"
        with subprocess.Popen(
            [sys.executable, str(script), str(task)], stdout=subprocess.PIPE, text=True, env=_environment()
        ) as worker:
            assert worker.stdout is not None
            said = []
            for line in worker.stdout:
                said.append(line)
                if line == "up\n":
                    break
            worker.kill()
        assert "up\n" in said, said


def _environment() -> dict[str, str]:
    import os

    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}


@pytest.mark.slow
class TestKubernetes(OnKubernetes):
    """In an image whose user is root, which a pod's may not be."""
