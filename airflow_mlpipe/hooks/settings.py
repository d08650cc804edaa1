"""The options of a deployment, read once per use from Airflow's section ``[mlpipe]``.

Nothing here is read while a DAG file is parsed.  ``provider.py`` declares the same options with their descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import ConfigurationError

SECTION = "mlpipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options in force.

    :param workspace: URL of the workspace. :param workspace_connection: Airflow connection with its credentials.
    :param datastores: datastores by name, next to the connections: ``{"lake": {"url": ..., "connection": ...}}``.
    :param computes: computes by name, next to the connections: ``{"gpu": {"kind": "docker", ...}}``.
    :param cache: folder of this host for blobs, environments and digests.
    :param scratch: folder of this host for attempts; on the file system of ``cache``, so that inputs can be linked.
    :param salt: text in every fingerprint: change it, and nothing recorded before is reused.
    :param lease_seconds: how long a lease outlives its owner's last heartbeat.
    :param wait_seconds: how often a waiting step looks whether the other one has finished; at least 5.
    :param gc_grace_hours: gc takes nothing younger.
    :param compute_retries: how often a step is run again, within one try, when its compute failed.
    :param compute_retry_seconds: before the first of these; doubled each time.
    :param keep_failed: whether the folder of a failed attempt is kept.
    :param allow_pickle: whether function steps and ``load`` may write and read pickles.
    :param module_libraries: datastores that modules are looked for in, ``workspace`` for the workspace itself.
    :param module_refresh_seconds: how long this host believes what it last heard of a library.
    :param uv: the uv program; empty: from PATH or the Python package.
    """

    workspace: str
    workspace_connection: str | None
    datastores: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    computes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cache: Path
    scratch: Path
    salt: str
    lease_seconds: float
    wait_seconds: float
    gc_grace_hours: float
    compute_retries: int = 3
    compute_retry_seconds: float = 10.0
    keep_failed: bool
    allow_pickle: bool
    uv: str | None
    module_libraries: tuple[str, ...] = ("workspace",)
    module_refresh_seconds: float = 300.0


def load_settings() -> Settings:
    """Read the options.

    :raises ConfigurationError: for a value of the wrong form, naming the option.
    """
    from airflow.sdk.configuration import conf

    home = Path(conf.get("core", "dags_folder")).expanduser().parent if not _home() else Path(_home())
    cache = Path(_text(conf, "cache") or home / "mlpipe" / "cache").expanduser()
    return Settings(
        workspace=_text(conf, "workspace") or (home / "mlpipe" / "workspace").absolute().as_uri(),
        workspace_connection=_text(conf, "workspace_connection") or None,
        datastores=_datastores(_text(conf, "datastores")),
        computes=_computes(_text(conf, "computes")),
        cache=cache,
        scratch=Path(_text(conf, "scratch") or cache.parent / "scratch").expanduser(),
        salt=_text(conf, "salt"),
        lease_seconds=_number(conf, "lease_seconds", 60.0, least=3.0),
        wait_seconds=_number(conf, "wait_seconds", 10.0, least=5.0),
        gc_grace_hours=_number(conf, "gc_grace_hours", 24.0, least=0.0),
        compute_retries=int(_number(conf, "compute_retries", 3.0, least=0.0)),
        compute_retry_seconds=_number(conf, "compute_retry_seconds", 10.0, least=0.0),
        keep_failed=conf.getboolean(SECTION, "keep_failed", fallback=False),
        allow_pickle=conf.getboolean(SECTION, "allow_pickle", fallback=False),
        uv=_text(conf, "uv") or None,
        module_libraries=tuple(_names(_text(conf, "module_libraries"))) or ("workspace",),
        module_refresh_seconds=_number(conf, "module_refresh_seconds", 300.0, least=0.0),
    )


def _home() -> str:
    """Airflow's own idea of its home (environment variable or ``~/airflow``)."""
    from airflow.configuration import get_airflow_home

    return str(get_airflow_home())


def _text(conf: Any, option: str) -> str:
    return str(conf.get(SECTION, option, fallback="") or "").strip()


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _number(conf: Any, option: str, default: float, *, least: float) -> float:
    text = _text(conf, option)
    try:
        value = float(text) if text else default
    except ValueError:
        value = least - 1
    if value < least:
        raise ConfigurationError(
            "not a number in range", where=f"[{SECTION}] {option}", given=text, valid=f"{least:g} or more"
        )
    return value


def _datastores(text: str) -> Mapping[str, Mapping[str, str]]:
    if not text:
        return {}
    where, example = f"[{SECTION}] datastores", '{"lake": {"url": "s3://bucket/prefix", "connection": "aws_default"}}'
    try:
        stores = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"not JSON ({error})", where=where, valid=example) from error
    if not isinstance(stores, dict) or not all(
        isinstance(s, dict) and isinstance(s.get("url"), str) for s in stores.values()
    ):
        raise ConfigurationError("not a JSON object of datastores", where=where, valid=example)
    for name, store in stores.items():
        if unknown := set(store) - {"url", "connection"}:
            raise ConfigurationError(
                "unknown member", where=f"{where}: {name}", given=sorted(unknown), valid=("url", "connection")
            )
    return stores


def configured_computes() -> Mapping[str, Mapping[str, Any]]:
    """``[mlpipe] computes`` alone, which is also read while DAG files are parsed: Airflow's own places are in it.

    :raises ConfigurationError: when it is no JSON object of objects.
    """
    from airflow.sdk.configuration import conf

    return _computes(_text(conf, "computes"))


@lru_cache(maxsize=4)
def _computes(text: str) -> Mapping[str, Mapping[str, Any]]:
    """By name; what is said of each is checked when it is used."""
    if not text:
        return {}
    where, example = f"[{SECTION}] computes", '{"gpu": {"kind": "docker", "gpus": {"a100": {"devices": ["0"]}}}}'
    try:
        computes = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"not JSON ({error})", where=where, valid=example) from error
    if not isinstance(computes, dict) or not all(isinstance(one, dict) for one in computes.values()):
        raise ConfigurationError("not a JSON object of computes", where=where, valid=example)
    return computes
