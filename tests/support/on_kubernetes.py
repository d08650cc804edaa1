"""The conformance suite of computes on pods: of any cluster, and of the double."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_mlpipe.compute import Compute
from airflow_mlpipe.compute.kubernetes_.names import PREFIX, workspace_label
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.testing.compute_contract import SECRET, ComputeBench, ComputeContract, wait_for
from support.pod_bench import BucketStores, PodPlace, kubernetes_config

if TYPE_CHECKING:
    from docker import DockerClient
    from kubernetes_double.double import KubernetesDouble
    from servers import S3Server


class OnPods(ComputeContract):
    """Pods of some cluster; a subclass has the fixture ``bench``, which calls :meth:`open`."""

    namespace: str
    place: PodPlace

    def open(self, place: PodPlace, image: str) -> ComputeBench:
        """A bench whose workspace is a bucket."""
        from kubernetes import client, config

        assert place.config.namespace is not None
        self.place, self.namespace = place, place.config.namespace
        self.core = client.CoreV1Api(config.new_client_from_config(place.config.kubeconfig))
        stores = BucketStores(url=place.url, options=place.options)

        def make(bench: ComputeBench) -> Compute:
            return self.place.compute(stores)

        return ComputeBench(place.root, make, image=image, given_stores=stores)

    @pytest.fixture(autouse=True)
    def nothing_left(self, bench: ComputeBench) -> Iterator[None]:
        """Whatever a test does: its pods and secrets are gone."""
        yield
        wait_for(lambda: not [*self.listed("pod"), *self.listed("secret")])
        self.core.api_client.close()

    def listed(self, kind: str, selector: str | None = None) -> list[dict[str, Any]]:
        """Objects of the bench, as the API shows them."""
        ours = f"{PREFIX}workspace={workspace_label(self.place.url)}" if selector is None else selector
        found = getattr(self.core, f"list_namespaced_{kind}")
        items = json.loads(found(self.namespace, label_selector=ours, _preload_content=False).data)["items"]
        return list(items)

    def in_main(self, command: str) -> None:
        """Do something in the program's container, from outside of the cluster."""
        raise NotImplementedError

    def wait_until_ended(self, bench: ComputeBench) -> None:
        """Ask the cluster."""
        wait_for(lambda: all(pod["status"]["phase"] == "Succeeded" for pod in self.listed("pod")))

    def let_go(self, bench: ComputeBench, job: Job) -> None:
        """In the pod."""
        self.in_main("touch /mlpipe/checkpoints/go")

    def run_watched(self, bench: ComputeBench, job: Job) -> JobResult:
        """What the cluster shows of the pod and its events holds no secret."""
        seen: list[str] = []

        def on_line(line: str) -> None:
            bench.lines.append(line)
            seen.extend(json.dumps(one) for one in [*self.listed("pod"), *self.listed("event", "")])

        result = bench.make(bench).run(job, on_line)
        assert seen
        assert not any(SECRET in text for text in seen)
        return result

    def test_a_failed_recheck_publishes_nothing(self, bench: ComputeBench) -> None:
        """Its error comes out, and no candidate stays."""
        from airflow_mlpipe.errors import InputChangedError

        def recheck() -> None:
            raise InputChangedError("changed", where="raw")

        with pytest.raises(InputChangedError):
            bench.run(bench.job("true"), recheck=recheck)
        assert not list(bench.stores.store.list("candidates"))

    def kill_worker(self, bench: ComputeBench, loop: str) -> None:
        """In a process of its own: clients of object stores have threads, which a fork has not."""
        import pickle

        job = self.dead_job(bench, f'echo up; {loop}; do sleep 0.2; done; echo done > "$1"')
        task = bench.root / "task.pickle"
        task.write_bytes(pickle.dumps((self.place, Order.of(job, code=None).to_bytes())))
        script = Path(__file__).with_name("pod_bench.py")
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


class OnKubernetes(OnPods):
    """Pods of the double, in a namespace that takes restricted ones only."""

    options: Mapping[str, object] = {"user": "1000:1000"}

    @pytest.fixture
    def namespace_of_test(self, kubernetes_double: KubernetesDouble) -> Iterator[str]:
        """Whose pods reach the object store on this machine."""
        labels = {"kubernetes-double/network": "host", "pod-security.kubernetes.io/enforce": "restricted"}
        name = kubernetes_double.add_namespace(f"test-{uuid.uuid4().hex[:10]}", labels)
        yield name
        assert kubernetes_double.failures() == []
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
        namespace_of_test: str,
    ) -> ComputeBench:
        """The images are on the nodes, and no registry has them."""
        self.engine = engine
        config = kubernetes_config(
            kubeconfig=str(kubernetes_double.kubeconfig),
            namespace=namespace_of_test,
            agent_image=agent_image,
            resolve_digest=False,
            **self.options,
        )
        url = f"s3://{s3.new_bucket()}/ml"
        return self.open(PodPlace(config=config, url=url, options=s3.options, root=tmp_path), image)

    @pytest.fixture
    def image(self, base_image: str) -> str:
        """Python, a shell, root."""
        return base_image

    def in_main(self, command: str) -> None:
        """By the engine that runs the double's containers."""
        (pod,) = self.listed("pod")
        status = pod["status"]["containerStatuses"][0]
        container = self.engine.containers.get(status["containerID"].partition("://")[2])
        assert container.exec_run(["sh", "-c", command]).exit_code == 0


def _environment() -> dict[str, str]:
    import os

    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
