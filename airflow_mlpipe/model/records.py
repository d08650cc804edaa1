"""What is remembered of a step: Producer, ReuseRecord, StepRun.

A :class:`ReuseRecord` exists exactly when the outputs of its fingerprint are complete.  A :class:`StepRun` says what
one task instance did and why; the log, the UI, the CLI and lineage all show that one record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeVar

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.model.documents import check_tag, tag
from airflow_mlpipe.model.reference import OutputReference

Decision = Literal["reused", "executed", "failed", "running"]
_T = TypeVar("_T")


def _members(cls: type[_T], document: Mapping[str, Any], where: str) -> _T:
    names = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    try:
        return cls(**{name: value for name, value in document.items() if name in names})
    except TypeError as error:
        raise CorruptedError(f"members are missing ({error})", where=where) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """The task instance that did something.  ``map_index`` is -1 for a task that is not mapped (Airflow's value)."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int = -1
    try_number: int = 1

    def __str__(self) -> str:
        suffix = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.dag_id}/{self.run_id}/{self.task_id}{suffix}"

    def to_json(self) -> dict[str, Any]:
        """Plain members."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Producer:
        """Read :meth:`to_json` back.  :raises CorruptedError: when members are missing."""
        return _members(cls, document, "producer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One difference that made a step execute (or the remark that came with its reuse).

    :param code: NEW, STEP, CODE, PARAM, INPUT, ENV, COMMAND, OUTPUTS, SECRET, VERSION, SALT, FORCED, EXPIRED,
        OUTPUT_GONE, UNCACHEABLE, INPUT_CHANGED_DURING_RUN, NEVER; with a reuse: UPSTREAM_RERAN; in a plan:
        UNKNOWN, ERROR.
    :param subject: the file, parameter, input, variable ... that differs.
    :param old: before, readable and short. :param new: now.
    """

    code: str
    subject: str = ""
    old: str | None = None
    new: str | None = None

    def __str__(self) -> str:
        text = f"{self.code} {self.subject}".rstrip()
        if self.old is not None and self.new is not None:
            return f"{text} {self.old} -> {self.new}"
        shown = self.new if self.new is not None else self.old
        return text if shown is None else f"{text} {shown}"

    def to_json(self) -> dict[str, Any]:
        """Plain members, those that say nothing left out."""
        return {n: v for n in self.__slots__ if (v := getattr(self, n)) not in (None, "")}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Reason:
        """Read :meth:`to_json` back.  :raises CorruptedError: when members are missing."""
        return _members(cls, document, "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseRecord:
    """A complete result.

    :param outputs: a reference each; optional outputs that were not written are absent.
    :param xcoms: what the task pushed besides the references (``return_value`` included), JSON values.
    :param links: extra links by name. :param metrics: last value of each metric.
    :param started: when the execution started, seconds since the epoch by the worker's clock (shown, never compared).
    :param seconds: how long the program ran: what a reuse saves.
    :param nondeterministic: fingerprints of outputs of a second execution differed; see ``store.records``.
    """

    fingerprint: str
    producer: Producer
    outputs: tuple[OutputReference, ...] = ()
    xcoms: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    started: float = 0.0
    seconds: float = 0.0
    nondeterministic: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document in the store."""
        return tag("record", 1) | {
            "fingerprint": self.fingerprint,
            "producer": self.producer.to_json(),
            "outputs": [o.to_json() for o in self.outputs],
            "xcoms": dict(self.xcoms),
            "links": dict(self.links),
            "metrics": dict(self.metrics),
            "started": self.started,
            "seconds": self.seconds,
            "nondeterministic": self.nondeterministic,
        }

    @classmethod
    def from_json(cls, document: object, *, where: str = "record") -> ReuseRecord:
        """Read :meth:`to_json` back.

        :raises CorruptedError: when it is none. :raises WorkspaceVersionError: when it is newer.
        """
        members = dict(check_tag(document, "record", 1, where=where))
        try:
            members["producer"] = Producer.from_json(members["producer"])
            members["outputs"] = tuple(OutputReference.from_json(o) for o in members["outputs"])
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptedError(f"members are missing ({error})", where=where) from error
        return _members(cls, members, where)

    def output(self, name: str) -> OutputReference | None:
        """The reference of an output; ``None`` if it was optional and not written."""
        return next((o for o in self.outputs if o.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRun:
    """What one task instance did, and why.

    :param fingerprint: ``None`` when the step is uncacheable.
    :param decision: reused, executed, failed (executed and failed), running.
    :param reasons: why it executed; remarks when it was reused.
    :param origin: who produced the result that was reused.
    :param seconds: how long the program ran here (0.0 when reused). :param saved: seconds that reuse saved.
    :param previous: fingerprint that the reasons compare with.
    """

    step: Producer
    fingerprint: str | None
    decision: Decision
    reasons: tuple[Reason, ...] = ()
    origin: Producer | None = None
    seconds: float = 0.0
    saved: float = 0.0
    started: float = 0.0
    previous: str | None = None
    outputs: tuple[OutputReference, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The document in the store."""
        return tag("steprun", 1) | {
            "step": self.step.to_json(),
            "fingerprint": self.fingerprint,
            "decision": self.decision,
            "reasons": [r.to_json() for r in self.reasons],
            "origin": self.origin.to_json() if self.origin else None,
            "seconds": self.seconds,
            "saved": self.saved,
            "started": self.started,
            "previous": self.previous,
            "outputs": [o.to_json() for o in self.outputs],
        }

    @classmethod
    def from_json(cls, document: object, *, where: str = "step run") -> StepRun:
        """Read :meth:`to_json` back.

        :raises CorruptedError: when it is none. :raises WorkspaceVersionError: when it is newer.
        """
        members = dict(check_tag(document, "steprun", 1, where=where))
        try:
            members["step"] = Producer.from_json(members["step"])
            members["origin"] = Producer.from_json(members["origin"]) if members["origin"] else None
            members["reasons"] = tuple(Reason.from_json(r) for r in members["reasons"])
            members["outputs"] = tuple(OutputReference.from_json(o) for o in members["outputs"])
        except (KeyError, TypeError, AttributeError) as error:
            raise CorruptedError(f"members are missing ({error})", where=where) from error
        return _members(cls, members, where)
