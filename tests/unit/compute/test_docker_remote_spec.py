"""What an engine on another machine is asked for, without an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.agents import FILE, job_of

from airflow_mlpipe.compute.config import DockerConfig, parse_compute
from airflow_mlpipe.compute.docker.describe import describe
from airflow_mlpipe.compute.docker.remote.spec import volume_spec
from airflow_mlpipe.compute.docker.remote.volumes import Volumes
from airflow_mlpipe.compute.docker.spec import to_engine
from airflow_mlpipe.model import Resources
from airflow_mlpipe.model.step import OutputPath
from airflow_mlpipe.runtime.job import Job, PinnedImage
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.stores import Host

FAR = DockerConfig(host="tcp://gpu-box:2376", agent_image="agent:1")


def job() -> Job:
    """With a secret, an output and limits."""
    return job_of(
        "train",
        OutputPath("o"),
        outputs=(FILE,),
        secrets={"key": "swordfish"},
        resources=Resources(memory="1Gi"),
        image=PinnedImage(name="i", identity="sha256:d", reference="sha256:i"),
    )


def request() -> dict[str, Any]:
    """The body of the engine's request for the program's container."""
    from docker import APIClient

    planned = plan(job(), worker={})
    program = Program(argv=planned.argv, cwd=Path(planned.cwd), environment=planned.environment)
    spec = volume_spec(job(), program, FAR, workspace="w", worker="1000:1000")
    return to_engine(spec, APIClient(base_url="tcp://127.0.0.1:1", version="1.41"))


def test_folders_are_volumes_and_nothing_of_the_host_is_bound() -> None:
    """The attempt's, the fingerprint's checkpoints, and the program's own secrets; the image's files stay out."""
    mounts = request()["host_config"]["Mounts"]
    assert {mount["Type"] for mount in mounts} == {"volume"}
    assert [mount["Target"] for mount in mounts] == ["/mlpipe", "/mlpipe/checkpoints", "/mlpipe/private"]
    assert all(mount["VolumeOptions"]["NoCopy"] for mount in mounts)


def test_everything_else_is_as_on_a_local_engine() -> None:
    """Command, variables, limits, user; no secret in any of it."""
    found = request()
    assert found["command"] == ["train", "/mlpipe/outputs/o/o.txt"]
    assert found["environment"]["MLPIPE_OUTPUT_O"] == "/mlpipe/outputs/o/o.txt"
    assert (found["host_config"]["Memory"], found["user"]) == (1 << 30, "1000:1000")
    assert "swordfish" not in str(found)


def test_the_agent_does_not_see_the_secrets() -> None:
    """Their volume is the program's."""
    volumes = Volumes.of(job(), "w")
    assert volumes.secrets not in {volume.name for volume in volumes.of_agent}


def test_tries_share_checkpoints_and_nothing_else() -> None:
    """Another attempt has other folders; another deployment shares nothing."""
    one, again = Volumes.of(job(), "w"), Volumes.of(replace(job(), attempt="a2"), "w")
    assert one.checkpoints == again.checkpoints
    assert not {one.folders, one.secrets} & {again.folders, again.secrets}
    assert Volumes.of(job(), "another").checkpoints != one.checkpoints


def test_people_see_the_volumes(tmp_path: Path) -> None:
    """What ``airflow mlpipe spec`` shows."""
    found = describe(job(), FAR, Host(cache=tmp_path, scratch=tmp_path), workspace="w")
    assert "binds" not in found
    assert [volume.partition(":")[2] for volume in found["volumes"]] == [
        "/mlpipe",
        "/mlpipe/checkpoints",
        "/mlpipe/private",
    ]


@pytest.mark.parametrize(
    ("host", "variable", "remote"),
    [
        (None, None, False),
        ("unix:///run/docker.sock", "tcp://far:2376", False),
        ("tcp://far:2376", None, True),
        ("ssh://me@far", None, True),
        (None, "tcp://far:2376", True),
        (None, "unix:///run/user/1000/docker.sock", False),
    ],
)
def test_an_engine_is_another_machines_by_its_address(
    host: str | None, variable: str | None, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the compute, else that of the environment."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if variable is not None:
        monkeypatch.setenv("DOCKER_HOST", variable)
    members = {"kind": "docker", "agent_image": "agent:1", "agent_network": "n"} | ({"host": host} if host else {})
    config = parse_compute(members, where="option")
    assert isinstance(config, DockerConfig)
    assert config.is_remote is remote
