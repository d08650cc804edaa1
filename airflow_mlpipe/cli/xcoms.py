"""Which XComs are gone, asked of Airflow's database: it tells nobody when it removes one.

Only of DAGs that this database knows, so that a shell with another database, or another Airflow's tasks in the same
workspace, lose nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import say
from airflow_mlpipe.model.reference import references_in
from airflow_mlpipe.store.layout import value_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from airflow_mlpipe.model.records import StepRun
    from airflow_mlpipe.store.values import Gone

_BATCH = 200
"""Ids in one query; some databases take no more than a thousand."""


def lookup() -> Gone | None:
    """Tells which are gone; ``None`` where Airflow has another XCom backend, which pushes nothing to the workspace."""
    from airflow.sdk.execution_time.xcom import resolve_xcom_backend

    from airflow_mlpipe.xcom import XComBackend

    return _gone if issubclass(resolve_xcom_backend(), XComBackend) else None  # type: ignore[no-untyped-call]


def _gone(documents: Sequence[tuple[str, StepRun]]) -> list[str]:
    from airflow.utils.session import create_session
    from sqlalchemy.exc import SQLAlchemyError

    runs: dict[str, set[str]] = defaultdict(set)
    for _, run in documents:
        runs[run.step.dag_id].add(run.step.run_id)
    try:
        with create_session() as session:
            known = _known(session, runs)
            held = {dag_id: _held(session, dag_id, runs[dag_id]) for dag_id in known}
    except SQLAlchemyError as error:
        say(f"Airflow's database does not answer, so no value of an XCom is taken for garbage ({type(error).__name__})")
        return []
    return [
        key
        for key, run in documents
        if run.step.dag_id in known
        and held[run.step.dag_id].get(key, frozenset()).isdisjoint(output.digest for output in run.outputs)
    ]


def _known(session: Session, dags: Iterable[str]) -> set[str]:
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    return {
        dag_id
        for some in _batches(dags)
        for dag_id in session.scalars(select(DagModel.dag_id).where(DagModel.dag_id.in_(some)))
    }


def _held(session: Session, dag_id: str, runs: Iterable[str]) -> dict[str, frozenset[str]]:
    """The digests that each XCom of some runs refers to, by the key of its document."""
    from airflow.models.xcom import XComModel as X
    from sqlalchemy import select

    held: dict[str, frozenset[str]] = {}
    for some in _batches(runs):
        rows = select(X.run_id, X.task_id, X.map_index, X.key, X.value).where(X.dag_id == dag_id, X.run_id.in_(some))
        for run_id, task_id, map_index, key, value in session.execute(rows):
            document = value_key(dag_id, run_id, task_id, map_index, key)
            held[document] = frozenset(reference.digest for reference in references_in(_json(value)))
    return held


def _json(value: Any) -> Any:
    """Values that reached the database by another way than a worker are JSON text there."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _batches(ids: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(sorted(ids))
    while some := list(islice(rest, _BATCH)):
        yield some
