"""What would run now: the decision of every step of a DAG, made without running anything.

Steps are visited in the order of their dependencies.  A step whose inputs are known - they existed before, or come from
a step that would be reused - is decided exactly; one that takes the output of a step that would execute *depends*: with
the same bytes as last time it would be reused, with others it would execute.  Of a mapped step each instance is decided
by itself, and an operator with the hook ``reuse_unchanged`` is decided like a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.records import Producer, Reason
from airflow_mlpipe.operators.any_operator import ReuseHook
from airflow_mlpipe.operators.plan_instances import Instance, instances
from airflow_mlpipe.operators.plan_rendering import Rendering
from airflow_mlpipe.operators.planned import Known, NotPlannable, Outcome, PlannedStep, Result

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.operators.attempt import Fingerprinted
    from airflow_mlpipe.operators.base import StepOperator
    from airflow_mlpipe.operators.decide import Question

__all__ = ["Outcome", "PlannedStep", "plan_dag"]

_STEP_FIELDS = ("arguments", "inputs", "resource_inputs", "parameters")


def plan_dag(dag: DAG, conf: Mapping[str, Any] | None = None, *, stores: Stores | None = None) -> list[PlannedStep]:
    """Plan a run of a DAG: a line for each task, and for each instance of a mapped step where they are known.

    :param conf: the run's conf: parameters, and what it forces.
    :raises ParamValidationError: Airflow's, for a parameter that is not valid.
    """
    from airflow_mlpipe.hooks.workspace import Stores

    plan = Plan(dag, dict(conf or {}), stores or Stores())
    order = dag.topological_sort()  # type: ignore[no-untyped-call]
    return [step for task in order if hasattr(task, "task_id") for step in plan.visit(task)]


class Plan:
    """The decisions for one DAG, task after task."""

    def __init__(self, dag: DAG, conf: dict[str, Any], stores: Stores) -> None:
        self.dag, self.conf, self.stores = dag, conf, stores
        self.known = Known()
        self.rendering = Rendering(dag, conf, self.known)

    def visit(self, task: Any) -> list[PlannedStep]:
        """The lines of a task."""
        try:
            return self._mapped(task) if task.is_mapped else self._single(task)
        except NotPlannable as unknown:
            return [_unknown(task.task_id, unknown)]
        except MLPipeError as error:
            return [_error(task.task_id, error)]

    def _single(self, task: Any) -> list[PlannedStep]:
        _check_plannable(task)
        step, result = self._decided(task, task)
        if result is not None:
            self.known.add(task.task_id, result)
        return [step]

    def _mapped(self, task: Any) -> list[PlannedStep]:
        _check_plannable(task)
        expanded = task._get_specified_expand_input()
        over = [v for v in expanded.value.values() if hasattr(v, "iter_references")] if _is_dict(expanded) else expanded
        if waits := self.known.missing(over):
            return [self._after(task, waits)]
        found = [self._instance(task, one) for one in instances(task, self.known, is_step=_is_step(task))]
        results = [result for _, result in found if result is not None]
        if len(results) == len(found):
            self.known.add(task.task_id, results)
        return [step for step, _ in found]

    def _instance(self, task: Any, one: Instance) -> tuple[PlannedStep, Result | None]:
        """One instance; its trouble does not hide what the others do."""
        try:
            step, result = self._decided(task, one.task, one.data, one.index)
        except NotPlannable as unknown:
            step, result = _unknown(task.task_id, unknown), None
        except MLPipeError as error:
            step, result = _error(task.task_id, error), None
        return replace(step, map_index=one.index), result

    def _decided(
        self, task: Any, instance: Any, data: frozenset[int] = frozenset(), index: int = -1
    ) -> tuple[PlannedStep, Result | None]:
        """What a task does, and its result if that is known.

        :param task: as it is in the DAG. :param instance: the same, or one instance of it.
        """
        from airflow_mlpipe.operators.decide import Reused, look_up

        if waits := self.known.missing(*(getattr(instance, name, None) for name in _fields(instance))):
            return self._after(task, waits), None
        who = Producer(dag_id=self.dag.dag_id, task_id=task.task_id, run_id="plan", map_index=index)
        decision = look_up(self.stores.workspace, self._question(instance, who, self._forced(task), data))
        if isinstance(decision, Reused):
            record = decision.record
            step = PlannedStep(task_id=task.task_id, outcome="reuse", reasons=decision.remarks, saved=record.seconds)
            return step, Result(record, _is_step(task))
        return PlannedStep(task_id=task.task_id, outcome="execute", reasons=decision.reasons), None

    def _after(self, task: Any, waits: tuple[str, ...]) -> PlannedStep:
        """A task that takes what is not known."""
        if (forced := self._forced(task)) is None:
            return PlannedStep(task_id=task.task_id, outcome="depends", waits_for=waits)
        reason = Reason(code="FORCED", new=f"by {forced}")
        return PlannedStep(task_id=task.task_id, outcome="execute", reasons=(reason,))

    def _forced(self, task: Any) -> str | None:
        from airflow_mlpipe.operators.force import forced_by

        upstream = task.get_flat_relative_ids(upstream=True)
        return forced_by(self.conf, task.task_id, upstream=upstream, all_tasks=self.dag.task_ids)

    def _question(self, task: Any, who: Producer, forced: str | None, data: frozenset[int]) -> Question:
        from airflow_mlpipe.operators.attempt import wanted_files
        from airflow_mlpipe.operators.decide import Question
        from airflow_mlpipe.operators.hooked import fingerprint_hooked, question_of

        if (hook := _hook_of(task)) is not None:
            context = self.rendering.context(task, who)
            twin = self.rendering.rendered(task, context, _fields(task), to_step=False, data=data)
            asked = fingerprint_hooked(hook, twin, context, self.stores)
            return question_of(hook, asked, who, self.stores, forced=forced)
        found = self.fingerprinted(task, who, data)
        return Question(
            step=who,
            key=found.key,
            reuse=task.reuse,
            forced=forced,
            uncacheable=found.uncacheable,
            gone=lambda output: task.is_gone(found, output, self.stores),
            files=wanted_files(found.resolved.spec),
        )

    def fingerprinted(self, task: StepOperator, who: Producer, data: frozenset[int] = frozenset()) -> Fingerprinted:
        """A step whose inputs are known, with its key."""
        from airflow_mlpipe.hooks.values import as_references

        context = self.rendering.context(task, who)
        with as_references():
            twin = self.rendering.rendered(task, context, task.template_fields, to_step=True, data=data)
            found: Fingerprinted = twin.look(context, self.stores, lambda _: None)
        return found


def _check_plannable(task: Any) -> None:
    """:raises NotPlannable: for a task that decides nothing, and for one whose instances are those of its group."""
    if not _is_step(task) and _hook_of(task) is None:
        raise NotPlannable("not a step")
    if task.get_closest_mapped_task_group() is not None:
        raise NotPlannable("it is in a mapped TaskGroup, whose instances are known in a run only")


def _is_step(task: Any) -> bool:
    from airflow_mlpipe.operators.base import StepOperator

    return issubclass(getattr(task, "operator_class", type(task)), StepOperator)


def _hook_of(task: Any) -> ReuseHook | None:
    if task.is_mapped:
        hook = task.partial_kwargs.get("pre_execute")
    else:
        hook = task._pre_execute_hook
    return hook if isinstance(hook, ReuseHook) and not _is_step(task) else None


def _fields(task: Any) -> list[str]:
    """The fields that determine what a task does."""
    if (hook := _hook_of(task)) is None:
        return list(_STEP_FIELDS)
    return [name for name in task.template_fields if name not in hook.ignore_fields]


def _is_dict(expand_input: Any) -> bool:
    return isinstance(expand_input.value, Mapping)


def _unknown(task_id: str, unknown: NotPlannable) -> PlannedStep:
    return PlannedStep(task_id=task_id, outcome="unknown", reasons=(Reason(code="UNKNOWN", new=str(unknown)),))


def _error(task_id: str, error: MLPipeError) -> PlannedStep:
    return PlannedStep(task_id=task_id, outcome="execute", reasons=(Reason(code="ERROR", new=str(error)),))
