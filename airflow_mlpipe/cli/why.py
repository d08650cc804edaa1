"""``airflow mlpipe why``: a step's decision, its reasons, and what changed since the run before."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.cli.select import find_run
from airflow_mlpipe.cli.tables import moment, print_lines, print_table
from airflow_mlpipe.cli.workspace import open_workspace
from airflow_mlpipe.experiment.text import duration
from airflow_mlpipe.model.records import Producer, Reason, StepRun

if TYPE_CHECKING:
    from airflow_mlpipe.store.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a step did what it did.

    :param differences: between the key of the run before and this one's; ``None`` when one of them is not kept.
    :param abandoned: it never said how it ended, and nobody executes it any more: it was ended from outside.
    """

    run: StepRun
    differences: tuple[Reason, ...] | None
    abandoned: bool = False

    def to_json(self) -> dict[str, Any]:
        """The members of ``--output json``."""
        run = self.run
        return {
            "step": run.step.to_json(),
            "decision": run.decision,
            "abandoned": self.abandoned,
            "reasons": [r.to_json() for r in run.reasons],
            "differences": None if self.differences is None else [d.to_json() for d in self.differences],
            "fingerprint": run.fingerprint,
            "previous": run.previous,
            "origin": run.origin.to_json() if run.origin else None,
            "started": run.started,
            "seconds": run.seconds,
            "saved": run.saved,
        }


@command
def why(args: Namespace) -> None:
    """Run the command."""
    explanation = explain_run(open_workspace(), args.dag_id, args.task_id, args.run_id, args.map_index)
    if args.output == "json":
        write_json("why", explanation.to_json())
    else:
        _print(explanation)


def explain_run(
    workspace: Workspace, dag_id: str, task_id: str, run_id: str | None = None, map_index: int = -1
) -> Explanation:
    """Find a step run and compare its key with the one before.

    :param run_id: the step's latest run when not given.
    :raises UnknownNameError: when the workspace does not know it.
    """
    run = find_run(workspace, dag_id, task_id, run_id, map_index)
    abandoned = is_abandoned(workspace, run)
    if abandoned:
        # It may have ended between the two looks: it says how before it lets its lease go.
        step = run.step
        run = workspace.runs.get(step.dag_id, step.run_id, step.task_id, step.map_index) or run
        abandoned = run.decision == "running"
    return Explanation(run=run, differences=_differences(workspace, run), abandoned=abandoned)


def is_abandoned(workspace: Workspace, run: StepRun) -> bool:
    """Whether a step run that has not ended has nobody who executes it; ``False`` where that cannot be known.

    It cannot without a lease: of an uncacheable step, of one that is never reused, in a store that has none.
    """
    if run.decision != "running" or run.fingerprint is None or not workspace.store.creates_exclusively:
        return False
    if any(reason.code == "NEVER" for reason in run.reasons):
        return False
    busy = workspace.leases.peek(run.fingerprint)
    # Compared without the try: a retry of the same task instance keeps the step run up to date itself.
    return busy is None or replace(busy.owner, try_number=0) != replace(run.step, try_number=0)


def _differences(workspace: Workspace, run: StepRun) -> tuple[Reason, ...] | None:
    from airflow_mlpipe.fingerprint.key import KeyDocument
    from airflow_mlpipe.fingerprint.reasons import explain
    from airflow_mlpipe.operators.members import with_members

    if run.fingerprint is None or run.previous is None:
        return None
    if run.fingerprint == run.previous:
        return ()
    now, before = workspace.keys.get(run.fingerprint), workspace.keys.get(run.previous)
    if now is None or before is None:
        return None
    return explain(*with_members(KeyDocument.from_json(before), KeyDocument.from_json(now), workspace.contents))


def _print(explanation: Explanation) -> None:
    run = explanation.run
    print_lines(
        f"{run.step} (try {run.step.try_number}), {moment(run.started)}", headline(run, abandoned=explanation.abandoned)
    )
    if explanation.abandoned or run.decision == "failed":
        print_lines(f"What happened is in {where_the_log_is(run.step)}")
    if run.reasons:
        _print_reasons("Reasons" if run.decision != "reused" else "Remarks", run.reasons)
    print_lines("", f"fingerprint   {run.fingerprint or 'none: the step is uncacheable'}")
    print_lines(f"compared with {run.previous or 'nothing: no earlier run of this step is known'}")
    if explanation.differences is None:
        if run.previous is not None and not run.reasons:
            print_lines("The parts of one of the two fingerprints are not kept.")
    elif not explanation.differences:
        print_lines("The two are equal: nothing changed.")
    elif explanation.differences != run.reasons:
        _print_reasons("Differences", explanation.differences)


def where_the_log_is(step: Producer) -> str:
    """The task log of a task instance, as Airflow's UI leads to it."""
    instance = f"task {step.task_id}" if step.map_index < 0 else f"task {step.task_id}, map index {step.map_index}"
    return f"the task's log: DAG {step.dag_id}, run {step.run_id}, {instance}, try {step.try_number}"


def headline(run: StepRun, *, abandoned: bool = False) -> str:
    """What a step did, in one line."""
    took = duration(run.seconds)
    if run.decision == "reused":
        return f"REUSED the result of {run.origin or 'an unknown run'}, saved {duration(run.saved)}"
    if abandoned:
        return (
            "ENDED FROM OUTSIDE: it never said how it ended, and its worker is gone (killed, out of memory, restarted)"
        )
    if run.decision == "running":
        return "EXECUTING: it has not ended"
    return f"EXECUTED in {took}" if run.decision == "executed" else f"FAILED after {took}"


def _print_reasons(title: str, reasons: Iterable[Reason]) -> None:
    print_lines("", f"{title}:")
    print_table(("WHAT", "WHICH", "BEFORE", "NOW"), [(r.code, r.subject, r.old or "", r.new or "") for r in reasons])
