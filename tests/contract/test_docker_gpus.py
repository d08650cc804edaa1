"""Who gets which GPU of an engine: one container each, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docker.errors import NotFound

from airflow_mlpipe.compute.docker.devices import devices, used_devices
from airflow_mlpipe.errors import ComputeError

if TYPE_CHECKING:
    from docker import DockerClient

NAMES = ("test-gpu-0", "test-gpu-1")
"""No GPU of this machine: what a container was given is in its label."""


@pytest.fixture
def busy(engine: DockerClient, base_image: str) -> Iterator[Any]:
    """A container that was given the first."""
    container = engine.containers.run(base_image, "sleep 600", detach=True, labels={"mlpipe.gpus": NAMES[0]})
    try:
        yield container
    finally:
        with suppress(NotFound):
            container.remove(force=True)


@contextmanager
def chosen(engine: DockerClient, count: int, cache: Path, wait: Any, lines: list[str], seconds: float = 600.0) -> Any:
    """The devices for a step."""
    with devices(
        engine.api,
        count,
        NAMES,
        host="test",
        cache=cache,
        seconds=seconds,
        wait=wait,
        on_line=lines.append,
        where="step",
    ) as found:
        yield found


def test_a_gpu_that_a_container_has_is_given_to_nobody_else(engine: DockerClient, busy: Any, tmp_path: Path) -> None:
    """The other one is."""
    assert NAMES[0] in used_devices(engine.api)
    with chosen(engine, 1, tmp_path, None, []) as found:
        assert found == NAMES[1:]


def test_a_step_waits_until_enough_are_free_and_says_so(engine: DockerClient, busy: Any, tmp_path: Path) -> None:
    """When the container ends, both are its."""
    lines: list[str] = []
    with chosen(engine, 2, tmp_path, lambda _: busy.remove(force=True), lines) as found:
        assert found == NAMES
    assert lines == ["waiting for 2 of 2 GPUs; 1 are free"]


def test_a_step_gives_up_in_time_with_the_next_step(engine: DockerClient, busy: Any, tmp_path: Path) -> None:
    """It is no failure of the program."""
    with (
        pytest.raises(ComputeError, match=r"no 2 free GPUs.*1 of 2 free.*pool") as caught,
        chosen(engine, 2, tmp_path, None, [], seconds=0.0),
    ):
        pass
    assert caught.value.reason == "gpu"
