"""The local compute: a process beside the worker."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.deployment import Deployment, LocalStores, deployment, ports

from airflow_mlpipe.compute import Compute, LocalCompute, find_compute
from airflow_mlpipe.compute.config import ComputeConfig, DockerConfig, LocalConfig
from airflow_mlpipe.errors import (
    DefinitionError,
    InputChangedError,
    ProgramFailedError,
    StepCancelledError,
    StoreError,
)
from airflow_mlpipe.model import Environment, PipelineData
from airflow_mlpipe.model.step import Text
from airflow_mlpipe.runtime.stores import Host


@pytest.fixture
def bench(tmp_path: Path) -> Deployment:
    """A deployment on local folders."""
    return deployment(tmp_path)


@pytest.fixture
def compute(bench: Deployment) -> LocalCompute:
    """Its local compute."""
    return LocalCompute(bench.stores, bench.host)


def test_it_runs_a_job(compute: LocalCompute, bench: Deployment) -> None:
    """Lines arrive, outputs are published."""
    script = "import os; print('hello'); open(os.environ['MLPIPE_OUTPUT_O'], 'w').write('x')"
    result = compute.run(bench.job(script, outputs=ports(PipelineData("o", kind="file"))), bench.lines.append)
    assert bench.lines == ["hello"]
    assert [o.name for o in result.outputs] == ["o"]


def test_an_image_is_refused_with_the_fix(compute: LocalCompute, bench: Deployment) -> None:
    """Before anything is staged."""
    job = bench.job("pass", environment=Environment(image="python:3.12"))
    for refuse in (lambda: compute.check(job.step), lambda: compute.run(job, print)):
        with pytest.raises(DefinitionError, match=r"'python:3\.12'.*Environment\(requirements=\.\.\.\)"):
            refuse()
    assert bench.left_in_scratch == []


def test_the_recheck_decides_before_publication(compute: LocalCompute, bench: Deployment) -> None:
    """Its error comes out."""

    def recheck() -> None:
        raise InputChangedError("changed", where="raw")

    with pytest.raises(InputChangedError):
        compute.run(bench.job("pass", outputs=ports(PipelineData("o"))), print, recheck)
    assert not list(bench.stores.store.list())


def test_cancel_ends_the_program(compute: LocalCompute, bench: Deployment) -> None:
    """From another thread; and a compute that was cancelled before it ran does not run."""
    script = "import time; print('up', flush=True); time.sleep(600)"
    for on_line in (lambda _: threading.Thread(target=compute.cancel).start(), print):
        with pytest.raises(StepCancelledError):
            compute.run(bench.job(script), on_line)


def test_cancel_without_a_job_does_no_harm(compute: LocalCompute) -> None:
    """Airflow may kill a task that has not started anything."""
    compute.cancel()


@dataclass
class Settings:
    """Options of a deployment."""

    cache: Path
    scratch: Path
    workspace: str = "file:///w"
    computes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep_failed: bool = True
    uv: str | None = None
    allow_pickle: bool = False


class Stores(LocalStores):
    """Datastores with options."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "stores")
        self.settings = Settings(cache=root / "c", scratch=root / "s")

    def compute(self, name: str) -> ComputeConfig:
        """The built-in ones."""
        return {"local": LocalConfig(), "docker": DockerConfig()}[name]

    def registry_login(self, connection: str | None) -> Callable[[], dict[str, str] | None]:
        """None."""
        return lambda: None


def test_a_compute_is_found_by_its_name(tmp_path: Path, bench: Deployment) -> None:
    """With the deployment's options."""
    found: Compute = find_compute("local", stores=Stores(tmp_path))
    assert found.name == "local"
    with pytest.raises(ProgramFailedError):
        found.run(bench.job("1/0"), print)
    assert list((tmp_path / "s").iterdir()), "keep_failed was set"


def test_the_docker_compute_refuses_a_step_without_an_image(tmp_path: Path, bench: Deployment) -> None:
    """Before anything is asked of the engine."""
    found = find_compute("docker", stores=Stores(tmp_path))
    with pytest.raises(DefinitionError, match=r"names no image.*'docker'"):
        found.check(bench.job("pass").step)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_told_in_words(bench: Deployment, tiny_disk: Path) -> None:
    """Where the attempt is staged, and where the workspace is."""
    job = bench.job("pass", files={"big.txt": "x" * 2**20})
    full = LocalCompute(bench.stores, Host(cache=bench.host.cache, scratch=tiny_disk / "scratch"))
    with pytest.raises(StoreError, match="the disk is full"):
        full.run(job, print)
    stores = LocalStores(tiny_disk / "stores")
    command = (Text("sh", "sh"), Text("-c", "-c"), Text("x", 'head -c 1000000 /dev/zero > "$MLPIPE_OUTPUT_O"'))
    job = bench.job(None, kind="command", command=command, outputs=ports(PipelineData("o", kind="file")))
    with pytest.raises(StoreError, match="the disk is full"):
        LocalCompute(stores, bench.host).run(job, print)
    assert bench.left_in_scratch == []
