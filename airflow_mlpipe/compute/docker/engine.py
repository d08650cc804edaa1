"""A client of a Docker engine, and what its errors mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.config import DockerConfig
from airflow_mlpipe.errors import ComputeError, ConfigurationError

if TYPE_CHECKING:
    from docker import APIClient

TIMEOUT = 120
"""Seconds that a request may be silent."""


def open_engine(config: DockerConfig, *, where: str) -> APIClient:
    """A client; nothing is asked of the engine yet, except over ssh.

    :raises ConfigurationError: without the Docker SDK, and for a host or certificates that are none.
    :raises ComputeError: when an engine behind ssh cannot be reached.
    """
    try:
        import docker
        from docker.errors import DockerException
        from docker.utils import kwargs_from_env
    except ImportError as error:
        raise ConfigurationError(
            "the Docker compute needs the Docker SDK", where=where, fix='pip install "airflow-provider-mlpipe[docker]"'
        ) from error
    try:
        if config.host is None:
            return docker.APIClient(version="auto", timeout=TIMEOUT, **kwargs_from_env())
        tls = _tls(config) if config.tls_cert or config.tls_ca else False
        ssh = config.host.startswith("ssh://")
        return docker.APIClient(
            base_url=config.host, version="auto", timeout=TIMEOUT, tls=tls, use_ssh_client=ssh, user_agent="mlpipe"
        )
    except DockerException as error:
        if "paramiko" in str(error):
            raise ConfigurationError(
                "an engine behind ssh needs a package that is not installed",
                where=where,
                given=config.host,
                fix='pip install "docker[ssh]"',
            ) from error
        raise unreachable(error, config, where) from error


def _tls(config: DockerConfig) -> Any:
    """The SDK's own, but for the environment: ``REQUESTS_CA_BUNDLE`` would take the place of the engine's CA."""
    from docker.tls import TLSConfig

    class Tls(TLSConfig):  # type: ignore[misc]  # the SDK has no types
        def configure_client(self, client: Any) -> None:
            super().configure_client(client)
            client.trust_env = False

    pair = (config.tls_cert, config.tls_key) if config.tls_cert and config.tls_key else None
    return Tls(client_cert=pair, ca_cert=config.tls_ca, verify=True)


def unreachable(error: Exception, config: DockerConfig, where: str) -> ComputeError:
    """The engine does not answer."""
    return ComputeError(
        f"the Docker engine does not answer ({_short(error)})",
        reason="engine",
        where=where,
        given=config.host or "the default engine",
        fix="start it, or correct the host of the compute; the worker's user needs the right to use its socket",
    )


@contextlib.contextmanager
def told(config: DockerConfig, where: str) -> Iterator[None]:
    """Errors of requests as errors of the compute."""
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise ComputeError(
            f"the Docker engine refused: {_short(error)}", reason="engine", where=where, given=config.host
        ) from error
    except (RequestException, DockerException, ConnectionError) as error:
        raise unreachable(error, config, where) from error


def explanation(error: Exception) -> str:
    """The engine's own words."""
    return str(getattr(error, "explanation", None) or error)


def _short(error: Exception) -> str:
    return " ".join(explanation(error).split())[:500]
