"""What the deployment says of the executor: section ``[mlpipe_docker]``, read once when the scheduler starts.

``provider.py`` declares the same options with their descriptions.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.executors.mount import Mount, parse_mount

SECTION = "mlpipe_docker"
PULLS = ("missing", "always", "never")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options in force.

    :param deployment: the label's value by which this deployment knows its containers.
    :param host: URL of the engine; ``None``: ``DOCKER_HOST``, else Docker's usual socket.
    :param tls: paths of the CA's certificate, of ours and of its key; each may be empty.
    :param timeout: seconds that an answer of the engine may take.
    :param image: of tasks that name none. :param pull: one of :data:`PULLS`. :param network: of tasks that name none.
    :param api_url: of the Execution API, as a container reaches it.
    :param executors: ``[core] executor``; Airflow in the container parses the DAG with it.
    :param mounts: of every container. :param allowed_mounts: what tasks may mount besides.
    :param allowed_networks: what tasks may name. :param environment: variables of every container.
    :param labels: of every container. :param slots: how many run at one time; ``None``: ``[core] parallelism``.
    :param grace_seconds: between the request to end and the kill.
    :param orphan_seconds: how long an ended container that is nobody's is left to a scheduler that may own it.
    :param keep_failed: whether a container that failed is kept.
    """

    deployment: str
    host: str | None = None
    tls: tuple[str, str, str] = ("", "", "")
    timeout: float = 60
    image: str | None = None
    pull: str = "missing"
    network: str | None = None
    api_url: str
    executors: str
    mounts: tuple[Mount, ...] = ()
    allowed_mounts: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    slots: int | None = None
    grace_seconds: float = 30
    orphan_seconds: float = 300
    keep_failed: bool = False

    @property
    def engine(self) -> str:
        """The engine, in words."""
        return self.host or os.environ.get("DOCKER_HOST") or "this machine's socket"


def read_options() -> Options:
    """Read the section.

    :raises ConfigurationError: for a value of the wrong form, naming the option.
    """
    from airflow.configuration import conf
    from airflow.executors.base_executor import get_execution_api_server_url

    def get(option: str) -> str:
        return str(conf.get(SECTION, option, fallback="") or "").strip()

    network = get("network") or None
    return Options(
        deployment=get("deployment") or _deployment(conf),
        host=get("host") or None,
        tls=_tls(get),
        timeout=_number(get, "timeout", 60, least=1),
        image=get("image") or None,
        pull=_pull(get("pull") or "missing"),
        network=network,
        api_url=_reachable(get("api_url") or get_execution_api_server_url(), network),
        executors=conf.get("core", "executor"),
        mounts=_mounts(get("mounts")),
        allowed_mounts=_list(get("allowed_mounts")),
        allowed_networks=_list(get("allowed_networks")),
        environment=_environment(get("environment"), conf.sensitive_config_values),
        labels=_labels(get("labels")),
        slots=int(_number(get, "slots", 1, least=1)) if get("slots") else None,
        grace_seconds=_number(get, "grace_seconds", 30, least=0),
        orphan_seconds=_number(get, "orphan_seconds", 300, least=0),
        keep_failed=conf.getboolean(SECTION, "keep_failed", fallback=False),
    )


def is_secret(variable: str, sensitive: Collection[tuple[str, str]] = ()) -> bool:
    """Whether a variable holds a secret of Airflow.

    :param sensitive: Airflow's own list of sensitive options: sections and names.
    """
    if variable.startswith(("AIRFLOW_CONN_", "_AIRFLOW_WWW_")):
        return True
    match = re.match(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)\Z", variable)
    return match is not None and (match[1].lower(), match[2].lower()) in sensitive


def _deployment(conf: Any) -> str:
    """The same in every scheduler of one deployment, and after a restart: which database, and which address."""
    database = urlsplit(conf.get("database", "sql_alchemy_conn"))
    parts = (database.hostname or "", str(database.port), database.path, conf.get("api", "base_url", fallback=""))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[,\n]", text) if part.strip())


def _error(option: str, what: str, given: object, valid: str, fix: str | None = None) -> ConfigurationError:
    return ConfigurationError(what, where=f"[{SECTION}] {option}", given=given, valid=valid, fix=fix)


def _number(get: Callable[[str], str], option: str, default: float, *, least: float) -> float:
    text = get(option)
    try:
        value = float(text) if text else default
    except ValueError:
        value = least - 1
    if not (least <= value < float("inf")):  # not a number is in no range
        raise _error(option, "not a number in range", text, f"{least:g} or more")
    return value


def _tls(get: Callable[[str], str]) -> tuple[str, str, str]:
    ca, cert, key = (get(name) for name in ("tls_ca_cert", "tls_client_cert", "tls_client_key"))
    if bool(cert) != bool(key):
        raise _error("tls_client_cert", "a certificate and its key go together", cert or key, "both or none")
    for option, path in (("tls_ca_cert", ca), ("tls_client_cert", cert), ("tls_client_key", key)):
        if path and not os.path.isfile(path):
            raise _error(option, "no such file", path, "the path of a file")
    return ca, cert, key


def _pull(text: str) -> str:
    if text not in PULLS:
        raise _error("pull", "not a way to pull", text, ", ".join(PULLS))
    return text


def _reachable(url: str, network: str | None) -> str:
    """A container that has a network of its own does not reach this machine as ``localhost``."""
    if network != "host" and urlsplit(url).hostname in _LOOPBACK:
        raise _error(
            "api_url",
            "in a container this address is the container itself",
            url,
            "the Execution API as containers reach it, like http://host.docker.internal:8080/execution/",
            fix="set api_url; or set network = host, if the engine is on the API server's machine",
        )
    return url


def _mounts(text: str) -> tuple[Mount, ...]:
    try:
        return tuple(parse_mount(part, where=f"[{SECTION}] mounts") for part in _list(text))
    except DefinitionError as error:
        raise ConfigurationError(error.what, where=error.where, given=error.given, valid=error.valid) from None


def _environment(text: str, sensitive: Collection[tuple[str, str]]) -> dict[str, str]:
    """The scheduler's values of the variables that are named and set; ``NAME=value`` gives a value."""
    found = {}
    for part in _list(text):
        name, given, value = part.partition("=")
        if is_secret(name, sensitive):
            raise _error(
                "environment",
                "whoever may inspect a container would see this secret",
                name,
                "variables that are no secrets",
                fix="leave it out: a task gets connections and variables from the API server, and needs no database",
            )
        if given or name in os.environ:
            found[name] = value if given else os.environ[name]
    return dict(sorted(found.items()))


def _labels(text: str) -> dict[str, str]:
    found = {}
    for part in _list(text):
        name, given, value = part.partition("=")
        if not given or not name:
            raise _error("labels", "not a label", part, "name=value, name=value")
        found[name] = value
    return dict(sorted(found.items()))
