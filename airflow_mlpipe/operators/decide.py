"""Reuse, execute, or wait: the one decision, for our steps and for any operator with the hook.

Made in the worker before any work is started, from the key of the step and what the workspace remembers.  It always
says why: a :class:`Reused` carries remarks, an :class:`Execute` carries reasons, a :class:`Wait` whom it waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_mlpipe.fingerprint.key import KeyDocument
from airflow_mlpipe.fingerprint.reasons import explain
from airflow_mlpipe.model.records import Producer, Reason, ReuseRecord, StepRun
from airflow_mlpipe.model.reference import XCOM, OutputReference, references_in
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.operators.members import with_members
from airflow_mlpipe.operators.xcoms import VALUE
from airflow_mlpipe.store.leases import Busy

if TYPE_CHECKING:
    from airflow_mlpipe.store.heartbeat import Lease
    from airflow_mlpipe.store.workspace import Workspace

Gone = Callable[[OutputReference], bool | str]
"""Whether an output of a record is missing from its datastore, or not what was recorded; a text says in what way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All that a decision depends on.

    :param key: ``None`` when the step is uncacheable; then ``uncacheable`` says why.
    :param forced: what forces it to execute, if anything does.
    :param reran: names of inputs that were executed anew in this very run (they had the same bytes if this is a hit).
    :param gone: checks one output of a record.
    :param files: outputs whose bytes are wanted somewhere: a value that only XCom holds is not enough.
    """

    step: Producer
    key: KeyDocument | None
    reuse: Reuse
    gone: Gone
    forced: str | None = None
    uncacheable: Reason | None = None
    reran: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """A recorded result stands for this step."""

    record: ReuseRecord
    remarks: tuple[Reason, ...] = ()
    previous: StepRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """The step must execute.

    :param lease: held until the result is recorded; ``None`` when nothing will be recorded.
    :param replace: whether its result replaces a recorded one.
    """

    reasons: tuple[Reason, ...]
    lease: Lease | None = None
    replace: bool = False
    previous: StepRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Another task instance executes the same fingerprint right now."""

    busy: Busy


Decision = Reused | Execute | Wait


def decide(workspace: Workspace, question: Question) -> Decision:
    """Make the decision; an :class:`Execute` whose result will be recorded holds the lease when this returns."""
    found = look_up(workspace, question)
    if isinstance(found, Reused) or question.key is None or question.reuse.policy == "never":
        return found
    lease = workspace.leases.acquire(question.key.fingerprint, question.step)
    if isinstance(lease, Busy):
        return Wait(busy=lease)
    again = look_up(workspace, question)  # the owner before us may have recorded it meanwhile
    if isinstance(again, Reused):
        lease.release()
        return again
    return replace(again, lease=lease)


def look_up(workspace: Workspace, question: Question) -> Reused | Execute:
    """What would be decided now; takes no lease and changes nothing."""
    step, key = question.step, question.key
    previous = workspace.runs.last(step.dag_id, step.task_id, step.map_index)
    if key is None:
        return Execute(reasons=(question.uncacheable,) if question.uncacheable else (), previous=previous)
    if question.reuse.policy == "never":
        return Execute(reasons=(Reason(code="NEVER", new="Reuse(policy='never')"),), previous=previous)
    if question.forced is not None or question.reuse.policy == "refresh":
        by = question.forced if question.forced is not None else "Reuse(policy='refresh')"
        return Execute(reasons=(Reason(code="FORCED", new=f"by {by}"),), replace=True, previous=previous)
    record = workspace.records.get(key.fingerprint)
    if record is None:
        return Execute(reasons=_why_new(workspace, key, previous), previous=previous)
    if reasons := _why_not(workspace, question, record):
        return Execute(reasons=reasons, replace=True, previous=previous)
    remarks = tuple(Reason(code="UPSTREAM_RERAN", subject=n, new="same bytes") for n in question.reran)
    return Reused(record=record, remarks=remarks, previous=previous)


def _why_not(workspace: Workspace, question: Question, record: ReuseRecord) -> tuple[Reason, ...]:
    """Reasons against a record that is there: it is too old, or outputs are gone."""
    limit = question.reuse.max_age
    age = workspace.records.age(record.fingerprint) if limit is not None else None
    if limit is not None and age is not None and age > limit.total_seconds():
        old, new = f"{age / 3600:.1f} h", f"max_age {limit.total_seconds() / 3600:.1f} h"
        return (Reason(code="EXPIRED", old=old, new=new),)
    if inline := [name for name in question.files if _is_inline(record, name)]:
        return tuple(Reason(code="OUTPUT_GONE", subject=n, new="it is recorded as a small value") for n in inline)
    kept = (o for o in references_in(record.xcoms) if o.format == XCOM)
    looked = ((o.name, question.gone(o)) for o in (*record.outputs, *kept))
    return tuple(
        Reason(code="OUTPUT_GONE", subject=name, new=how if isinstance(how, str) else None)
        for name, how in looked
        if how
    )


def _is_inline(record: ReuseRecord, name: str) -> bool:
    """Whether a function's output is in the record itself, and its bytes nowhere else."""
    return record.output(name) is None and (name in record.xcoms or (name == VALUE and "return_value" in record.xcoms))


def _why_new(workspace: Workspace, key: KeyDocument, previous: StepRun | None) -> tuple[Reason, ...]:
    if previous is None or previous.fingerprint is None:
        return explain(None, key)
    document = workspace.keys.get(previous.fingerprint)
    if document is None:
        return (Reason(code="NEW", new="the key of the last execution is not kept any more"),)
    reasons = explain(*with_members(KeyDocument.from_json(document), key, workspace.contents))
    return reasons or (Reason(code="NEW", new="nothing changed, and no result is recorded"),)
