"""The Docker engine, as the kubelet uses it.  Everything made there has the double's label, and is found by it."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker import DockerClient
from docker.errors import APIError, NotFound

_LABEL = "mlpipe.kubernetes-double"
_OWNER = "mlpipe.kubernetes-double.owner"


class Engine:
    """One double's part of the engine.  :param session: tells its containers and volumes from all others."""

    def __init__(self, client: DockerClient, session: str) -> None:
        self.client, self.session = client, session
        self._events: Any = None

    @property
    def _labels(self) -> dict[str, str]:
        return {_LABEL: self.session, _OWNER: _process(os.getpid())}

    def create(self, labels: dict[str, str], **arguments: Any) -> str:
        """A container that does not run yet; its id."""
        return str(self.client.containers.create(labels=self._labels | labels, **arguments).id)

    def start(self, container: str) -> None:
        """:raises docker.errors.APIError: if its program cannot be started."""
        self.client.api.start(container)

    def inspect(self, container: str) -> dict[str, Any]:
        """All that the engine knows of it."""
        return dict(self.client.api.inspect_container(container))

    def signal(self, container: str, signal: str) -> None:
        """Send a signal; nothing happens if it has ended."""
        with suppress(APIError):
            self.client.api.kill(container, signal)

    def remove(self, container: str) -> None:
        """End and remove a container."""
        with suppress(APIError):
            self.client.api.remove_container(container, force=True, v=True)

    def execute(self, container: str, command: list[str], user: str = "") -> tuple[int, str]:
        """Run a program in a running container; its exit code and what it wrote."""
        made = self.client.api.exec_create(container, command, user=user)
        output = self.client.api.exec_start(made["Id"])
        code = self.client.api.exec_inspect(made["Id"])["ExitCode"]
        return (255 if code is None else int(code)), bytes(output).decode(errors="replace")

    def put(self, container: str, folder: str, archive: bytes) -> None:
        """Unpack a tar archive in a container, volumes included."""
        self.client.api.put_archive(container, folder, archive)

    def take(self, container: str, path: str) -> bytes:
        """A file of a container, as a tar archive."""
        pieces, _ = self.client.api.get_archive(container, path)
        return b"".join(pieces)

    def logs(self, container: str, **arguments: Any) -> Iterator[bytes] | bytes:
        """What the container wrote."""
        return self.client.api.logs(container, stdout=True, stderr=True, **arguments)  # type: ignore[no-any-return]

    def volume(self, name: str, labels: dict[str, str], options: dict[str, str] | None = None) -> str:
        """A new volume, or the one of that name; where it is on the engine's machine."""
        made = self.client.api.create_volume(name, driver="local", driver_opts=options, labels=self._labels | labels)
        return str(made["Mountpoint"])

    def remove_volume(self, name: str) -> bool:
        """Whether it is gone."""
        try:
            self.client.api.remove_volume(name)
        except NotFound:
            return True
        except APIError:
            return False
        return True

    def listen(self, ended: Callable[[dict[str, str]], None]) -> None:
        """Tell of each container of the double that ends: its labels."""
        self._events = self.client.api.events(
            decode=True, filters={"label": f"{_LABEL}={self.session}", "type": "container", "event": "die"}
        )

        def follow() -> None:
            with suppress(Exception):  # the engine ends it, or we do
                for event in self._events:
                    ended(event["Actor"]["Attributes"])

        threading.Thread(target=follow, name="kubernetes-double-events", daemon=True).start()

    def close(self) -> None:
        """Remove everything that the double made."""
        if self._events is not None:
            with suppress(Exception):
                self._events.close()
        _remove_all(self.client, f"{_LABEL}={self.session}")


def remove_abandoned(client: DockerClient) -> None:
    """Remove what doubles left whose processes have died."""
    found = client.api.containers(all=True, filters={"label": _OWNER})
    found += client.api.volumes(filters={"label": _OWNER})["Volumes"] or []
    own = _process(os.getpid()).rpartition("-")[2]
    for owner in {item["Labels"][_OWNER] for item in found}:
        pid, _, where = owner.partition("-")
        # Processes that are numbered elsewhere, in a container that shares the engine, cannot be judged from here.
        if where.endswith(f"-{own}") and owner != _process(int(pid)):
            _remove_all(client, f"{_OWNER}={owner}")


def _remove_all(client: DockerClient, label: str) -> None:
    for container in client.api.containers(all=True, filters={"label": label}):
        with suppress(APIError):
            client.api.remove_container(container["Id"], force=True, v=True)
    for volume in client.api.volumes(filters={"label": label})["Volumes"] or []:
        with suppress(APIError):
            client.api.remove_volume(volume["Name"])


def _process(pid: int) -> str:
    """Number, start and numbering of a process: its number alone may be another's later, or elsewhere."""
    with suppress(OSError):
        start = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        numbering = re.sub(r"\D", "", os.readlink(f"/proc/{pid}/ns/pid"))
        return f"{pid}-{start}-{numbering}"
    return ""
