"""``[core] xcom_backend = airflow_mlpipe.xcom.XComBackend``: values of any size between ordinary tasks of a deployment.

What has a materializer - tables, arrays, models, files - goes to the workspace, and so does JSON that is too long for a
row; XCom carries a reference.  Everything else goes to the backend that ``[mlpipe] xcom_fallback`` names, by default
Airflow's own.

Guarantees: deleting an XCom, as Airflow does at each new try of a task, deletes no content, because other runs may
share it (``airflow mlpipe gc`` finds what nobody needs); references of steps are handed to steps as they are.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from airflow.sdk.bases.xcom import BaseXCom

from airflow_mlpipe.errors import ConfigurationError

_DEEPEST = 20
ROW = 3 * 1024
"""Bytes of JSON above which a value goes to the workspace."""


class XComBackend(BaseXCom):
    """See the module."""

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> Any:
        """What the database holds.

        :raises UnsupportedValueError: for a value without a form, naming its type, its place and the ways out.
        """
        if _is_ours(value):
            return value
        names = {"key": key, "task_id": task_id, "dag_id": dag_id, "run_id": run_id, "map_index": map_index}
        if not _owns(value, 0):
            plain = _fallback().serialize_value(value, **names)
            if len(json.dumps(plain)) <= ROW:
                return plain
        from airflow_mlpipe.hooks.values import save
        from airflow_mlpipe.model.records import Producer

        who = None
        if dag_id is not None and task_id is not None and run_id is not None:
            index = -1 if map_index is None else map_index
            who = Producer(dag_id=dag_id, task_id=task_id, run_id=run_id, map_index=index)
        return save(value, name=key or "return_value", who=who)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """The value; for a step of ours, which asks for it in a form of its own, the reference.

        :raises InputError: when its data are gone, naming the task instance that made them.
        """
        if not _is_ours(result.value):
            return _fallback().deserialize_value(result)
        from airflow_mlpipe.hooks.values import keeps_references, load_any

        return result.value if keeps_references() else load_any(result.value)

    @classmethod
    def delete(cls, key: str, task_id: str, dag_id: str, run_id: str, map_index: int | None = None) -> None:
        """Delete an XCom, and forget that it needs its contents; they stay, others may share them."""
        from airflow_mlpipe.hooks.workspace import open_workspace
        from airflow_mlpipe.model.records import Producer

        index = -1 if map_index is None else map_index
        who = Producer(dag_id=dag_id, task_id=task_id, run_id=run_id, map_index=index)
        super().delete(key=key, task_id=task_id, dag_id=dag_id, run_id=run_id, map_index=map_index)
        open_workspace().values.forget(who, key)

    @classmethod
    def purge(cls, xcom: Any, *args: Any) -> None:
        """Contents are never deleted here; a value of the fallback's is its own affair."""
        if not _is_ours(getattr(xcom, "value", None)):
            _fallback().purge(xcom, *args)


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("mlpipe", "")).partition("/")[0] in (
        "reference",
        "value",
        "absent",
    )


def _owns(value: Any, depth: int) -> bool:
    """Whether a materializer is needed for the value, or for something in it."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return False
    if kind in (list, tuple, dict):
        members = value.values() if kind is dict else value
        return depth < _DEEPEST and any(_owns(member, depth + 1) for member in members)
    if isinstance(value, (os.PathLike, Iterator)):
        return True
    from airflow_mlpipe.values.registry import of_type

    return of_type(kind) is not None


@lru_cache(maxsize=1)
def _fallback() -> Any:
    from airflow.sdk.configuration import conf

    name = conf.get("mlpipe", "xcom_fallback", fallback="") or ""
    if not name:
        return BaseXCom
    module, _, kind = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), kind)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"the fallback backend cannot be imported ({error})",
            where="[mlpipe] xcom_fallback",
            given=name,
            valid="the full name of a class, package.module.Class",
        ) from error
