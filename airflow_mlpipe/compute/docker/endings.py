"""Why a container ended, once its engine knows: a kill for memory may be told later than the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docker import APIClient

KILLED = 137
"""Exit code of what SIGKILL ended: 128 + 9."""

_SETTLES = 2.0
"""Seconds after which nothing more is to be expected."""


def settled(api: APIClient, container: str, state: Mapping[str, Any], *, limited: bool) -> Mapping[str, Any]:
    """The state of a container that has ended, with ``OOMKilled`` as the engine knows it at last.

    The engine hears of the end and of the kernel's kill by two events of containerd (TaskExit, TaskOOM), and the second
    may come last.  Only after a SIGKILL that nobody here sent, and only where memory has a limit, is that waited for.

    :param state: as it was inspected, ``State`` of the container. :param limited: whether its memory has a limit.
    """
    from docker.errors import NotFound

    deadline = time.monotonic() + _SETTLES
    while limited and state["ExitCode"] == KILLED and not state["OOMKilled"] and time.monotonic() < deadline:
        time.sleep(0.1)
        try:
            state = api.inspect_container(container)["State"]
        except NotFound:  # somebody removed it meanwhile
            break
    return state
