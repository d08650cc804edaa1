"""Datastores by Airflow connection: the hook of connection type ``mlpipe_datastore``, and how a name becomes a root.

A connection of this type says where a datastore is (``url``) and either holds the credentials itself (login,
password, ``endpoint_url``, ``region``) or names the connection of another provider that does (``connection``: an
``aws``, ``wasb`` or ``google_cloud_platform`` one).  Members of its extras are picked from an allow-list, never
spread into a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.sdk.bases.hook import BaseHook

from airflow_mlpipe.errors import ConfigurationError, MLPipeError
from airflow_mlpipe.store.config import StoreConfig

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from airflow_mlpipe.hooks.settings import Settings
    from airflow_mlpipe.model.data import Datastore

CONNECTION_TYPE = "mlpipe_datastore"
_S3 = frozenset({"s3", "s3a"})
_AZURE = frozenset({"abfs", "abfss", "az", "azure"})


class DatastoreHook(BaseHook):
    """A datastore behind an Airflow connection of type ``mlpipe_datastore``.

    :param datastore_conn_id: the connection, which is also the datastore's name.
    """

    conn_name_attr = "datastore_conn_id"
    default_conn_name = "mlpipe_datastore_default"
    conn_type = CONNECTION_TYPE
    hook_name = "MLPipe Datastore"

    def __init__(self, datastore_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.datastore_conn_id = datastore_conn_id

    def get_config(self) -> StoreConfig:
        """What it takes to open it.  :raises ConfigurationError: when the connection is no datastore's."""
        return config_of_connection(self.get_connection(self.datastore_conn_id))

    def test_connection(self) -> tuple[bool, str]:
        """List the root, for the button in the connection form."""
        from airflow_mlpipe.store.open import open_store

        try:
            store = open_store(self.get_config())
            next(iter(store.list()), None)
        except MLPipeError as error:
            return False, str(error)
        return True, f"{store.url} answers"


def config_of_connection(connection: Connection) -> StoreConfig:
    """A connection of type ``mlpipe_datastore`` as plain values.

    :raises ConfigurationError: for another type, a missing URL, or an extra that is not known.
    """
    where = f"connection {connection.conn_id!r}"
    if connection.conn_type != CONNECTION_TYPE:
        raise ConfigurationError(
            "not a connection of a datastore", where=where, given=connection.conn_type, valid=(CONNECTION_TYPE,)
        )
    extra = connection.extra_dejson
    known = ("url", "connection", "endpoint_url", "region", "account_name", "anonymous")
    if unknown := set(extra) - set(known):
        raise ConfigurationError("unknown extra", where=where, given=sorted(unknown), valid=known)
    url = extra.get("url") or ""
    if not url:
        raise ConfigurationError("the connection has no url", where=where, fix="set it, for example s3://bucket/prefix")
    if extra.get("connection"):
        return config_of_url(url, extra["connection"])
    return StoreConfig(url=url, options=_options(url, connection, extra))


def _options(url: str, connection: Connection, extra: Mapping[str, Any]) -> dict[str, Any]:
    scheme = urlsplit(url).scheme
    if scheme in _S3:
        names = {
            "key": connection.login,
            "secret": connection.password,
            "endpoint_url": extra.get("endpoint_url"),
            "region": extra.get("region"),
        }
    elif scheme in _AZURE:
        names = {
            "account_name": extra.get("account_name") or connection.login,
            "account_key": connection.password,
            "endpoint": extra.get("endpoint_url"),
        }
    else:
        names = {}
    options = {name: value for name, value in names.items() if value}
    if extra.get("anonymous"):
        options["anon"] = True
    return options


def config_of_url(url: str, connection: str | None) -> StoreConfig:
    """A URL with the credentials of any Airflow connection that Airflow can open a filesystem for.

    :raises ConfigurationError: when it cannot.
    """
    if not connection:
        return StoreConfig(url=url)
    found = BaseHook.get_connection(connection)
    if found.conn_type == CONNECTION_TYPE:
        inner = config_of_connection(found)
        return StoreConfig(url=url, options=inner.options, filesystem=inner.filesystem)
    from airflow.sdk.io.fs import get_fs

    scheme = urlsplit(url).scheme
    try:
        return StoreConfig(url=url, filesystem=get_fs(scheme, connection))
    except (ValueError, ImportError) as error:
        raise ConfigurationError(
            f"Airflow cannot open {scheme}:// with this connection ({error})",
            where=f"connection {connection!r}",
            given=found.conn_type,
            fix="install the Airflow provider of that store, or use a connection of type mlpipe_datastore",
        ) from error


def config_of_datastore(datastore: Datastore, settings: Settings) -> StoreConfig:
    """Resolve a datastore: its own URL, else ``[mlpipe] datastores``, else the Airflow connection of that name.

    :raises ConfigurationError: when no such name is known.
    """
    if datastore.url is not None:
        return config_of_url(datastore.url, datastore.connection)
    if (configured := settings.datastores.get(datastore.name)) is not None:
        return config_of_url(configured["url"], configured.get("connection"))
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection = BaseHook.get_connection(datastore.name)
    except AirflowNotFoundException as error:
        raise ConfigurationError(
            "no datastore of this name",
            where="Datastore",
            given=datastore.name,
            valid=[*sorted(settings.datastores), "the id of an Airflow connection of type mlpipe_datastore"],
            fix=f"airflow connections add {datastore.name} --conn-type {CONNECTION_TYPE} "
            """--conn-extra '{"url": "s3://..."}'""",
        ) from error
    return config_of_connection(connection)
