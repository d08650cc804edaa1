"""What a task leaves in XCom: references, its return value, and a summary of what happened and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import OutputInvalidError
from airflow_mlpipe.model.records import ReuseRecord, StepRun
from airflow_mlpipe.model.reference import absent, is_inline_value, is_reference
from airflow_mlpipe.model.row import ROW, row_bytes
from airflow_mlpipe.operators.composites import mapped_length

if TYPE_CHECKING:
    from airflow.sdk import Context

VALUE = "value"
"""Name of the output of a function that declares none."""

SUMMARY = "mlpipe"
"""XCom key of the summary; the UI, the REST API and ``airflow mlpipe submit`` read it."""


def summary(run: StepRun) -> dict[str, Any]:
    """What everybody who asks is told of a step run; small and without a secret."""
    reasons = [str(r) for r in run.reasons][:20]
    told = {
        "decision": run.decision,
        "reasons": reasons,
        "seconds": round(run.seconds, 3),
        "saved": round(run.saved, 3),
        "fingerprint": run.fingerprint,
        "origin": str(run.origin) if run.origin else None,
    }
    while reasons and row_bytes(told) > ROW:
        reasons.pop()  # `airflow mlpipe why` has them all
    return told if row_bytes(told) <= ROW else told | {"origin": None}


def push_summary(context: Context, run: StepRun) -> None:
    """Push :func:`summary`."""
    context["ti"].xcom_push(key=SUMMARY, value=summary(run))


def push_outputs(context: Context, record: ReuseRecord, names: tuple[str, ...]) -> None:
    """Push a reference for each declared output; for an optional one that was not written, that it is absent."""
    from airflow_mlpipe.hooks.values import as_references

    with as_references():  # the XCom backend has nothing to do with what the step's record keeps
        for name in names:
            context["ti"].xcom_push(key=name, value=output_value(record, name))


def output_value(record: ReuseRecord, name: str) -> Any:
    """What stands for an output in XCom: a reference, a small value, or that it is absent."""
    if name in record.xcoms:
        return record.xcoms[name]
    reference = record.output(name)
    return absent(name) if reference is None else reference.to_json()


def return_value(record: ReuseRecord) -> Any:
    """What the task returns: the JSON that its program wrote, else its references by name."""
    if "return_value" in record.xcoms:
        return record.xcoms["return_value"]
    if len(record.outputs) == 1 and not record.xcoms and record.outputs[0].format and record.outputs[0].name == VALUE:
        return record.outputs[0].to_json()
    named = {o.name: (replace(o, preview={}) if o.format else o).to_json() for o in record.outputs}
    return named | dict(record.xcoms) or None


class Mappable(dict[str, Any]):
    """A reference as long as the value that it stands for: Airflow makes an instance for each of its members."""

    def __init__(self, held: Mapping[str, Any], length: int) -> None:
        super().__init__(held)
        self._length = length

    def __len__(self) -> int:
        return self._length


def mappable(task: Any, value: Any) -> Any:
    """A return value as Airflow counts its members; it would count those of a reference's JSON.

    :raises OutputInvalidError: when a task is mapped over a value that has no members.
    """
    held = is_inline_value(value) or (is_reference(value) and value.get("format"))
    if not held or next(task.iter_mapped_dependants(), None) is None:
        return value
    length = mapped_length(value)
    if length is None:
        raise OutputInvalidError(
            "a task is mapped over this step's result, which has no members",
            where=f"step {task.task_id!r}",
            given=value.get("type") or "one value",
            valid="a list, tuple or dict",
            fix="return a list, one member for each instance",
        )
    return Mappable(value, length)


def push_return_value(context: Context, value: Any) -> None:
    """Push what ``execute`` would have returned, for a task that ends without it.

    Follows Airflow's own rules for a returned value (``_push_xcom_if_needed`` in
    ``airflow/sdk/execution_time/task_runner.py``): a mapped task downstream needs the length beside the value, and
    ``multiple_outputs`` a key for each member.
    """
    from airflow.sdk.execution_time.xcom import XCom

    from airflow_mlpipe.hooks.values import as_references

    ti = context["ti"]
    task: Any = context["task"]
    if not task.do_xcom_push or value is None:
        return
    value = mappable(task, value)
    is_mapped = ti.map_index is not None and ti.map_index >= 0
    length = len(value) if not is_mapped and next(task.iter_mapped_dependants(), None) is not None else None
    with as_references():  # see push_outputs
        if task.multiple_outputs and isinstance(value, Mapping):
            for key, member in value.items():
                ti.xcom_push(key=key, value=member)
        XCom.set(
            key="return_value",
            value=value,
            dag_id=ti.dag_id,
            task_id=ti.task_id,
            run_id=ti.run_id,
            map_index=ti.map_index,
            dag_result=getattr(task, "returns_dag_result", False),
            _mapped_length=length,
        )
