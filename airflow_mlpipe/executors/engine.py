"""A thin client of a Docker engine: the calls that the executor makes, and nothing decided.

Used from several threads; each has a connection of its own, because the SDK's is not made to be shared.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from airflow_mlpipe.compute.docker.endings import settled
from airflow_mlpipe.errors import ConfigurationError, ContainerEngineError
from airflow_mlpipe.executors import spec
from airflow_mlpipe.executors.options import Options
from airflow_mlpipe.executors.seen import Seen
from airflow_mlpipe.executors.words import explain

_ENDED = ("exited", "dead")


class Engine:
    """The engine that the options name."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._own = threading.local()

    def check(self) -> None:
        """Whether there is a client at all; asks the engine nothing.

        :raises ConfigurationError: when the extra ``docker`` is not installed.
        """
        try:
            import docker  # noqa: F401 - only whether it is there
        except ImportError as error:
            raise ConfigurationError(
                "the Docker SDK for Python is not installed",
                where="DockerExecutor",
                fix='pip install "airflow-provider-mlpipe[docker]" where the scheduler and the API server run',
            ) from error

    def close(self) -> None:
        """Close the connection of the thread that calls."""
        if (client := getattr(self._own, "client", None)) is not None:
            self._own.client = None
            client.close()

    def provide(self, image: str) -> None:
        """Have the image on the engine, as the option ``pull`` says."""
        with self._calls(f"image {image}"):
            if self._options.pull == "never" or (self._options.pull == "missing" and self._has(image)):
                return
            self._client.images.pull(image)

    def create(self, name: str, document: Mapping[str, Any], workload: bytes) -> str:
        """Make a container with the workload in it, not started.  Returns its id."""
        with self._calls(f"image {document['Image']}"):
            container: str = self._api.create_container_from_config(document, name)["Id"]
            try:
                self._api.put_archive(container, "/", spec.workload_archive(workload))
            except BaseException:
                self._discard(container)
                raise
            return container

    def start(self, container: str) -> None:
        """Start a container; one that cannot be started is removed."""
        with self._calls(f"container {container[:12]}"):
            try:
                self._api.start(container)
            except BaseException:
                self._discard(container)
                raise

    def look(self, but: Collection[str] = ()) -> tuple[Seen, ...]:
        """All containers of this deployment, but those."""
        with self._calls("looking at the containers"):
            label = f"{spec.DEPLOYMENT}={self._options.deployment}"
            listed = self._api.containers(all=True, filters={"label": label})
            return tuple(seen for one in listed if one["Id"] not in but and (seen := self._see(one)))

    def stop(self, container: str) -> None:
        """Ask it to end (the supervisor in it passes that on to the task), and kill it after the time of grace."""
        from docker.errors import NotFound

        with self._calls(f"container {container[:12]}"), suppress(NotFound):
            grace = round(self._options.grace_seconds)
            self._api.stop(container, timeout=grace)

    def remove(self, container: str) -> None:
        """Remove it with its volumes without a name.  One that is gone already, or going, is no error."""
        from docker.errors import APIError

        with self._calls(f"container {container[:12]}"):
            try:
                self._api.remove_container(container, v=True, force=True)
            except APIError as error:
                if error.status_code not in (404, 409):
                    raise

    def _discard(self, container: str) -> None:
        """Remove what is of no use; if the engine does not, it is swept later.  The caller has an error to raise."""
        with suppress(ContainerEngineError):
            self.remove(container)

    def output(self, container: str) -> Iterator[bytes]:
        """What it has printed so far, in pieces."""
        with self._calls(f"output of container {container[:12]}"):
            yield from self._api.logs(container, stdout=True, stderr=True, stream=True, follow=False)

    def _see(self, listed: Mapping[str, Any]) -> Seen | None:
        from docker.errors import NotFound

        ended: dict[str, Any] = {}
        if listed["State"] in _ENDED:
            try:
                container = self._api.inspect_container(listed["Id"])
            except NotFound:  # removed between the two calls
                return None
            limit = container["HostConfig"]["Memory"] or None
            state = settled(self._api, listed["Id"], container["State"], limited=limit is not None)
            ended = {"exit_code": state["ExitCode"], "out_of_memory": state["OOMKilled"], "error": state["Error"]}
            ended["memory_limit"] = limit
        labels = listed["Labels"]
        size = labels.get(spec.LOG_SIZE, "")
        return Seen(
            id=listed["Id"],
            task_instance=labels.get(spec.TASK_INSTANCE, ""),
            log_path=labels.get(spec.LOG, ""),
            log_size=int(size) if size.isdecimal() else 0,
            state=listed["State"],
            **ended,
        )

    def _has(self, image: str) -> bool:
        from docker.errors import ImageNotFound

        try:
            self._api.inspect_image(image)
        except ImageNotFound:
            return False
        return True

    @contextmanager
    def _calls(self, what: str) -> Iterator[None]:
        """Translate what the SDK raises: its own errors, and those of requests below it.

        :raises ContainerEngineError: in words.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (DockerException, RequestException, HTTPError, OSError) as error:
            raise ContainerEngineError(
                explain(error), where=f"Docker engine at {self._options.engine}, {what}"
            ) from error

    @property
    def _client(self) -> Any:
        client = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = self._connect()
        return client

    @property
    def _api(self) -> Any:
        return self._client.api

    def _connect(self) -> Any:
        import docker

        if self._options.host is None:
            return docker.from_env(timeout=self._options.timeout)
        tls = _tls(*self._options.tls) if any(self._options.tls) else None
        return docker.DockerClient(base_url=self._options.host, tls=tls, timeout=self._options.timeout)


def _tls(ca: str, cert: str, key: str) -> Any:
    """The SDK's own, but for the environment: ``REQUESTS_CA_BUNDLE`` would take the place of the engine's CA."""
    from docker.tls import TLSConfig

    class Tls(TLSConfig):  # type: ignore[misc]  # the SDK has no types
        def configure_client(self, client: Any) -> None:
            super().configure_client(client)
            client.trust_env = False

    return Tls(ca_cert=ca or None, client_cert=(cert, key) if cert else None, verify=True)
