"""What XComs of ordinary tasks refer to, so that gc knows which values are needed.

One document for each XCom, a StepRun whose outputs are the references.  gc treats it as it treats a run, and asks
besides, where it can, whether the XCom is still there: Airflow removes XComs without telling anybody (a DELETE over its
REST API, a run that is deleted, ``airflow db clean``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from airflow_mlpipe.model.documents import to_bytes
from airflow_mlpipe.model.records import Producer, StepRun
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import value_key

Gone = Callable[[Sequence[tuple[str, StepRun]]], Collection[str]]
"""Of such documents by key, the keys of those whose XCom does not refer to any of their outputs any more."""


class PushedValues:
    """The values that tasks of a workspace have pushed."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def put(self, who: Producer, key: str, references: Iterable[OutputReference]) -> None:
        """Remember what an XCom refers to; a later one of the same key takes its place."""
        outputs = tuple(replace(reference, preview={}) for reference in references)
        run = StepRun(step=who, fingerprint=None, decision="executed", outputs=outputs)
        self._store.put(_key(who, key), to_bytes(run.to_json()))

    def forget(self, who: Producer, key: str) -> None:
        """The XCom is gone; contents that nobody else refers to are garbage from now on."""
        self._store.delete([_key(who, key)])


def _key(who: Producer, key: str) -> str:
    return value_key(who.dag_id, who.run_id, who.task_id, who.map_index, key)
