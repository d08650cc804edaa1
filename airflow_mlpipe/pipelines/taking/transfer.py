"""A DataTransferStep as a record."""

from __future__ import annotations

from typing import Any

from airflow_mlpipe.pipelines.records import Step
from airflow_mlpipe.pipelines.taking.values import DataNames


def as_transfer(task: Any, step: Step, data: DataNames) -> Step:
    """The step with the options of a transfer."""
    raise NotImplementedError
