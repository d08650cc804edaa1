"""The conformance suite of computes: the local one, a real Docker engine, and pods of the cluster's double."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.on_kubernetes import OnKubernetes
from support.variants import OF_USERS

from airflow_mlpipe.compute import Compute, LocalCompute
from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.compute.docker import DockerCompute
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.testing.compute_contract import SECRET, ComputeBench, ComputeContract, wait_for

if TYPE_CHECKING:
    from docker import DockerClient


class TestLocal(ComputeContract):
    """Processes beside the worker."""

    survives = False

    @pytest.fixture
    def bench(self, tmp_path: Path) -> ComputeBench:
        """A bench without images."""
        return ComputeBench(tmp_path, lambda bench: LocalCompute(bench.stores, bench.host))


class OnDocker(ComputeContract):
    """Containers of a real engine."""

    config = DockerConfig()

    @pytest.fixture
    def bench(self, tmp_path: Path, engine: DockerClient, image: str) -> ComputeBench:
        """A bench whose containers are told apart by its folder."""
        self.engine = engine

        def make(bench: ComputeBench) -> Compute:
            return DockerCompute("docker", self.config, bench.stores, bench.host, workspace=str(tmp_path))

        return ComputeBench(tmp_path, make, image=image)

    @pytest.fixture
    def image(self, base_image: str) -> str:
        """Python, a shell, root."""
        return base_image

    def wait_until_ended(self, bench: ComputeBench) -> None:
        """Ask the engine."""
        wait_for(lambda: not self.engine.containers.list(filters={"label": "mlpipe.step=demo/run/dead"}))

    def run_watched(self, bench: ComputeBench, job: Job) -> JobResult:
        """What the engine shows of the container holds no secret."""
        seen: list[str] = []

        def on_line(line: str) -> None:
            bench.lines.append(line)
            found = self.engine.containers.list(all=True, filters={"label": f"mlpipe.attempt={job.attempt}"})
            seen.extend(json.dumps(one.attrs) for one in found)

        result = bench.make(bench).run(job, on_line)
        assert seen
        assert not any(SECRET in text for text in seen)
        return result


class TestDocker(OnDocker):
    """As the worker's user."""

    def test_nothing_of_ours_is_left_on_the_engine(self, bench: ComputeBench) -> None:
        """No container of the bench, whether its program ended well or not."""
        bench.sh("true")
        with pytest.raises(Exception, match="exit code 3"):
            bench.sh("exit 3")
        label = f"mlpipe.workspace={bench.make(bench)._workspace}"
        assert self.engine.containers.list(all=True, filters={"label": label}) == []

    def test_what_nobody_came_back_for_goes_with_a_later_step(
        self, bench: ComputeBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A container that ended long ago; one that ended just now stays for its next try."""
        from airflow_mlpipe.compute.docker import runner

        self.kill_worker(bench, "i=0; while [ $i -lt 2 ] && i=$((i+1))")
        self.wait_until_ended(bench)
        label = {"label": "mlpipe.step=demo/run/dead"}
        bench.sh("true")
        assert len(self.engine.containers.list(all=True, filters=label)) == 1
        monkeypatch.setattr(runner, "_FORGOTTEN_SECONDS", 0.0)
        bench.sh("true")
        assert self.engine.containers.list(all=True, filters=label) == []


class TestDockerReadOnlyRoot(OnDocker):
    """With the image's files read-only, and no network."""

    only = OF_USERS

    config = DockerConfig(read_only=True, network="none")


class TestDockerNonRoot(OnDocker):
    """In an image whose user is neither root nor the worker."""

    only = OF_USERS

    @pytest.fixture
    def image(self, engine: DockerClient, base_image: str) -> str:
        """The same with a user and an entry point of its own."""
        from tools.base_image import load

        tag = "mlpipe-tests/user:1"
        load(engine, tag, config={"User": "4242:4242"})
        return tag


@pytest.mark.slow
class TestKubernetes(OnKubernetes):
    """In an image whose user is root, as which no pod may run; its program gets a number."""


@pytest.mark.slow
class TestKubernetesOwnUser(OnKubernetes):
    """In an image with a user of its own, which the cluster alone knows, with the image's files read-only."""

    only = OF_USERS
    options = {"read_only": True}

    @pytest.fixture
    def image(self, engine: DockerClient, base_image: str) -> str:
        """The same with a user."""
        from tools.base_image import load

        tag = "mlpipe-tests/user:1"
        load(engine, tag, config={"User": "4242:4242"})
        return tag


def test_cancelling_twice_from_threads_does_no_harm(tmp_path: Path, engine: DockerClient, base_image: str) -> None:
    """The container is ended once."""
    bench = ComputeBench(
        tmp_path,
        lambda b: DockerCompute("docker", DockerConfig(), b.stores, b.host, workspace=str(tmp_path)),
        image=base_image,
    )
    compute = bench.make(bench)

    def on_line(line: str) -> None:
        if line == "up":
            for _ in range(2):
                threading.Thread(target=compute.cancel).start()

    with pytest.raises(Exception, match="cancelled"):
        compute.run(bench.job("sh", "-c", "echo up; exec sleep 600", grace=1.0), on_line)
