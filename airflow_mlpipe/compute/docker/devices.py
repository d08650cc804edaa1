"""Which GPUs a container gets: of those that the deployment names, ones that no container of ours uses.

An engine that is asked for one GPU gives the first, however many containers use it.  So where a deployment says which
GPUs there are, each goes to one container at a time; what is in use is what running containers were given.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlpipe.compute.docker.spec import PREFIX
from airflow_mlpipe.errors import ComputeError

if TYPE_CHECKING:
    from docker import APIClient

_ROUND = 5.0  # seconds between looks
_SAID = 60.0  # seconds between lines that say that we wait


@contextlib.contextmanager
def devices(
    api: APIClient,
    count: int,
    fitting: tuple[str, ...],
    *,
    host: str,
    cache: Path,
    seconds: float,
    wait: Callable[[float], object],
    on_line: Callable[[str], object],
    where: str,
) -> Iterator[tuple[str, ...]]:
    """Devices that stay free for the caller until it has started its container in this block.

    :param fitting: the devices that would do. :param host: the engine, of which this host has one queue.
    :param seconds: after which waiting is given up. :param wait: sleeps, and raises when the step was cancelled.
    :raises ComputeError: when there are not enough in time.
    """
    cache.mkdir(parents=True, exist_ok=True)
    deadline, said = time.monotonic() + seconds, 0.0
    with (cache / f"gpus-{hashlib.sha256(host.encode()).hexdigest()[:16]}.lock").open("a") as lock:
        while True:
            fcntl.flock(lock, fcntl.LOCK_EX)
            used = used_devices(api)
            free = [device for device in fitting if device not in used]
            if len(free) >= count:
                yield tuple(free[:count])
                return
            fcntl.flock(lock, fcntl.LOCK_UN)
            now = time.monotonic()
            if now >= deadline:
                raise ComputeError(
                    f"there were no {count} free GPUs in {seconds:g} seconds",
                    reason="gpu",
                    where=where,
                    given=f"{len(free)} of {len(fitting)} free",
                    fix="give the task a pool with a slot for each GPU, or raise gpu_wait_seconds of the compute",
                )
            if now >= said:
                on_line(f"waiting for {count} of {len(fitting)} GPUs; {len(free)} are free")
                said = now + _SAID
            wait(_ROUND)


def used_devices(api: APIClient) -> set[str]:
    """The devices that running containers of ours, of whatever deployment, were given by name."""
    running = api.containers(filters={"label": f"{PREFIX}gpus"})
    return {device for one in running for device in one["Labels"][f"{PREFIX}gpus"].split(",")}
