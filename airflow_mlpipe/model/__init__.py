"""WHAT a pipeline is: frozen values, standard library only, no I/O.

First stop of the journey.  Nothing here reads a file, a connection or a config option, so that making these values
while Airflow parses a DAG file costs nothing and cannot fail for reasons outside the file.
"""

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
