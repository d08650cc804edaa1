"""The agent's image as a sidecar: not root, its own files read-only, the program of another image beside it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.agents import FILE, AgentBench, job_of

from airflow_mlpipe.compute.docker.remote.archive import archive_of
from airflow_mlpipe.model.step import OutputPath
from airflow_mlpipe.runtime.documents.stores import configs_to_bytes
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.remote import TOP
from airflow_mlpipe.testing.compute_contract import wait_for

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from servers import S3Server

DOCUMENTS = "/run/mlpipe"


class Machine:
    """Two volumes - the attempt's folders, and our documents - and containers that have them."""

    def __init__(self, engine: DockerClient, image: str, agent: str, bench: AgentBench) -> None:
        self.engine, self.image, self.agent, self.bench = engine, image, agent, bench
        self.folders, self.documents = (engine.volumes.create(labels={"mlpipe-tests": "agent"}) for _ in range(2))
        self.containers: list[Container] = []
        # A volume is root's; whoever makes a pod's says whose it is (fsGroup).
        opened = self.create(image, ["chmod", "777", str(TOP)], user="0:0")
        opened.start()
        assert opened.wait()["StatusCode"] == 0

    def create(self, image: str, command: list[str], *, documents: bool = False, **options: Any) -> Container:
        """A container that was not started."""
        volumes = {self.folders.name: {"bind": str(TOP), "mode": "rw"}}
        if documents:
            volumes[self.documents.name] = {"bind": DOCUMENTS, "mode": "rw"}
        container = self.engine.containers.create(image, command, volumes=volumes, **options)
        self.containers.append(container)
        return container

    def sidecar(self) -> Container:
        """The agent, started: any user that is not root, nothing writable but the volume."""
        paths = ["--job", f"{DOCUMENTS}/job.json", "--stores", f"{DOCUMENTS}/stores.json"]
        container = self.create(
            self.agent,
            ["sidecar", *paths],
            documents=True,
            read_only=True,
            network_mode="host",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )
        files = {name: (self.bench.folder / name).read_bytes() for name in ("job.json", "stores.json")}
        container.put_archive(DOCUMENTS, archive_of(files, mode=0o444))
        container.start()
        return container

    def is_ready(self, sidecar: Container) -> bool:
        """What a probe asks."""
        return sidecar.exec_run(["python3", "-m", "airflow_mlpipe.runtime.agent", "ready"]).exit_code == 0

    def takes_sigterm(self, sidecar: Container) -> bool:
        """Whether it is past its start: the kernel drops signals to a first process that has no handler for them."""
        status = sidecar.exec_run(["python3", "-c", "print(open('/proc/1/status').read())"]).output.decode()
        caught = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
        return bool(caught) and bool(int(caught[0], 16) >> (signal.SIGTERM - 1) & 1)

    def program(self) -> int:
        """The job's program in its own image as a third user, to its end; its exit code."""
        planned = plan(self.bench.job)
        options = {"environment": dict(planned.environment), "working_dir": planned.cwd, "user": "4242:4242"}
        container = self.create(self.image, list(planned.argv), read_only=True, network_mode="none", **options)
        container.start()
        return int(container.wait()["StatusCode"])

    def close(self) -> None:
        """Nothing is left."""
        for container in self.containers:
            container.remove(force=True)
        for volume in (self.folders, self.documents):
            volume.remove()


@pytest.fixture
def machine(tmp_path: Path, engine: DockerClient, base_image: str, agent_image: str, s3: S3Server) -> Iterator[Machine]:
    """With a job that writes a file."""
    job = job_of(OutputPath("o"), script="import sys; open(sys.argv[1], 'w').write('x')", outputs=(FILE,))
    found = Machine(engine, base_image, agent_image, AgentBench(tmp_path, {"": s3.config("workspace")}, job))
    yield found
    found.close()


def test_a_sidecar_publishes_what_a_program_of_another_user_wrote(machine: Machine) -> None:
    """Started before it, told of its end by SIGTERM; the result is in the workspace."""
    sidecar = machine.sidecar()
    wait_for(lambda: machine.is_ready(sidecar))
    assert machine.program() == 0
    sidecar.stop(timeout=120)
    assert sidecar.wait()["StatusCode"] == 0, sidecar.logs()
    (out,) = machine.bench.candidates.commit("a1", where="step", seconds=1).outputs
    assert machine.bench.stores.contents("").read_bytes(out.digest) == b"x"


def test_a_sidecar_that_is_killed_leaves_no_candidate(machine: Machine) -> None:
    """Another one goes on where it was, without staging again."""
    sidecar = machine.sidecar()
    wait_for(lambda: machine.is_ready(sidecar))
    assert machine.program() == 0
    sidecar.kill()
    sidecar.wait()
    assert machine.bench.candidates.read("a1") is None
    again = machine.sidecar()
    assert machine.is_ready(again), "what was staged is there still"
    wait_for(lambda: machine.takes_sigterm(again))
    again.stop(timeout=120)
    assert len(machine.bench.candidates.commit("a1", where="step", seconds=1).outputs) == 1


def test_stopping_a_sidecar_while_it_stages_is_quick_and_leaves_nothing(machine: Machine) -> None:
    """It is the first process of its container, which the kernel protects from signals that it does not take.

    The datastore never answers, so only SIGTERM ends it: the engine would wait ten minutes before it kills.
    """
    bench = machine.bench
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {**bench.configs[""].options, "endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        (bench.folder / "stores.json").chmod(0o600)
        (bench.folder / "stores.json").write_bytes(
            configs_to_bytes({"": replace(bench.configs[""], options={**options, "timeout": "600"})})
        )
        sidecar = machine.sidecar()
        asked, _ = silent.accept()
        sidecar.stop(timeout=600)
        asked.close()
    assert sidecar.wait()["StatusCode"] == 3
    assert bench.candidates.read("a1") is None
