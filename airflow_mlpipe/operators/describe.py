"""What a step's compute would be asked for, before anything runs: its container, its pod, its command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import ComputeError, ConfigurationError, DefinitionError
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.model.reference import absent
from airflow_mlpipe.operators.plan import Plan
from airflow_mlpipe.operators.plan_rendering import Rendering
from airflow_mlpipe.operators.planned import Known

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.model.step import StepSpec
    from airflow_mlpipe.runtime.job import PinnedImage

_ATTEMPT = "attempt"
"""Stands for the name that every attempt has of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a compute would be asked for.

    :param compute: its name. :param request: in the words of its engine; no secret is in it.
    :param unknown: steps without a result, whose outputs are left out of the arguments.
    """

    compute: str
    request: Mapping[str, Any]
    unknown: tuple[str, ...] = ()


def describe_step(dag: DAG, task_id: str, conf: Mapping[str, Any], *, stores: Stores) -> Description:
    """Describe one step of a DAG.

    :raises DefinitionError: for a task that is no step of ours, or is mapped.
    """
    from airflow_mlpipe.compute.find import find_compute
    from airflow_mlpipe.hooks.values import as_references
    from airflow_mlpipe.operators.attempt import Fingerprinted, job_of
    from airflow_mlpipe.operators.base import StepOperator
    from airflow_mlpipe.operators.spec import producer_of, resolve

    task: Any = dag.get_task(task_id)
    if not isinstance(task, StepOperator):
        what = "a mapped step has a request for each instance" if task.is_mapped else "the task is no step"
        raise DefinitionError(what, where=f"DAG {dag.dag_id!r}", given=task_id)
    if not task.runs_program:
        raise DefinitionError(
            "the step runs no program: the worker does it all", where=f"DAG {dag.dag_id!r}", given=task_id
        )
    known = _known_or_absent(dag, task, conf, stores)
    rendering = Rendering(dag, conf, known)
    context = rendering.context(task, Producer(dag_id=dag.dag_id, task_id=task_id, run_id="run"))
    with as_references():
        twin = rendering.rendered(task, context, task.template_fields, to_step=True, data=frozenset())
        resolved = resolve(twin, context, stores.workspace.salt, stores.cache)
    image = _pinned(resolved.spec, stores)
    step = Fingerprinted(
        resolved=resolved, snapshot=resolved.snapshot, inputs={}, environment={}, key=None, image=image
    )
    job = job_of(
        step, producer_of(context), recorded=False, secrets=dict.fromkeys(resolved.spec.secrets, ""), attempt=_ATTEMPT
    )
    compute = find_compute(task.compute_target, stores=stores)
    return Description(compute=compute.name, request=compute.describe(job), unknown=tuple(sorted(known.unknown)))


def _pinned(spec: StepSpec, stores: Stores) -> PinnedImage | None:
    """By its digest, if it can be had now."""
    from airflow_mlpipe.compute.find import find_compute
    from airflow_mlpipe.runtime.job import PinnedImage

    if (image := spec.environment.image) is None:
        return None
    try:
        return find_compute(spec.compute_target, stores=stores).pin(image, where=spec.label)
    except (ComputeError, ConfigurationError):
        return PinnedImage(name=image, identity=image, reference=image)


class _KnownOrAbsent(Known):
    """What is not known is absent, as an optional output that was not written."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self._known = known
        self.unknown: set[str] = set()

    def pushed(self, arg: Any) -> Any:
        """See :meth:`Known.pushed`."""
        if missing := self._known.missing(arg):
            self.unknown.update(missing)
            return absent(str(getattr(arg, "key", "value")))
        return self._known.pushed(arg)


def _known_or_absent(dag: DAG, task: Any, conf: Mapping[str, Any], stores: Stores) -> _KnownOrAbsent:
    """The results of what the step depends on."""
    plan = Plan(dag, dict(conf), stores)
    wanted = task.get_flat_relative_ids(upstream=True)
    for one in dag.topological_sort():  # type: ignore[no-untyped-call]
        if getattr(one, "task_id", None) in wanted:
            plan.visit(one)
    return _KnownOrAbsent(plan.known)
