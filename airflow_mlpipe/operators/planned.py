"""What a plan says of one step, and what it knows of the steps before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from airflow_mlpipe.model.records import Reason, ReuseRecord

Outcome = Literal["reuse", "execute", "depends", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """What one step, or one instance of a mapped one, would do.

    :param outcome: ``unknown``: an operator that does not decide, or what can be known in a run only; ``reasons`` says
        which.
    :param saved: seconds that its reuse would save. :param waits_for: the steps whose new outputs it depends on.
    :param map_index: of an instance; -1 for a step that is not mapped, and for a mapped one whose instances are not
        known.
    """

    task_id: str
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    saved: float = 0.0
    waits_for: tuple[str, ...] = ()
    map_index: int = -1


class NotPlannable(Exception):  # noqa: N818 - an answer, and not an error
    """Something that only a run knows; the message says what."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a step that would be reused leaves in XCom.

    :param is_step: whether it is a step of ours, or an operator with the hook.
    """

    record: ReuseRecord
    is_step: bool

    def value(self, key: str) -> Any:
        """What it pushes under a key."""
        from airflow_mlpipe.operators.xcoms import output_value, return_value

        if not self.is_step:
            return self.record.xcoms.get(key)
        return return_value(self.record) if key == "return_value" else output_value(self.record, key)


class Known:
    """The results of the steps that would be reused, by task."""

    def __init__(self) -> None:
        self._results: dict[str, Result | Sequence[Result]] = {}

    def add(self, task_id: str, result: Result | Sequence[Result]) -> None:
        """Remember a result; of a mapped step those of all its instances."""
        self._results[task_id] = result

    def missing(self, *values: Any) -> tuple[str, ...]:
        """The tasks that these values refer to, and whose results are not known."""
        from airflow.sdk import XComArg

        sources = {operator.task_id for value in values for operator, _ in XComArg.iter_xcom_references(value)}
        return tuple(sorted(source for source in sources if source not in self._results))

    def pushed(self, arg: Any) -> Any:
        """What an edge stands for, as XCom holds it.  :raises NotPlannable: for one that is computed of others."""
        from airflow.sdk.definitions.xcom_arg import PlainXComArg

        if not isinstance(arg, PlainXComArg):
            raise NotPlannable("what .map(), .zip() or .concat() makes of a result is known in a run only")
        result = self._results[arg.operator.task_id]
        if isinstance(result, Result):
            return result.value(arg.key)
        each = [one.value(arg.key) for one in result]
        return [value for value in each if value is not None]  # as Airflow: what pushed nothing is not among them

    def given(self, arg: Any, *, to_step: bool) -> Any:
        """What a task gets for an edge: a step references, any other task the values of steps."""
        from airflow_mlpipe.hooks.values import load_any
        from airflow_mlpipe.operators.value_arg import ValueArg

        found = self.pushed(arg)
        return load_any(found) if isinstance(arg, ValueArg) and not to_step else found

    def mapped_over(self, arg: Any, *, to_step: bool) -> Sequence[Any] | Mapping[str, Any]:
        """The members that a task is mapped over.  :raises NotPlannable: for a value that has none."""
        from airflow_mlpipe.operators.composites import LoadedMembers, members
        from airflow_mlpipe.operators.value_arg import ValueArg

        found = self.pushed(arg)
        parts: Any = members(found) or found
        if isinstance(parts, str) or not isinstance(parts, (Sequence, Mapping)):
            raise NotPlannable("it is mapped over a value that has no members")
        if isinstance(arg, ValueArg) and not to_step and isinstance(parts, Sequence):
            return LoadedMembers(parts)
        return parts
