"""What each task instance did, and why: the StepRuns that the log, the UI, the CLI and lineage show.

The latest run of a task that had a result is kept a second time, under ``last/``: it is what the reasons of the next
miss compare with, and finding it must not cost a listing.
"""

from __future__ import annotations

from collections.abc import Iterator

from airflow_mlpipe.model.documents import parse, to_bytes
from airflow_mlpipe.model.records import StepRun
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import last_key, run_key, runs_prefix
from airflow_mlpipe.store.reading import read, read_all


class Runs:
    """The step runs of a workspace."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, run: StepRun) -> None:
        """Remember a run.  A later try of the same task instance takes the place of the earlier one."""
        step, data = run.step, to_bytes(run.to_json())
        self._store.put(run_key(step.dag_id, step.run_id, step.task_id, step.map_index), data)
        if run.fingerprint is not None and run.decision in ("reused", "executed"):
            self._store.put(last_key(step.dag_id, step.task_id, step.map_index), data)

    def get(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> StepRun | None:
        """What a task instance did; ``None`` when it is not known.

        :raises WorkspaceVersionError: when a newer version wrote it.
        """
        return read(self._store, run_key(dag_id, run_id, task_id, map_index), decode)

    def last(self, dag_id: str, task_id: str, map_index: int = -1) -> StepRun | None:
        """The latest run of a task, in any DAG run, that was reused or executed and has a fingerprint.

        :raises WorkspaceVersionError: when a newer version wrote it.
        """
        return read(self._store, last_key(dag_id, task_id, map_index), decode)

    def list(
        self, dag_id: str | None = None, run_id: str | None = None, task_id: str | None = None
    ) -> Iterator[StepRun]:
        """The runs with these ids, in no particular order.

        :raises WorkspaceVersionError: when a newer version wrote one.
        """
        for run in read_all(self._store, runs_prefix(dag_id, run_id, task_id), decode):
            step = run.step
            if all(
                wanted in (None, given)
                for wanted, given in ((dag_id, step.dag_id), (run_id, step.run_id), (task_id, step.task_id))
            ):
                yield run


def decode(data: bytes, where: str) -> StepRun:
    """A run from its bytes.

    :raises CorruptedError: when they are none. :raises WorkspaceVersionError: when a newer version wrote them.
    """
    return StepRun.from_json(parse(data, "steprun", 1, where=where), where=where)
