"""A result whose every XCom fits into a row: what does not is kept in the workspace, and XCom refers to that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.model.reference import OutputReference, is_reference
from airflow_mlpipe.model.row import ROW, fits, row_bytes
from airflow_mlpipe.operators.xcoms import VALUE, return_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.model.records import ReuseRecord

_SHOWN = 20
"""Outputs that a preview names."""


def fitting(record: ReuseRecord, stores: Stores) -> ReuseRecord:
    """The record, with an XCom that refers to the workspace in the place of each that is too long.

    What the author's program wrote as its result stays as it is: templates and branches read it.
    """
    from airflow_mlpipe.hooks.values import keep

    long = [o for o in record.outputs if not fits(o)]
    kept = {o.name: keep(o.to_json(), like=o, stores=stores).to_json() for o in long}
    if len(record.outputs) == 1 and record.outputs[0].name == VALUE:
        kept = {"return_value": kept[VALUE]} if VALUE in kept else {}
    record = replace(record, xcoms={**record.xcoms, **kept})
    together = return_value(record)
    if "return_value" in record.xcoms or row_bytes(together) <= ROW:
        return record
    like = OutputReference(
        name="return_value",
        kind="file",
        digest="",
        identity="",
        datastore="",
        uri="",
        size=0,
        files=1,
        fingerprint=record.fingerprint,
        dag_id=record.producer.dag_id,
        task_id=record.producer.task_id,
        run_id=record.producer.run_id,
        type="builtins.dict",
        preview=_preview(together),
        length=len(together),
    )
    return replace(record, xcoms={**record.xcoms, "return_value": keep(together, like=like, stores=stores).to_json()})


def _preview(together: Mapping[str, Any]) -> dict[str, Any]:
    """What the outputs are, by name; small values as they are."""
    few = list(together.items())[:_SHOWN]
    return {"outputs": len(together), "members": {name: _said(value) for name, value in few}}


def _said(value: Any) -> Any:
    if is_reference(value):
        return value.get("type") or value["kind"]
    return value if row_bytes(value) <= 80 else "..."
