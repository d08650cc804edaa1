"""The conformance suite of computes on an engine of another machine: behind TLS, with data in a real S3 server.

It is this machine's engine, but nothing of this machine's folders is used: the containers reach the server through the
network, and the programs' folders are volumes.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.engine_tls import TlsEngine, engine_over_tls
from support.remote_worker import RemoteStores, compute_of, describe
from support.variants import OF_USERS

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.errors import ComputeError, ConfigurationError, InputError, StepCancelledError
from airflow_mlpipe.model import DataReference, Datastore, PipelineData
from airflow_mlpipe.model.step import FunctionCall, InputPath, InputPort, OutputPath
from airflow_mlpipe.runtime.function import FunctionError
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.testing.compute_contract import (
    SECRET,
    ComputeBench,
    ComputeContract,
    FolderStores,
    outputs,
    wait_for,
)

if TYPE_CHECKING:
    from docker import DockerClient
    from servers import S3Server

WAIT_FOR_GO = 'while [ ! -e "$MLPIPE_CHECKPOINT_DIR/go" ]'
TESTS = Path(__file__).parent.parent
FILE = PipelineData("o", kind="file", filename="o.txt")


@pytest.fixture(scope="session")
def far_engine(engine: DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsEngine]:
    """The engine behind TLS."""
    with engine_over_tls(tmp_path_factory.mktemp("tls")) as found:
        yield found


class OnRemoteDocker(ComputeContract):
    """Containers of an engine that is reached through TLS."""

    options: dict[str, object] = {}

    @pytest.fixture
    def bench(
        self,
        tmp_path: Path,
        engine: DockerClient,
        far_engine: TlsEngine,
        image: str,
        agent_image: str,
        s3: S3Server,
    ) -> Iterator[ComputeBench]:
        """A bench whose containers and volumes are told apart by its folder; none is left."""
        self.engine = engine
        self.config = DockerConfig(
            host=far_engine.host,
            tls_ca=far_engine.ca,
            tls_cert=far_engine.cert,
            tls_key=far_engine.key,
            agent_image=agent_image,
            agent_network="host",
            **self.options,  # type: ignore[arg-type]
        )
        self.configs = {"": s3.config("workspace"), "raw": s3.config("raw")}
        bench = ComputeBench(
            tmp_path,
            lambda _: compute_of(self.config, self.configs, tmp_path),
            image=image,
            given_stores=RemoteStores(self.configs),
        )
        yield bench
        left = self.volumes(bench)
        for name in left:
            engine.volumes.get(name).remove()
        assert [name for name in left if not name.startswith("mlpipe-checkpoints-")] == []
        assert self.containers(bench) == []
        assert [info.key for info in bench.stores.store.list("candidates")] == []

    @pytest.fixture
    def image(self, base_image: str) -> str:
        """Python, a shell, root."""
        return base_image

    def label(self, bench: ComputeBench) -> str:
        """Of all that the bench has on the engine."""
        return f"mlpipe.workspace={compute_of(self.config, self.configs, bench.root)._workspace}"

    def containers(self, bench: ComputeBench) -> list[str]:
        """Of the bench."""
        found = self.engine.containers.list(all=True, filters={"label": self.label(bench)})
        return [one.name for one in found]

    def volumes(self, bench: ComputeBench) -> list[str]:
        """Of the bench."""
        return [one.name for one in self.engine.volumes.list(filters={"label": self.label(bench)})]

    def let_go(self, bench: ComputeBench, job: Job) -> None:
        """Into the volume, through the container."""
        filters = {"label": [self.label(bench), "mlpipe.role=program"]}
        (container,) = self.engine.containers.list(filters=filters)
        assert container.exec_run(["touch", "/mlpipe/checkpoints/go"]).exit_code == 0

    def wait_until_ended(self, bench: ComputeBench) -> None:
        """Ask the engine."""
        wait_for(lambda: not self.engine.containers.list(filters={"label": "mlpipe.step=demo/run/dead"}))

    def kill_worker(self, bench: ComputeBench, loop: str) -> None:
        """See the base; in a process that is no fork."""
        job = self.dead_job(bench, f'echo up; {loop}; do sleep 0.2; done; echo done > "$1"')
        file = bench.root / "worker.json"
        file.write_bytes(describe(self.config, self.configs, bench.root, job))
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
        command = [sys.executable, "-m", "support.remote_worker", str(file)]
        worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert worker.stdout is not None
        said = []
        for line in worker.stdout:
            said.append(line)
            if line == "up\n":
                break
        worker.kill()
        worker.communicate()
        assert "up\n" in said, said

    def run_watched(self, bench: ComputeBench, job: Job) -> JobResult:
        """What the engine shows of any container or volume holds no secret, and no credentials of a datastore."""
        seen: list[str] = []
        key = str(self.configs[""].options["secret"])

        def look(line: str) -> None:
            bench.lines.append(line)
            filters = {"label": f"mlpipe.attempt={job.attempt}"}
            seen.extend(json.dumps(one.attrs) for one in self.engine.containers.list(all=True, filters=filters))
            seen.extend(json.dumps(one.attrs) for one in self.engine.volumes.list(filters=filters))

        result = bench.make(bench).run(job, look)
        assert seen
        shown = [text.replace("mlpipe-tests", "") for text in seen]
        assert not any(SECRET in text or f'"{key}"' in text for text in shown)
        return result


class TestRemoteDocker(OnRemoteDocker):
    """In an image of root."""

    def test_data_of_a_datastore_are_fetched_there(self, bench: ComputeBench) -> None:
        """A file of a bucket; one that is not there is said as on the worker's machine."""
        bench.stores.datastore(Datastore("raw")).put("day/a.csv", b"1,2")
        port = InputPort(name="raw", data=DataReference(Datastore("raw"), "day/a.csv"))
        (out,) = bench.sh(
            'cat "$1" > "$2"', InputPath("raw"), OutputPath("o"), inputs=(port,), outputs=outputs(FILE)
        ).outputs
        assert bench.read(out) == b"1,2"
        gone = InputPort(name="raw", data=DataReference(Datastore("raw"), "no/such"))
        with pytest.raises(InputError, match="the data are not there"):
            bench.sh("true", inputs=(gone,))

    def test_functions_return_values_from_there(self, bench: ComputeBench) -> None:
        """Small ones in the result; what cannot travel is the function's error."""
        for source, error in (("return 2 * n", False), ("return object()", True)):
            job = bench.job(script=f"def f(n):\n    {source}\n", parameters={"n": 4})
            step = replace(job.step, kind="function", code=None, function=FunctionCall(file="main.py", name="f"))
            job = replace(job, step=replace(step, outputs=outputs(PipelineData("value", optional=True))))
            if error:
                with pytest.raises(FunctionError):
                    bench.run(job)
            else:
                assert dict(bench.run(job).values) == {"value": 8}

    def test_a_cancelled_staging_leaves_nothing(self, bench: ComputeBench) -> None:
        """The agent's container is ended as soon as it is seen."""
        compute = bench.make(bench)
        job = bench.job("true")

        def cancel_when_staging() -> None:
            wait_for(lambda: self.containers(bench))
            compute.cancel()

        thread = threading.Thread(target=cancel_when_staging)
        thread.start()
        with pytest.raises(StepCancelledError):
            compute.run(job, bench.lines.append)
        thread.join()

    def test_a_program_that_nobody_follows_is_gone_on_with(self, bench: ComputeBench) -> None:
        """Started, polled to its end, and its result taken by another worker."""
        job = bench.job(
            "sh", "-c", 'echo hello; echo 1 > "$1"', "sh", OutputPath("o"), outputs=outputs(FILE), same="mlp1:x"
        )
        handle = bench.make(bench).start(job, bench.lines.append)
        wait_for(lambda: not bench.make(bench).poll(handle, "").running)
        assert bench.make(bench).poll(handle, "").lines == ("hello",)
        (out,) = bench.run(replace(job, resumed=True)).outputs
        assert bench.read(out) == b"1\n"

    def test_a_program_that_nobody_follows_is_killed(self, bench: ComputeBench) -> None:
        """With its volumes; what is gone already is no error."""
        handle = bench.make(bench).start(bench.job("sleep", "600"), bench.lines.append)
        bench.make(bench).kill(handle)
        bench.make(bench).kill(handle)
        assert self.containers(bench) == []
        assert all(name.startswith("mlpipe-checkpoints-") for name in self.volumes(bench))

    def test_what_a_dead_worker_left_goes_with_a_later_step(
        self, bench: ComputeBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Volumes without a container that are a day old; those of attempts that run stay."""
        from airflow_mlpipe.compute.docker import runner

        workspace = compute_of(self.config, self.configs, bench.root)._workspace
        for role in ("folders", "secrets"):
            labels = {"mlpipe.workspace": workspace, "mlpipe.step": "another/step", "mlpipe.role": role}
            self.engine.volumes.create(f"mlpipe-tests-{role}-{workspace}", labels=labels)
        handle = bench.make(bench).start(bench.job("sleep", "600", label="demo/run/other"), bench.lines.append)
        bench.sh("true")
        assert len([name for name in self.volumes(bench) if "checkpoints" not in name]) == 4
        monkeypatch.setattr(runner, "_FORGOTTEN_SECONDS", 0.0)
        bench.sh("true")
        left = [name for name in self.volumes(bench) if "checkpoints" not in name]
        assert len(left) == 2
        assert not [name for name in left if name.startswith("mlpipe-tests-")]
        bench.make(bench).kill(handle)

    def test_an_engine_that_gets_lost_is_said_and_its_program_is_gone_on_with(
        self, bench: ComputeBench, tmp_path: Path
    ) -> None:
        """The connection breaks while the program runs; the next try comes back to it through another."""
        near = self.config
        text = f'echo up; {WAIT_FOR_GO}; do sleep 0.2; done; echo 1 > "$1"'
        job = bench.job("sh", "-c", text, "sh", OutputPath("o"), outputs=outputs(FILE), same="mlp1:lost")
        (tmp_path / "far").mkdir()
        with contextlib.ExitStack() as stack:
            far = stack.enter_context(engine_over_tls(tmp_path / "far"))
            self.config = replace(near, host=far.host, tls_ca=far.ca, tls_cert=far.cert, tls_key=far.key)

            def on_line(line: str) -> None:
                bench.lines.append(line)
                if line == "up":
                    stack.close()

            with pytest.raises(ComputeError, match="the Docker engine does not answer") as caught:
                bench.make(bench).run(job, on_line)
        assert caught.value.reason == "engine"
        assert any(line.startswith("cannot remove what attempt") for line in bench.lines)
        self.config = near
        again = replace(job, attempt=f"{job.attempt}-again")

        def come_back(line: str) -> None:
            if line.startswith("going on with the container"):
                self.let_go(bench, again)

        (out,) = bench.make(bench).run(again, come_back).outputs
        assert bench.read(out) == b"1\n"

    def test_an_agent_that_reaches_no_datastore_is_said(self, bench: ComputeBench, far_engine: TlsEngine) -> None:
        """Its own error, and that it may go away."""
        self.config = replace(self.config, agent_network="none")
        options = {**self.configs[""].options, "connect_timeout": "1", "timeout": "1"}
        near = self.configs
        self.configs = {**near, "": StoreConfig(url=near[""].url, options=options)}
        raw = InputPort(name="raw", data=DataReference(Datastore("raw"), "x"))
        with pytest.raises(Exception, match="raw") as caught:
            bench.run(bench.job("true", inputs=(raw,)))
        assert type(caught.value).__name__ == "StoreUnavailableError"


class TestRemoteDockerNonRoot(OnRemoteDocker):
    """In an image whose user is not root, with read-only files and no network."""

    only = OF_USERS
    options = {"read_only": True, "network": "none"}

    @pytest.fixture
    def image(self, engine: DockerClient, base_image: str) -> str:
        """The same with a user of its own."""
        from tools.base_image import load

        tag = "mlpipe-tests/user:1"
        load(engine, tag, config={"User": "4242:4242"})
        return tag


class TestOverSsh:
    """The same engine behind an ``ssh`` program that reaches this machine, whatever it is asked for."""

    @pytest.fixture
    def bench(
        self,
        tmp_path: Path,
        engine: DockerClient,
        base_image: str,
        agent_image: str,
        s3: S3Server,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[ComputeBench]:
        """A bench whose client speaks through that program's pipes."""
        pytest.importorskip("paramiko", reason='the tests of ssh need "docker[ssh]"')
        program = tmp_path / "bin" / "ssh"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\nexec docker system dial-stdio\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        config = DockerConfig(host="ssh://me@far", agent_image=agent_image, agent_network="host")
        configs = {"": s3.config("workspace")}
        make = compute_of(config, configs, tmp_path)
        yield ComputeBench(tmp_path, lambda _: make, image=base_image, given_stores=RemoteStores(configs))
        for volume in engine.volumes.list(filters={"label": f"mlpipe.workspace={make._workspace}"}):
            assert volume.name.startswith("mlpipe-checkpoints-")
            volume.remove()

    def test_a_step_is_staged_run_and_published(self, bench: ComputeBench) -> None:
        """Its lines come, its secret arrives, its output is in the workspace."""
        text = 'echo up; cat "$MLPIPE_SECRET_KEY" | wc -c > "$1"'
        job = bench.job("sh", "-c", text, "sh", OutputPath("o"), secrets={"key": SECRET}, outputs=outputs(FILE))
        (out,) = bench.run(job).outputs
        assert bench.read(out).strip() == str(len(SECRET)).encode()
        assert "up" in bench.lines

    def test_a_step_is_cancelled(self, bench: ComputeBench) -> None:
        """While its lines are read."""
        compute = bench.make(bench)
        job = bench.job("sh", "-c", "echo up; exec sleep 600", grace=1.0)
        with pytest.raises(StepCancelledError):
            compute.run(job, lambda line: threading.Thread(target=compute.cancel).start() if line == "up" else None)


def test_a_remote_engine_needs_an_agent_and_stores_that_it_reaches(
    tmp_path: Path, engine: DockerClient, base_image: str, far_engine: TlsEngine, agent_image: str
) -> None:
    """Both are said before anything is made, with the way out."""
    config = DockerConfig(host=far_engine.host, tls_ca=far_engine.ca, tls_cert=far_engine.cert, tls_key=far_engine.key)
    stores = FolderStores(tmp_path / "stores")
    configs = {"": stores.config("")}
    bench = ComputeBench(tmp_path, lambda _: compute_of(config, configs, tmp_path), image=base_image)
    with pytest.raises(ConfigurationError, match=r"Dockerfile\.agent"):
        bench.sh("true")
    config = replace(config, agent_image=agent_image)
    with pytest.raises(ConfigurationError, match=r"a folder of the worker.*use an object store"):
        bench.sh("true")


def test_an_engine_that_is_gone_is_said(
    tmp_path: Path, engine: DockerClient, base_image: str, agent_image: str, s3: S3Server
) -> None:
    """Its answer never comes, or its certificate is another's: errors of the compute."""
    with engine_over_tls(tmp_path) as far:
        config = DockerConfig(host=far.host, tls_ca=far.ca, tls_cert=far.cert, tls_key=far.key, agent_image=agent_image)
    with pytest.raises(ComputeError, match="does not answer"):
        compute_of(config, {"": s3.config()}, tmp_path).pin(base_image, where="step")
