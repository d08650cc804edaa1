"""Fixtures of a real Docker engine: the one that runs, else one that is started for the session."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from docker import DockerClient


@pytest.fixture(scope="session")
def engine() -> Iterator[DockerClient]:
    """A client of the engine; tests that need it are skipped where none can be had, and the reason is said."""
    import docker

    from tools import engine as tool

    ran = tool.is_up()
    if (why := tool.start()) is not None:
        pytest.skip(f"CONTAINER TESTS ARE SKIPPED: {why}")
    client = docker.from_env(timeout=120)
    try:
        yield client
    finally:
        client.close()
        if not ran:
            tool.stop()


@pytest.fixture(scope="session")
def base_image(engine: DockerClient) -> str:
    """The tag of an image with this machine's Python, a shell and no package."""
    from tools.base_image import BUSYBOX, TAG, load

    if not BUSYBOX.exists():
        pytest.skip("CONTAINER TESTS ARE SKIPPED: there is no busybox to make an image of")
    load(engine)
    return TAG


@pytest.fixture(scope="session")
def agent_image(engine: DockerClient, base_image: str) -> str:
    """The tag of the agent's image, of the code as it is now: for folders, S3 and Azure."""
    from tools.agent_image import load_agent

    return load_agent(engine)
