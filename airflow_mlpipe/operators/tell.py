"""What a step says in its task log: one line, which is the first that the UI shows."""

from __future__ import annotations

from collections.abc import Callable

from airflow_mlpipe.model.records import Producer, Reason, StepRun


def unfold(say: Callable[[str], object]) -> None:
    """Let what follows be seen in Airflow's UI at once.

    Airflow opens a log group, ``Pre Execute``, which the UI shows folded, and closes it only before ``execute``: the
    decision, and the error of a step that cannot decide, would be hidden in it; of a reused step, everything.
    """
    say("::endgroup::")


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``12 m``, ``3.5 h``: short, for people."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} m" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def because(reasons: tuple[Reason, ...]) -> str:
    """Reasons in one line."""
    return "; ".join(str(r) for r in reasons) or "no reason is known"


def reused(run: StepRun) -> str:
    """The first line of a step that was reused."""
    line = f"REUSED from {run.origin}, saved {duration(run.saved)}"
    return f"{line} ({because(run.reasons)})" if run.reasons else line


def executed(reasons: tuple[Reason, ...]) -> str:
    """The first line of a step that executes."""
    return f"EXECUTED because {because(reasons)}"


def waiting(owner: Producer, seconds: float, what: str = "executes the same fingerprint") -> str:
    """The line of a step that waits for another one.  :param what: that one does and no two may do at once."""
    return f"WAITING for {owner}, which {what}; looking again every {duration(seconds)}"
