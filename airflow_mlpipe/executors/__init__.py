"""Airflow executors: where a whole task, of any operator, runs.  ``docs/executors.md``.

:class:`DockerExecutor` stands in ``[core] executor``; :class:`DockerConfig` is what a DAG file may ask of it.  Each is
imported when it is used: a DAG file that asks for a GPU does not import the scheduler's classes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlpipe.executors.config import DockerConfig
    from airflow_mlpipe.executors.executor import DockerExecutor

__all__ = ["DockerConfig", "DockerExecutor"]

_HOME = {"DockerConfig": "config", "DockerExecutor": "executor"}


def __getattr__(name: str) -> Any:
    """Import an exported name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it exports {', '.join(__all__)}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
