"""ON WHAT a step runs: one thin client per kind of target behind one protocol."""

from airflow_mlpipe.compute.base import Compute
from airflow_mlpipe.compute.find import find_compute
from airflow_mlpipe.compute.local import LocalCompute

__all__ = ["Compute", "LocalCompute", "find_compute"]
