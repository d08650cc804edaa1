"""Which file a DAG was made of: remembered beside the DAG, where Airflow does not serialise it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlpipe.pipelines.records import Pipeline

_ORIGIN = "_mlpipe_origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """:param folder: of the file; the pipeline's paths are relative to it."""

    pipeline: Pipeline
    folder: str


def remember(dag: DAG, origin: Origin) -> None:
    """Note where a DAG is from."""
    object.__setattr__(dag, _ORIGIN, origin)


def origin_of(dag: DAG) -> Origin | None:
    """Where a DAG is from; ``None`` for one that was written in Python."""
    return getattr(dag, _ORIGIN, None)
