"""How to open a datastore: the plain values that an Airflow connection or a config option comes down to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

OURS = ".mlpipe"
"""Folder of a datastore that is not the workspace, in which contents that were published there are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """A datastore's root and what it takes to reach it.

    :param url: ``file:///folder``, ``s3://bucket/prefix``, ``abfs://container/prefix``, or any URL fsspec knows.
    :param options: fsspec storage options for that URL, already picked from an allow-list.  Never logged.
    :param filesystem: an opened fsspec filesystem (of an Airflow provider's connection) instead of ``options``.
    """

    url: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    filesystem: Any = field(default=None, repr=False)


def contents_of(config: StoreConfig) -> StoreConfig:
    """Where the contents are that were published to a datastore that is not the workspace."""
    return replace(config, url=f"{config.url.rstrip('/')}/{OURS}")
