"""airflow_mlpipe: ML pipelines inside Apache Airflow.

Steps with declared inputs and outputs; data that move by themselves; results that are reused when nothing changed, and
the reason when something did.  Everything that a DAG author needs is exported here; nothing is imported before it is
used, because DAG files are parsed again and again.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from airflow_mlpipe.decorators.step import step
    from airflow_mlpipe.hooks.values import load
    from airflow_mlpipe.model.data import DataReference, Datastore, NamedInput, PipelineData, Volatile
    from airflow_mlpipe.model.environment import Environment, Secret
    from airflow_mlpipe.model.reference import OutputReference
    from airflow_mlpipe.model.resources import Gpu, Resources
    from airflow_mlpipe.model.reuse import Reuse
    from airflow_mlpipe.model.step import InputPath as Input
    from airflow_mlpipe.model.step import OutputPath as Output
    from airflow_mlpipe.operators.any_operator import reuse_unchanged
    from airflow_mlpipe.operators.command import CommandStep
    from airflow_mlpipe.operators.module import ModuleStep
    from airflow_mlpipe.operators.script import ScriptStep
    from airflow_mlpipe.operators.transfer import DataTransferStep
    from airflow_mlpipe.pipelines.load import dag_from_spec, load_pipelines
    from airflow_mlpipe.pipelines.records import Pipeline
    from airflow_mlpipe.pipelines.taking.dag import spec_of
    from airflow_mlpipe.pipelines.taking.graph import graph_of
    from airflow_mlpipe.retries import RetryInfrastructure
    from airflow_mlpipe.triggers.changes import changes
    from airflow_mlpipe.values.outputs import Outputs
    from airflow_mlpipe.values.pickled import Pickle

__all__ = [
    "CommandStep",
    "DataReference",
    "DataTransferStep",
    "Datastore",
    "Environment",
    "Gpu",
    "Input",
    "ModuleStep",
    "NamedInput",
    "Output",
    "OutputReference",
    "Outputs",
    "Pickle",
    "Pipeline",
    "PipelineData",
    "Resources",
    "RetryInfrastructure",
    "Reuse",
    "ScriptStep",
    "Secret",
    "Volatile",
    "changes",
    "dag_from_spec",
    "graph_of",
    "load",
    "load_pipelines",
    "reuse_unchanged",
    "spec_of",
    "step",
]

_HOME = {
    "CommandStep": "operators.command",
    "DataReference": "model.data",
    "DataTransferStep": "operators.transfer",
    "Datastore": "model.data",
    "Environment": "model.environment",
    "Gpu": "model.resources",
    "Input": "model.step:InputPath",
    "ModuleStep": "operators.module",
    "NamedInput": "model.data",
    "Output": "model.step:OutputPath",
    "OutputReference": "model.reference",
    "Outputs": "values.outputs",
    "Pickle": "values.pickled",
    "Pipeline": "pipelines.records",
    "PipelineData": "model.data",
    "Resources": "model.resources",
    "RetryInfrastructure": "retries",
    "Reuse": "model.reuse",
    "ScriptStep": "operators.script",
    "Secret": "model.environment",
    "Volatile": "model.data",
    "changes": "triggers.changes",
    "dag_from_spec": "pipelines.load",
    "graph_of": "pipelines.taking.graph",
    "load": "hooks.values",
    "load_pipelines": "pipelines.load",
    "reuse_unchanged": "operators.any_operator",
    "spec_of": "pipelines.taking.dag",
    "step": "decorators.step",
}


_OTHER_NAMES = {
    "PythonScriptStep": "ScriptStep",
    "OutputFileDatasetConfig": "PipelineData",
    "PipelineParameter": "an Airflow Param and the template {{ params.name }}",
    "RunConfiguration": "Environment and Resources",
    "Run": "the environment variables MLPIPE_METRICS and MLPIPE_RESULT",
    "Workspace": "the options of [mlpipe]",
    "Experiment": "airflow_mlpipe.experiment.Experiment",
    "ComputeTarget": "compute_target='name'",
}
"""Azure ML's names that authors write from habit; ``docs/azure-ml.md`` has the whole table."""


def __getattr__(name: str) -> Any:
    """Import an exported name when it is first used (PEP 562)."""
    if name in _OTHER_NAMES:
        raise ImportError(
            f"{__name__} has no {name}; use {_OTHER_NAMES[name]}, or for a script of Azure ML's SDK v1 "
            f"{__name__}.azureml.{name} (docs/azure-ml.md)"
        )
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it exports {', '.join(__all__)}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
