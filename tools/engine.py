"""A Docker engine for tests, benchmarks and the demo: the one that runs, else one that is started and stopped here.

``python -m tools.engine start|stop``.  Starting one takes root and the ``dockerd`` program (``tools/get_docker.sh``).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PID = Path("/var/run/docker.pid")
LOG = Path("/var/log/dockerd.log")
_LOCK = Path("/tmp/mlpipe-engine.lock")  # noqa: S108 - the same for every clone on this machine
_EXECUTION = Path("/var/run/docker")
_SECONDS = 90


def is_up() -> bool:
    """Whether an engine answers at ``DOCKER_HOST``, or at Docker's usual socket."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=20)
    except DockerException:
        return False
    try:
        return bool(client.ping())
    except Exception:  # noqa: BLE001 - the client lets errors of requests through
        return False
    finally:
        client.close()


def start() -> str | None:
    """Start an engine if none answers.

    :returns: ``None`` if one answers now, else why not.
    """
    with _LOCK.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_up():
            return None
        if os.environ.get("DOCKER_HOST"):
            return f"no Docker engine answers at {os.environ['DOCKER_HOST']}"
        program = shutil.which("dockerd")
        if program is None or os.geteuid() != 0:
            return "there is no Docker engine, and none can be started (it takes root and dockerd)"
        _clear_stale()
        with LOG.open("ab") as log:
            engine = subprocess.Popen(
                [program], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            if is_up():
                return None
            if engine.poll() is not None:
                break
            time.sleep(0.2)
        return f"dockerd did not come up; its last lines: {_tail()}"


def stop() -> None:
    """Stop the engine that wrote Docker's pid file."""
    with suppress(OSError, ValueError):
        pid = int(PID.read_text())
        os.kill(pid, 15)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and _is_running(pid):
            time.sleep(0.1)


def _clear_stale() -> None:
    """A killed engine leaves pid files, its own and its containerd's, and the next one waits for those to die."""
    for path in (PID, _EXECUTION / "containerd" / "containerd.pid"):
        with suppress(OSError, ValueError):
            if not _is_running(int(path.read_text())):
                path.unlink()


def _is_running(pid: int) -> bool:
    try:  # a zombie has an empty command line
        return any(name in Path(f"/proc/{pid}/cmdline").read_bytes() for name in (b"dockerd", b"containerd"))
    except OSError:
        return False


def _tail() -> str:
    with suppress(OSError):
        return " | ".join(LOG.read_text(errors="replace").splitlines()[-5:])
    return "none"


if __name__ == "__main__":
    if sys.argv[1:] == ["stop"]:
        stop()
    else:
        sys.exit(start())
