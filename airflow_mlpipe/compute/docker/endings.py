"""Why a container ended, once its engine knows: a kill for memory may be told later than the end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.docker.moments import age_of

if TYPE_CHECKING:
    from docker import APIClient

KILLED = 137
"""Exit code of what SIGKILL ended: 128 + 9."""

_SETTLES = 2.0
"""Seconds after its end in which more is to be expected."""


def settled(api: APIClient, container: str, state: Mapping[str, Any], *, limited: bool) -> Mapping[str, Any]:
    """The state of a container that has ended, with ``OOMKilled`` as the engine knows it at last.

    The engine hears of the end and of the kernel's kill by two events of containerd (TaskExit, TaskOOM), and the second
    may come last.  That is waited for only where memory has a limit, and right after a SIGKILL: of what was looked at
    before, or ended while others were waited for, the engine has said all.

    :param state: as it was inspected, ``State`` of the container. :param limited: whether its memory has a limit.
    """
    from docker.errors import NotFound

    deadline = time.monotonic() + _SETTLES
    while limited and state["ExitCode"] == KILLED and not state["OOMKilled"]:
        # Both clocks: the engine's may be wrong.
        if time.monotonic() >= deadline or age_of(state["FinishedAt"]) >= _SETTLES:
            break
        time.sleep(0.1)
        try:
            state = api.inspect_container(container)["State"]
        except NotFound:  # somebody removed it meanwhile
            break
    return state
