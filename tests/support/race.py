"""Processes that do one thing to one workspace at the same moment.

``python -m support.race WHAT FOLDER COUNT`` prints what each of them got, ``won:<run id>`` or ``lost:<run id>``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from airflow_mlpipe.store.leases import Lease, Leases
from support.answers import fingerprint, producer, record
from support.crash import open_workspace

STEP = fingerprint("step")


def publish(folder: Path, name: str) -> str:
    """Publish a result."""
    published = open_workspace(folder).records.publish(record("step", run_id=name))
    return f"{'won' if published.won else 'lost'}:{published.record.producer.run_id}"


def acquire(folder: Path, name: str) -> str:
    """Ask for the lease, and die without a release."""
    got = Leases(open_workspace(folder).store, lease_seconds=600).acquire(STEP, producer(name))
    return f"{'won' if isinstance(got, Lease) else 'lost'}:{got.owner.run_id}"


def open_(folder: Path, name: str) -> str:
    """Use a workspace that nobody has used yet."""
    open_workspace(folder).check_format()
    return "opened:"


def die(folder: Path, name: str) -> str:
    """Hold the lease, with its heartbeat, and be killed."""
    lease = Leases(open_workspace(folder).store, lease_seconds=0.5).acquire(STEP, producer(name))
    assert isinstance(lease, Lease)
    lease.start()
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


def main(what: str, folder: Path, count: int) -> None:
    """Start the processes, let them go at once, and wait for them."""
    function = {"publish": publish, "acquire": acquire, "open": open_, "die": die}[what]
    ready, go = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(ready, 1)  # ends for all of them when the parent closes its side
            os.write(1, f"{function(folder, f'run-{number}')}\n".encode())
            os._exit(0)
        children.append(child)
    os.close(go)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
