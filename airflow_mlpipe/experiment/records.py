"""What is known of a run and its steps at one moment: RunStatus, StepStatus, Snapshot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

ENDED_RUN = frozenset({"success", "failed"})
ENDED_STEP = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """A DAG run.

    :param state: as Airflow names it: queued, running, success, failed.
    :param started: seconds since the epoch; ``None`` before it starts.
    :param seconds: how long it ran, or has run so far as of its last change; ``None`` while unknown.
    :param url: its page in the UI.
    """

    dag_id: str
    run_id: str
    state: str
    started: float | None
    seconds: float | None
    conf: Mapping[str, Any]
    url: str

    def __str__(self) -> str:
        return f"{self.dag_id}/{self.run_id}"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ENDED_RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a step decided, as it says in its XCom ``mlpipe``.

    :param decision: reused, executed, failed or running.
    :param reasons: why, one line each. :param seconds: how long its program ran. :param saved: seconds saved by reuse.
    :param origin: who produced a reused result: dag/run/task.
    """

    decision: str
    reasons: tuple[str, ...] = ()
    seconds: float | None = None
    saved: float | None = None
    fingerprint: str | None = None
    origin: str | None = None

    @classmethod
    def from_xcom(cls, value: object) -> Decision | None:
        """Read the XCom's value; ``None`` for anything that is not one (another author's key of that name)."""
        if not isinstance(value, Mapping) or not isinstance(value.get("decision"), str):
            return None
        reasons = value.get("reasons")
        return cls(
            decision=value["decision"],
            reasons=tuple(str(r) for r in reasons) if isinstance(reasons, (list, tuple)) else (),
            seconds=number_or_none(value.get("seconds")),
            saved=number_or_none(value.get("saved")),
            fingerprint=_text(value.get("fingerprint")),
            origin=_text(value.get("origin")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStatus:
    """A task instance.

    :param map_index: -1 for a task that is not mapped. :param label: what the UI shows for a mapped one.
    :param state: as Airflow names it; ``"none"`` before it is scheduled.
    :param started: seconds since the epoch. :param seconds: how long the task ran, start-up of the worker included.
    :param outcome: what the step decided; ``None`` before that, and for tasks that are no steps.
    """

    task_id: str
    map_index: int = -1
    label: str | None = None
    state: str = "none"
    try_number: int = 0
    started: float | None = None
    seconds: float | None = None
    outcome: Decision | None = None

    @property
    def name(self) -> str:
        """``train``, or ``train[3]`` for a mapped one."""
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @property
    def ended(self) -> float:
        """Seconds since the epoch; infinite while it has not ended, or the time is unknown."""
        if self.state not in ENDED_STEP or self.started is None:
            return math.inf
        return self.started + (self.seconds or 0.0)

    def to_json(self) -> dict[str, Any]:
        """Plain members: the form of ``--output json``."""
        outcome = self.outcome
        return {
            "task_id": self.task_id,
            "map_index": self.map_index,
            "state": self.state,
            "try_number": self.try_number,
            "decision": outcome.decision if outcome else None,
            "reasons": list(outcome.reasons) if outcome else [],
            "seconds": outcome.seconds if outcome else None,
            "saved": outcome.saved if outcome else None,
            "fingerprint": outcome.fingerprint if outcome else None,
            "origin": outcome.origin if outcome else None,
            "task_seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A run and its steps at one moment; the steps in the order of the pipeline."""

    run: RunStatus
    steps: tuple[StepStatus, ...] = field(default=())

    @property
    def failed(self) -> tuple[StepStatus, ...]:
        """Steps that failed themselves (not those that an upstream step failed), the first cause first."""
        return tuple(sorted((s for s in self.steps if s.state == "failed"), key=lambda s: s.ended))


def parse_time(value: object) -> float | None:
    """Seconds since the epoch of an API timestamp; ``None`` for anything else."""
    if not isinstance(value, str):
        return None
    try:
        # fromisoformat reads a final Z only from Python 3.11 on.
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def number_or_none(value: object) -> float | None:
    """A finite number of an API response, or ``None``."""
    ok = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if ok else None  # type: ignore[arg-type]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
