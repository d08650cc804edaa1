"""Computes by name: ``[mlpipe] computes``, the built-in ones, and Airflow connections of type ``mlpipe_compute``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.sdk.bases.hook import BaseHook

from airflow_mlpipe.compute.config import KINDS, ComputeConfig, DockerConfig, LocalConfig, parse_compute
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ConfigurationError, MLPipeError

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_mlpipe.hooks.settings import Settings

CONNECTION_TYPE = "mlpipe_compute"
BUILT_IN: dict[str, ComputeConfig] = {
    "local": LocalConfig(),
    "docker": DockerConfig(),
    "kubernetes": KubernetesConfig(),
}
"""Of these names unless a deployment says otherwise; ``docker`` is the engine beside the worker, ``kubernetes`` the
cluster of the worker's kubeconfig."""


class ComputeHook(BaseHook):
    """A compute behind an Airflow connection of type ``mlpipe_compute``.

    :param compute_conn_id: the connection, which is also the compute's name.
    """

    conn_name_attr = "compute_conn_id"
    default_conn_name = "mlpipe_compute_default"
    conn_type = CONNECTION_TYPE
    hook_name = "MLPipe Compute"

    def __init__(self, compute_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.compute_conn_id = compute_conn_id

    def get_config(self) -> ComputeConfig:
        """Its kind and options.  :raises ConfigurationError: when the connection is no compute's."""
        return config_of_connection(self.get_connection(self.compute_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """Ask the engine or the cluster, for the button in the connection form."""
        where = f"connection {self.compute_conn_id!r}"
        try:
            config = self.get_config()
            if isinstance(config, DockerConfig):
                return True, _ask_engine(config, where)
            if isinstance(config, KubernetesConfig):
                return True, _ask_cluster(config, where)
        except MLPipeError as error:
            return False, str(error)
        return True, "nothing to ask"


def _ask_engine(config: DockerConfig, where: str) -> str:
    from airflow_mlpipe.compute.docker.engine import open_engine, told

    api = open_engine(config, where=where)
    with told(config, where):
        return f"Docker engine {api.version()['Version']} answers"


def _ask_cluster(config: KubernetesConfig, where: str) -> str:
    from airflow_mlpipe.compute.kubernetes_.client import Cluster, open_cluster

    api, namespace = client_of(config.connection)() if config.connection else open_cluster(config, where=where)
    cluster = Cluster(api, config.namespace or namespace or "default", where=where)
    cluster.list("pod", "mlpipe.workspace=none")
    return f"the cluster lets this user see the pods of {cluster.namespace}"


def config_of_connection(connection: Connection) -> ComputeConfig:
    """A connection of type ``mlpipe_compute`` as plain values.

    :raises ConfigurationError: for another type, and for an extra that is not known.
    """
    where = f"connection {connection.conn_id!r}"
    if connection.conn_type != CONNECTION_TYPE:
        raise ConfigurationError(
            "not a connection of a compute", where=where, given=connection.conn_type, valid=(CONNECTION_TYPE,)
        )
    document = dict(connection.extra_dejson)
    if connection.host:
        document.setdefault("host", connection.host)
    return parse_compute(document, where=where)


def config_of_compute(name: str, settings: Settings) -> ComputeConfig:
    """The compute of this name.

    :raises ConfigurationError: when there is none, naming those that there are.
    """
    if (given := settings.computes.get(name)) is not None:
        return parse_compute(given, where=f"[mlpipe] computes: {name}")
    if name in BUILT_IN:
        return BUILT_IN[name]
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(name)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            "there is no such compute",
            where="compute_target",
            given=name,
            valid=[*sorted({*BUILT_IN, *settings.computes}), f"the id of a connection of type {CONNECTION_TYPE}"],
            fix=f"""airflow connections add {name} --conn-type {CONNECTION_TYPE} --conn-extra '{{"kind": "docker"}}'""",
        ) from error
    return config_of_connection(connection)


def login_of(connection: str | None) -> Callable[[], dict[str, str] | None]:
    """User and password for a registry, read from an Airflow connection of type ``docker`` when they are needed."""

    def read() -> dict[str, str] | None:
        if not connection:
            return None
        found = BaseHook.get_connection(connection)
        return {"username": found.login or "", "password": found.password or ""}

    return read


def client_of(connection: str) -> Callable[[], tuple[Any, str | None]]:
    """A client of a cluster and its namespace, from an Airflow connection of type ``kubernetes``."""

    def open_client() -> tuple[Any, str | None]:
        try:
            from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
        except ImportError as error:
            raise ConfigurationError(
                "connections of type kubernetes need Airflow's provider for it",
                where=f"connection {connection!r}",
                fix='pip install "airflow-provider-mlpipe[kubernetes]"',
            ) from error
        hook = KubernetesHook(conn_id=connection)
        return hook.get_conn(), hook.get_namespace()

    return open_client


__all__ = ["BUILT_IN", "KINDS", "ComputeHook", "client_of", "config_of_compute", "config_of_connection", "login_of"]
