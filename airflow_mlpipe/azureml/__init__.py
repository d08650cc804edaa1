"""The names of the Azure ML SDK v1, so that a script written for it becomes an Airflow DAG by its import lines alone.

Beside the journey: records that a :class:`Pipeline` makes steps of.  All names are here, in one place, whatever module
of ``azureml`` they were in:

    from airflow_mlpipe.azureml import Experiment, Pipeline, PipelineData, PythonScriptStep, Workspace

What v1 has and this has not is refused when it is imported, with what to use instead; arguments that have no meaning
here are warned about.  ``docs/azure-ml.md`` has the whole table.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.refused import REFUSED

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.auth import (
        AzureCliAuthentication,
        InteractiveLoginAuthentication,
        MsiAuthentication,
        ServicePrincipalAuthentication,
    )
    from airflow_mlpipe.azureml.compute import (
        AmlCompute,
        ComputeInstance,
        ComputeTarget,
        ComputeTargetException,
        DataFactoryCompute,
        RemoteCompute,
    )
    from airflow_mlpipe.azureml.context import Run
    from airflow_mlpipe.azureml.data import DataPath, DataPathComputeBinding, DataReference
    from airflow_mlpipe.azureml.dataset import Dataset, DatasetConsumptionConfig, FileDataset
    from airflow_mlpipe.azureml.datastore import Datastore
    from airflow_mlpipe.azureml.environment import CondaDependencies, DockerSection, Environment, PythonSection
    from airflow_mlpipe.azureml.experiment import Experiment
    from airflow_mlpipe.azureml.module_step import Module, ModuleStep, ModuleVersion
    from airflow_mlpipe.azureml.outputs import (
        InputPortBinding,
        OutputFileDatasetConfig,
        OutputPortBinding,
        PipelineData,
    )
    from airflow_mlpipe.azureml.parameters import PipelineParameter
    from airflow_mlpipe.azureml.pipeline import Pipeline
    from airflow_mlpipe.azureml.run import ActivityFailedException, PipelineRun, PortDataReference, RunDetails, StepRun
    from airflow_mlpipe.azureml.runconfig import DockerConfiguration, MpiConfiguration, RunConfiguration
    from airflow_mlpipe.azureml.steps import CommandStep, PythonScriptStep, StepSequence
    from airflow_mlpipe.azureml.transfer import DataTransferStep
    from airflow_mlpipe.azureml.warn import AzureMLWarning
    from airflow_mlpipe.azureml.workspace import Workspace

_HOME = {
    "auth": (
        "AzureCliAuthentication",
        "InteractiveLoginAuthentication",
        "MsiAuthentication",
        "ServicePrincipalAuthentication",
    ),
    "compute": (
        "AmlCompute",
        "ComputeInstance",
        "ComputeTarget",
        "ComputeTargetException",
        "DataFactoryCompute",
        "RemoteCompute",
    ),
    "context": ("Run",),
    "data": ("DataPath", "DataPathComputeBinding", "DataReference"),
    "dataset": ("Dataset", "DatasetConsumptionConfig", "FileDataset"),
    "datastore": ("Datastore",),
    "environment": ("CondaDependencies", "DockerSection", "Environment", "PythonSection"),
    "experiment": ("Experiment",),
    "module_step": ("Module", "ModuleStep", "ModuleVersion"),
    "outputs": ("InputPortBinding", "OutputFileDatasetConfig", "OutputPortBinding", "PipelineData"),
    "parameters": ("PipelineParameter",),
    "pipeline": ("Pipeline",),
    "run": ("ActivityFailedException", "PipelineRun", "PortDataReference", "RunDetails", "StepRun"),
    "runconfig": ("DockerConfiguration", "MpiConfiguration", "RunConfiguration"),
    "steps": ("CommandStep", "PythonScriptStep", "StepSequence"),
    "transfer": ("DataTransferStep",),
    "warn": ("AzureMLWarning",),
    "workspace": ("Workspace",),
}
_MODULES = {name: module for module, names in _HOME.items() for name in names}

DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.8-cudnn8-ubuntu22.04"
VERSION = "1.62.0"
"""Of the SDK v1 whose names these are."""

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "VERSION",
    "ActivityFailedException",
    "AmlCompute",
    "AzureCliAuthentication",
    "AzureMLWarning",
    "CommandStep",
    "ComputeInstance",
    "ComputeTarget",
    "ComputeTargetException",
    "CondaDependencies",
    "DataFactoryCompute",
    "DataPath",
    "DataPathComputeBinding",
    "DataReference",
    "DataTransferStep",
    "Dataset",
    "DatasetConsumptionConfig",
    "Datastore",
    "DockerConfiguration",
    "DockerSection",
    "Environment",
    "Experiment",
    "FileDataset",
    "InputPortBinding",
    "InteractiveLoginAuthentication",
    "Module",
    "ModuleStep",
    "ModuleVersion",
    "MpiConfiguration",
    "MsiAuthentication",
    "OutputFileDatasetConfig",
    "OutputPortBinding",
    "Pipeline",
    "PipelineData",
    "PipelineParameter",
    "PipelineRun",
    "PortDataReference",
    "PythonScriptStep",
    "PythonSection",
    "RemoteCompute",
    "Run",
    "RunConfiguration",
    "RunDetails",
    "ServicePrincipalAuthentication",
    "StepRun",
    "StepSequence",
    "Workspace",
]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used (PEP 562)."""
    if name in REFUSED:
        raise ImportError(f"{__name__} has no {name}; use {REFUSED[name]} (docs/azure-ml.md)")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it exports {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
