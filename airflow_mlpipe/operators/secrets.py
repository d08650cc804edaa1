"""The values of a step's secrets, read from Airflow at the last moment and handed on in memory."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model.environment import Secret


def secret_values(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """Look each secret up; Airflow masks them in the log from then on.

    :raises ConfigurationError: for a connection, a part of it, or a variable that is not there.  Never shows a value.
    """
    return {name: _value(secret) for name, secret in secrets.items()}


def _value(secret: Secret) -> str:
    from airflow.sdk import BaseHook, Variable
    from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
    from airflow.sdk.log import mask_secret

    where = f"secret {secret.reference}"
    try:
        if secret.variable is not None:
            value = Variable.get(secret.variable)
        else:
            connection = BaseHook.get_connection(str(secret.connection))
            own = {"password": connection.password, "login": connection.login, "host": connection.host}
            value = connection.get_uri() if secret.field == "uri" else own.get(secret.field)
            value = connection.extra_dejson.get(secret.field) if value is None else value
    except (AirflowNotFoundException, AirflowRuntimeError, KeyError) as error:
        raise ConfigurationError(
            "Airflow does not know it", where=where, fix="add the connection or variable"
        ) from error
    if value is None:
        raise ConfigurationError("the connection has no such part", where=where, given=secret.field)
    mask_secret(str(value))
    return str(value)
