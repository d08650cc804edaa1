"""What would run now: the decision of every step of a DAG, made without running anything.

Steps are visited in the order of their dependencies.  A step whose inputs are known - they existed before, or come from
a step that would be reused - is decided exactly; one that takes the output of a step that would execute *depends*: with
the same bytes as last time it would be reused, with others it would execute.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.records import Producer, Reason, ReuseRecord

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.operators.attempt import Fingerprinted
    from airflow_mlpipe.operators.base import StepOperator

Outcome = Literal["reuse", "execute", "depends", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """What one step would do.

    :param outcome: ``unknown``: a mapped step (its instances are known at run time only), an operator that is not a
        step, or one whose fingerprint cannot be made now; ``reasons`` says which.
    :param saved: seconds that its reuse would save. :param waits_for: the steps whose new outputs it depends on.
    """

    task_id: str
    outcome: Outcome
    reasons: tuple[Reason, ...] = ()
    saved: float = 0.0
    waits_for: tuple[str, ...] = ()


def plan_dag(dag: DAG, conf: Mapping[str, Any] | None = None, *, stores: Stores | None = None) -> list[PlannedStep]:
    """Plan a run of a DAG.

    :param conf: the run's conf: parameters, and what it forces.
    :raises ParamValidationError: Airflow's, for a parameter that is not valid.
    """
    from airflow_mlpipe.hooks.workspace import Stores

    plan = _Plan(dag, dict(conf or {}), stores or Stores())
    order = dag.topological_sort()  # type: ignore[no-untyped-call]
    return [plan.visit(task) for task in order if hasattr(task, "task_id")]


class _Plan:
    def __init__(self, dag: DAG, conf: dict[str, Any], stores: Stores) -> None:
        self.dag, self.conf, self.stores = dag, conf, stores
        self.environment = dag.get_template_env()
        # Airflow compiles a template each time that it renders it; a plan has many steps with few templates.
        self.environment.from_string = lru_cache(self.environment.from_string)  # type: ignore[method-assign,assignment]
        self.params: dict[str, dict[str, Any]] = {}
        self.known: dict[str, ReuseRecord] = {}
        self.planned: dict[str, PlannedStep] = {}

    def visit(self, task: Any) -> PlannedStep:
        from airflow_mlpipe.operators.base import StepOperator

        if isinstance(task, StepOperator):
            try:
                step = self._step(task)
            except MLPipeError as error:
                step = PlannedStep(
                    task_id=task.task_id, outcome="execute", reasons=(Reason(code="ERROR", new=str(error)),)
                )
        else:
            what = "a mapped step is decided instance by instance" if task.is_mapped else "not a step"
            step = PlannedStep(task_id=task.task_id, outcome="unknown", reasons=(Reason(code="UNKNOWN", new=what),))
        self.planned[task.task_id] = step
        return step

    def _step(self, task: StepOperator) -> PlannedStep:
        from airflow_mlpipe.operators.attempt import is_gone
        from airflow_mlpipe.operators.decide import Question, Reused, look_up
        from airflow_mlpipe.operators.force import forced_by

        forced = forced_by(
            self.conf, task.task_id, upstream=task.get_flat_relative_ids(upstream=True), all_tasks=self.dag.task_ids
        )
        waits = self._waits_for(task)
        if waits and forced is None:
            return PlannedStep(task_id=task.task_id, outcome="depends", waits_for=waits)
        if waits:
            return PlannedStep(
                task_id=task.task_id, outcome="execute", reasons=(Reason(code="FORCED", new=f"by {forced}"),)
            )
        who = Producer(dag_id=self.dag.dag_id, task_id=task.task_id, run_id="plan")
        found = self.fingerprinted(task, who)
        question = Question(
            step=who,
            key=found.key,
            reuse=task.reuse,
            forced=forced,
            uncacheable=found.uncacheable,
            gone=lambda output: is_gone(output, self.stores),
        )
        decision = look_up(self.stores.workspace, question)
        if isinstance(decision, Reused):
            self.known[task.task_id] = decision.record
            return PlannedStep(
                task_id=task.task_id, outcome="reuse", reasons=decision.remarks, saved=decision.record.seconds
            )
        return PlannedStep(task_id=task.task_id, outcome="execute", reasons=decision.reasons)

    def fingerprinted(self, task: StepOperator, who: Producer) -> Fingerprinted:
        """A step whose inputs are known, with its key."""
        from airflow_mlpipe.operators.attempt import fingerprint
        from airflow_mlpipe.operators.spec import resolve

        context = self._context(task, who)
        resolved = resolve(self._rendered(task, context), context, self.stores.workspace.salt, self.stores.cache)
        return fingerprint(resolved, self.stores)

    def _waits_for(self, task: StepOperator) -> tuple[str, ...]:
        from airflow.sdk import XComArg

        fields = (task.arguments, task.inputs, task.resource_inputs, task.parameters)
        sources = {op.task_id for field in fields for op, _ in XComArg.iter_xcom_references(field)}
        return tuple(sorted(s for s in sources if s not in self.known))

    def _rendered(self, task: StepOperator, context: Any) -> StepOperator:
        """A copy with its templates rendered and its edges replaced by the references of upstream's records."""
        twin = copy(task)
        for name in task.template_fields:
            value = self._rendered_value(twin, self._resolved(getattr(task, name)), context)
            object.__setattr__(twin, name, value)
        return twin

    def _rendered_value(self, task: StepOperator, value: Any, context: Any) -> Any:
        if isinstance(value, list):
            return [self._rendered_value(task, v, context) for v in value]
        if isinstance(value, dict):
            return {k: self._rendered_value(task, v, context) for k, v in value.items()}
        if isinstance(value, str) and "{" not in value and not value.endswith("\n"):
            return value  # what Airflow renders it to; to compile it as a template takes longer than all the rest
        return task.render_template(value, context, self.environment)

    def _resolved(self, value: Any) -> Any:
        from airflow.sdk import XComArg

        from airflow_mlpipe.operators.xcoms import output_value, return_value

        if isinstance(value, XComArg):
            operator, key = next(iter(value.iter_references()))
            record = self.known[operator.task_id]
            if key == "return_value":
                return return_value(record)
            return output_value(record, key)
        if isinstance(value, list):
            return [self._resolved(v) for v in value]
        if isinstance(value, dict):
            return {k: self._resolved(v) for k, v in value.items()}
        return value

    def _context(self, task: StepOperator, who: Producer) -> Any:
        """As much of a run's context as can be known before there is a run."""
        import pendulum

        now = pendulum.now("UTC")
        ti = _PlannedInstance(who)
        return {
            "params": self._params(task),
            "dag": self.dag,
            "task": task,
            "ti": ti,
            "task_instance": ti,
            "run_id": who.run_id,
            "dag_run": _PlannedRun(self.conf, who.run_id),
            "ds": now.to_date_string(),
            "ds_nodash": now.format("YYYYMMDD"),
            "ts": now.isoformat(),
            "logical_date": now,
        }

    def _params(self, task: StepOperator) -> dict[str, Any]:
        """The run's parameters, checked; most steps have none of their own, and what was checked once serves all."""
        from airflow.sdk.definitions.param import ParamsDict

        merged: dict[str, Any] = {**dict(self.dag.params.items()), **dict(task.params.items())}  # type: ignore[no-untyped-call]
        declared = repr([(name, param.value, param.schema) for name, param in merged.items()])
        if declared not in self.params:
            params = ParamsDict(merged, suppress_exception=False)
            params.update({k: v for k, v in self.conf.items() if k in params})
            self.params[declared] = params.validate()
        return self.params[declared]


class _PlannedInstance:
    """The parts of a task instance that a step looks at."""

    def __init__(self, who: Producer) -> None:
        self.dag_id, self.task_id, self.run_id = who.dag_id, who.task_id, who.run_id
        self.map_index, self.try_number = who.map_index, who.try_number


@dataclass(frozen=True, slots=True)
class _PlannedRun:
    """The parts of a DAG run that a template looks at."""

    conf: Mapping[str, Any]
    run_id: str
