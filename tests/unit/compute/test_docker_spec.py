"""What a Docker engine is asked for, without an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe.compute.config import DockerConfig, GpuKind, parse_compute
from airflow_mlpipe.compute.docker.spec import ContainerSpec, container_spec, gpu_kind, in_short, to_engine, view_of
from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.model import Environment, Gpu, Resources
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.job import Job, PinnedImage
from airflow_mlpipe.runtime.layout import Layout
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.runner import Folders

FOLDERS = Folders(
    layout=Layout(Path("/scratch/a1")),
    checkpoints=Path("/cache/checkpoints/fp"),
    caches=Path("/cache/xdg"),
    originals=frozenset({Path("/data/raw")}),
)
A100 = GpuKind(devices=("0", "1"), memory="40Gi")
T4 = GpuKind(devices=("2",), memory="16Gi")


def spec_of(config: DockerConfig | None = None, *, user: str = "", worker: str = "1000:1000", **resources: Any) -> Any:
    """The container of a step."""
    step = StepSpec(
        label="dag/run/train",
        kind="command",
        environment=Environment(image="ml/train:1"),
        resources=Resources(**resources),
    )
    job = Job(
        step=step,
        fingerprint="mlp1:f",
        attempt="a1",
        same="mlp1:f",
        producer=Producer(dag_id="dag", task_id="train[x]", run_id="run", try_number=2),
        image=PinnedImage(name="ml/train:1", identity="sha256:d", reference="sha256:i", user=user),
    )
    program = Program(argv=("train", "--lr", "0.1"), cwd=Path("/mlpipe/code"), environment={"A": "b"})
    return container_spec(job, program, FOLDERS, config or DockerConfig(), workspace="w", worker=worker)


def request_of(spec: ContainerSpec) -> dict[str, Any]:
    """The body of the engine's request; making it asks no engine."""
    from docker import APIClient

    return to_engine(spec, APIClient(base_url="tcp://127.0.0.1:1", version="1.41"))


def test_limits_are_real_limits() -> None:
    """Cores and not shares; bytes; no swap on top; GPUs as a device request."""
    host = request_of(spec_of(cpu=1.5, memory="1Gi", shm="64Mi", gpu=2))["host_config"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (1_500_000_000, 1 << 30, 1 << 30)
    assert host["ShmSize"] == 64 << 20
    (gpus,) = host["DeviceRequests"]
    assert (gpus["Count"], gpus["DeviceIDs"], gpus["Capabilities"]) == (2, [], [["gpu"]])


def test_devices_that_were_chosen_are_asked_for_by_name() -> None:
    """And not by their number."""
    from dataclasses import replace

    spec = replace(spec_of(gpu=2), gpu_devices=("0", "GPU-5f"))
    (gpus,) = request_of(spec)["host_config"]["DeviceRequests"]
    assert (gpus["Count"], gpus["DeviceIDs"]) == (0, ["0", "GPU-5f"])
    assert "gpus 0,GPU-5f" in in_short(spec)


def test_the_image_is_started_by_its_digest_with_its_own_entry_point() -> None:
    """The command is what the entry point gets; who runs there is in the labels."""
    request = request_of(spec_of())
    assert request["image"] == "sha256:i"
    assert request["command"] == ["train", "--lr", "0.1"]
    assert "entrypoint" not in request
    assert request["labels"]["mlpipe.dag"] == "dag"
    assert request["labels"]["mlpipe.try"] == "2"
    assert request["name"].startswith("mlpipe-train-x-")


def test_only_what_is_the_attempts_can_be_written() -> None:
    """Inputs, secrets and the host's data are read-only; the data are under their own path."""
    binds = {b.target: (str(b.source), b.read_only) for b in spec_of().binds}
    assert binds["/mlpipe/inputs"] == ("/scratch/a1/inputs", True)
    assert binds["/mlpipe/private"] == ("/scratch/a1/private", True)
    assert binds["/data/raw"] == ("/data/raw", True)
    assert {target for target, (_, read_only) in binds.items() if not read_only} == {
        f"/mlpipe/{name}" for name in ("code", "outputs", "work", "home", "tmp", "exchange", "checkpoints", "cache")
    }


@pytest.mark.parametrize(
    ("image", "wanted", "worker", "user"),
    [
        ("", "worker", "1000:1000", "1000:1000"),
        ("", "worker", "0:0", None),
        ("app", "worker", "1000:1000", None),
        ("", "image", "1000:1000", None),
        ("", "5:5", "1000:1000", "5:5"),
    ],
)
def test_an_image_runs_as_its_user_and_else_as_the_worker(image: str, wanted: str, worker: str, user: Any) -> None:
    """So that the worker can remove what it wrote."""
    assert spec_of(DockerConfig(user=wanted), user=image, worker=worker).user == user


def test_the_hosts_caches_are_not_opened_to_another_user() -> None:
    """It has one of its own, which goes with the attempt."""
    assert "/mlpipe/cache" not in {b.target for b in spec_of(user="app").binds}
    assert view_of(FOLDERS, foreign=True)(FOLDERS.caches) == "/mlpipe/home/.cache"


def test_gpus_are_chosen_by_kind_and_memory() -> None:
    """Among those that the deployment names; what it does not have is an error with what it has."""
    config = DockerConfig(gpus={"a100": A100, "t4": T4})
    assert gpu_kind(Gpu(1, kind="t4"), config, where="s") == ("2",)
    assert gpu_kind(Gpu(1, memory="20Gi"), config, where="s") == ("0", "1")
    assert gpu_kind(Gpu(3), config, where="s") == ("0", "1", "2")
    assert gpu_kind(Gpu(2), DockerConfig(), where="s") == ()
    with pytest.raises(DefinitionError, match="2 x a100 of 40Gi"):
        gpu_kind(Gpu(3, kind="a100"), config, where="s")
    with pytest.raises(DefinitionError, match="does not say which GPUs"):
        gpu_kind(Gpu(1, kind="a100"), DockerConfig(), where="s")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"kind": "dokcer"}, "no such kind.*'dokcer'.*'docker'"),
        ({}, "no such kind"),
        ({"kind": "docker", "hots": "x"}, r"unknown option.*'hots'.*'host'"),
        ({"kind": "docker", "read_only": "perhaps"}, "read_only: a value of the wrong type.*bool"),
        ({"kind": "docker", "pull": "sometimes"}, "not a pull policy.*'missing'"),
        ({"kind": "docker", "gpus": {"a100": {}}}, r"gpus\.a100: not GPUs of a model"),
        ({"kind": "docker", "gpus": {"a100": {"devices": ["0"], "memory": "lots"}}}, "not an amount of memory"),
    ],
)
def test_a_wrong_description_of_a_compute_is_named(document: dict[str, Any], words: str) -> None:
    """The option, the given value, the valid ones."""
    with pytest.raises((ConfigurationError, DefinitionError), match=words):
        parse_compute(document, where="[mlpipe] computes: gpu")


def test_a_description_is_read_from_text_as_well() -> None:
    """Forms of connections give text."""
    config = parse_compute({"kind": "docker", "read_only": "true", "gpu_wait_seconds": "5"}, where="x")
    assert config == DockerConfig(read_only=True, gpu_wait_seconds=5.0)
