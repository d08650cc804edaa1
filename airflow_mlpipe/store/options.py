"""Which options a datastore takes, and what each client calls them.

One short list per kind of store, whichever client serves it, so that installing obstore never changes what a connection
means.  An option that is not on the list is refused: misspelt, it would be ignored in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.errors import ConfigurationError

AZURE_SCHEMES = frozenset({"abfs", "abfss", "az"})

_TIMEOUTS = ("timeout", "connect_timeout")
S3_OPTIONS = ("key", "secret", "token", "endpoint_url", "region", "anon", "virtual_hosted", *_TIMEOUTS)
AZURE_OPTIONS = (
    *("account_name", "account_key", "connection_string", "sas_token", "endpoint", "anon"),
    *("tenant_id", "client_id", "client_secret", *_TIMEOUTS),
)

CONNECT_TIMEOUT = 5.0
"""Seconds until a connection must stand, unless ``connect_timeout`` says else."""

TIMEOUT = 60.0
"""Seconds that a server may be silent, unless ``timeout`` says else."""

_TRUE, _FALSE = (True, "true", "True", "1"), (False, None, "", "false", "False", "0")


def check_options(scheme: str, options: Mapping[str, Any]) -> None:
    """Refuse what a store of this scheme does not take; schemes of other filesystems take what their class takes.

    :raises ConfigurationError: naming the valid options; never showing a value.
    """
    if scheme == "file":
        valid: tuple[str, ...] = ()
    elif scheme == "s3":
        valid = S3_OPTIONS
    elif scheme in AZURE_SCHEMES:
        valid = AZURE_OPTIONS
    else:
        return
    unknown = sorted(set(options) - set(valid))
    if unknown:
        raise ConfigurationError(
            "unknown option" if len(unknown) == 1 else "unknown options",
            where=f"datastore {scheme}://",
            given=unknown[0] if len(unknown) == 1 else unknown,
            valid=valid or "none",
            fix="correct or remove it in the Airflow connection",
        )


def flag(options: Mapping[str, Any], name: str) -> bool:
    """A yes or no option, which a connection's form gives as text.

    :raises ConfigurationError: when it is neither.
    """
    value = options.get(name)
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ConfigurationError("not yes or no", where=f"option {name}", given=value, valid=("true", "false"))


def seconds(options: Mapping[str, Any], name: str, default: float) -> float:
    """A time-out in seconds.

    :raises ConfigurationError: when it is no positive number.
    """
    value = options.get(name) or default
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = 0.0
    if not number > 0:
        raise ConfigurationError("not a number of seconds", where=f"option {name}", given=value, valid="above 0")
    return number


def azure_options(container: str, options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The container, and options with what the URL (``container@account.dfs.core.windows.net``) and the connection
    string say taken apart, so that both clients get the same.

    :raises ConfigurationError: for a connection string that is none.
    """
    found = {name: value for name, value in options.items() if value not in (None, "")}
    container, _, host = container.partition("@")
    if host:
        found.setdefault("account_name", host.partition(".")[0])
    text = found.pop("connection_string", None)
    if text is not None:
        parts = dict(part.split("=", 1) for part in str(text).split(";") if "=" in part)
        names = {
            "AccountName": "account_name",
            "AccountKey": "account_key",
            "SharedAccessSignature": "sas_token",
            "BlobEndpoint": "endpoint",
        }
        if "AccountName" not in parts and "BlobEndpoint" not in parts:
            raise ConfigurationError(
                "not a connection string of Azure Storage",
                where="option connection_string",
                valid="like AccountName=...;AccountKey=...",
            )
        found = {names[name]: value for name, value in parts.items() if name in names} | found
    if "account_name" not in found:
        raise ConfigurationError(
            "the storage account is not known",
            where=f"datastore abfs://{container}",
            fix="give account_name or connection_string",
        )
    return container, found


def for_fsspec(scheme: str, options: Mapping[str, Any], *, single: bool = False) -> dict[str, Any]:
    """Our options as arguments of s3fs and (what :func:`azure_options` gave) of adlfs; another's as they are.

    :param single: whether s3fs is to send each request once.
    """
    if scheme == "s3":
        return _for_s3fs(options, single)
    if scheme in AZURE_SCHEMES:
        return _for_adlfs(options)
    return dict(options)


def _for_s3fs(options: Mapping[str, Any], single: bool) -> dict[str, Any]:
    config: dict[str, Any] = {
        "connect_timeout": seconds(options, "connect_timeout", CONNECT_TIMEOUT),
        "read_timeout": seconds(options, "timeout", TIMEOUT),
        "retries": {"total_max_attempts": 1 if single else 5},
        "max_pool_connections": 64,
        "s3": {"addressing_style": "virtual" if flag(options, "virtual_hosted") else "path"}
        if options.get("virtual_hosted") is not None or options.get("endpoint_url")
        else {},
    }
    found: dict[str, Any] = {
        name: options[name] for name in ("key", "secret", "token", "endpoint_url") if options.get(name)
    }
    if options.get("region"):
        found["client_kwargs"] = {"region_name": options["region"]}
    return found | {"anon": flag(options, "anon"), "config_kwargs": config, "use_listings_cache": False}


def _for_adlfs(options: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: options[name]
        for name in ("account_name", "account_key", "sas_token", "tenant_id", "client_id", "client_secret")
        if name in options
    }
    # adlfs takes the absence of credentials as a wish for anonymous access unless it is told.
    found["anon"] = flag(options, "anon")
    if "endpoint" in options:
        # adlfs takes an endpoint only in this form.
        parts = {
            "AccountName": options["account_name"],
            "AccountKey": options.get("account_key"),
            "SharedAccessSignature": options.get("sas_token"),
            "BlobEndpoint": options["endpoint"],
        }
        found["connection_string"] = ";".join(f"{name}={value}" for name, value in parts.items() if value)
    found["connection_timeout"] = seconds(options, "connect_timeout", CONNECT_TIMEOUT)
    found["read_timeout"] = seconds(options, "timeout", TIMEOUT)
    return found | {"use_listings_cache": False}
