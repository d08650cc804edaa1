"""WHAT a pipeline is: frozen values, standard library only, no I/O.

First stop of the journey.  Nothing here reads a file, a connection or a config option, so that making these values
while Airflow parses a DAG file costs nothing and cannot fail for reasons outside the file.

Its names are imported when they are first used: who needs one module, as every function step's process does, should not
wait for all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlpipe.model.data import DataReference, Datastore, NamedInput, PipelineData, Volatile
    from airflow_mlpipe.model.environment import Environment, Secret
    from airflow_mlpipe.model.reference import OutputReference, is_reference
    from airflow_mlpipe.model.resources import Gpu, Resources
    from airflow_mlpipe.model.reuse import Reuse

__all__ = [
    "DataReference",
    "Datastore",
    "Environment",
    "Gpu",
    "NamedInput",
    "OutputReference",
    "PipelineData",
    "Resources",
    "Reuse",
    "Secret",
    "Volatile",
    "is_reference",
]

_HOME = {
    "DataReference": "data",
    "Datastore": "data",
    "Environment": "environment",
    "Gpu": "resources",
    "NamedInput": "data",
    "OutputReference": "reference",
    "PipelineData": "data",
    "Resources": "resources",
    "Reuse": "reuse",
    "Secret": "environment",
    "Volatile": "data",
    "is_reference": "reference",
}


def __getattr__(name: str) -> Any:
    """Import an exported name when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it exports {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
