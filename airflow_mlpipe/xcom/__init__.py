"""``[core] xcom_backend = airflow_mlpipe.xcom.XComBackend``: values of any size between ordinary tasks of a deployment.

What has a materializer - tables, arrays, models, files - goes to the workspace, and so does JSON that is too long for a
row; XCom carries a reference.  Everything else goes to the backend that ``[mlpipe] xcom_fallback`` names, by default
Airflow's own.

Guarantees: deleting an XCom, as Airflow does at each new try of a task, deletes no content, because other runs may
share it (``airflow mlpipe gc`` finds what nobody needs); references of steps are handed to steps as they are.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Iterator
from functools import lru_cache
from typing import Any

from airflow.sdk.bases.xcom import BaseXCom

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import is_absent, is_inline_value, is_reference, references_in
from airflow_mlpipe.model.row import INLINE, row_bytes

_DEEPEST = 20


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
        who = _producer(dag_id, task_id, run_id, map_index)
        name = key or BaseXCom.XCOM_RETURN_KEY
        if _is_ours(value):
            _keep_alive(value, who, name)
            return value
        if not _owns(value, 0):
            names = {"key": key, "task_id": task_id, "dag_id": dag_id, "run_id": run_id, "map_index": map_index}
            try:
                plain = _fallback().serialize_value(value, **names)
            except TypeError:  # of a member that only a materializer knows; if none does, saving says so better
                plain = _NOTHING
            if plain is not _NOTHING and row_bytes(plain) <= INLINE:
                _keep_alive(plain, who, name)
                return plain
            if plain is not _NOTHING and _has_objects(plain) and _fallback() is BaseXCom:
                from airflow_mlpipe.hooks.values import save_serialized

                return save_serialized(plain, value, name=name, who=who)
        from airflow_mlpipe.hooks.values import save

        return save(value, name=name, who=who)

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
    async def aset(cls, key: str, value: Any, **names: Any) -> None:
        """As :meth:`set`; the value is written by a thread, the event loop goes on."""
        where = {name: names.get(name) for name in ("task_id", "dag_id", "run_id", "map_index")}
        document = await asyncio.to_thread(cls.serialize_value, value, key=key, **where)
        await super().aset(key, document if _is_ours(document) else value, **names)

    @classmethod
    async def aget_one(cls, **names: Any) -> Any:
        """As :meth:`get_one`; the value is read by a thread, the event loop goes on."""
        return await _read_in_thread(super().aget_one(**names))

    @classmethod
    async def aget_all(cls, **names: Any) -> Any:
        """As :meth:`get_all`, likewise."""
        return await _read_in_thread(super().aget_all(**names))

    @classmethod
    def delete(cls, key: str, task_id: str, dag_id: str, run_id: str, map_index: int | None = None) -> None:
        """Delete an XCom, and forget that it needs its contents; they stay, others may share them."""
        names = {"key": key, "task_id": task_id, "dag_id": dag_id, "run_id": run_id, "map_index": map_index}
        held = cls._get_xcom_db_ref(**names).value  # type: ignore[arg-type]
        super().delete(**names)  # type: ignore[arg-type]
        who = _producer(dag_id, task_id, run_id, map_index)
        if who is None or next(references_in(held), None) is None:
            return  # most XComs are short: their tasks need no workspace to start again
        from airflow_mlpipe.hooks.workspace import open_workspace

        open_workspace().values.forget(who, key)

    @classmethod
    def purge(cls, xcom: Any, *args: Any) -> None:
        """Contents are never deleted here; a value of the fallback's is its own affair."""
        if not _is_ours(getattr(xcom, "value", None)):
            _fallback().purge(xcom, *args)


_NOTHING = object()
_CLASS = "__classname__"
"""The member by which Airflow's serialization marks an object."""


def _has_objects(serialized: Any) -> bool:
    """Whether Airflow wrote down classes: a long value comes back by the same way, and as the same, as a short one."""
    if isinstance(serialized, dict):
        return _CLASS in serialized or any(map(_has_objects, serialized.values()))
    return isinstance(serialized, (list, tuple)) and any(map(_has_objects, serialized))


def _is_ours(value: Any) -> bool:
    return is_reference(value) or is_inline_value(value) or is_absent(value)


def _producer(dag_id: str | None, task_id: str | None, run_id: str | None, map_index: int | None) -> Producer | None:
    if dag_id is None or task_id is None or run_id is None:
        return None
    return Producer(dag_id=dag_id, task_id=task_id, run_id=run_id, map_index=-1 if map_index is None else map_index)


def _keep_alive(value: Any, who: Producer | None, key: str) -> None:
    """A task that hands on what another one made needs it as long as its own XCom is there.

    Not so a step: its record, and what is remembered of its run, name its outputs.
    """
    from airflow_mlpipe.hooks.values import keeps_references

    if who is None or keeps_references():
        return
    own = (who.dag_id, who.task_id, who.run_id)
    foreign = [r for r in references_in(value) if (r.dag_id, r.task_id, r.run_id) != own]
    if foreign:
        from airflow_mlpipe.hooks.workspace import open_workspace

        open_workspace().values.put(who, key, foreign)


async def _read_in_thread(found: Awaitable[Any]) -> Any:
    from airflow_mlpipe.hooks.values import as_references, keeps_references, load_any

    asked_for_references = keeps_references()
    with as_references():
        held = await found
    if asked_for_references:
        return held
    if isinstance(held, list):
        return await asyncio.to_thread(lambda: [load_any(member) if _is_ours(member) else member for member in held])
    return await asyncio.to_thread(load_any, held) if _is_ours(held) else held


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
