"""Reuse for any operator: ``pre_execute=reuse_unchanged(...)``.

The same journey for an operator that is not ours - a BashOperator, a SQL, Spark or Databricks operator, a ``@task``, a
mapped task: fingerprint, look up, and either end as a success with the XComs of the original, or go on, and record the
result when the operator has succeeded.  The hook installs that second half itself.

Known limits: outputs are data that the operator writes where it likes, so they are named by DataReference and
identified, not kept; and an operator that defers itself holds its lease only until ``[mlpipe] lease_seconds`` after
it deferred.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_mlpipe.errors import DefinitionError, InputChangedError, UncacheableError
from airflow_mlpipe.model.data import DataReference
from airflow_mlpipe.model.records import Producer, Reason, ReuseRecord, StepRun
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.operators import tell
from airflow_mlpipe.operators.hooked import HookOptions, fingerprint_hooked, identities, question_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.operators.decide import Execute, Reused, Wait

_RESUME = "mlpipe_resume"
_NOT_SUCCESS = ("on_failure_callback", "on_retry_callback", "on_skipped_callback")


def reuse_unchanged(
    *,
    inputs: Sequence[DataReference] = (),
    outputs: Sequence[DataReference] = (),
    params: Sequence[str] = (),
    version: str | None = None,
    ignore_fields: Sequence[str] = (),
    reuse: Reuse | None = None,
) -> ReuseHook:
    """Make a ``pre_execute`` hook that lets an operator end as a success when nothing changed.

    The fingerprint is made of the operator's class, its rendered template fields, the source of a ``python_callable``
    (with what it names in its file, and what its file imports beside it), and what is given here.

    :param inputs: data that the operator reads; what it gets through XCom counts already, by its template fields.
    :param outputs: data that the operator writes; a hit needs them to be as they were recorded.
    :param params: names of run parameters that count, besides those that the rendered fields show.
    :param version: a free tag: change it to say "this means something else now".
    :param ignore_fields: template fields that do not count.
    :param reuse: the policy; ``reuse.ignore`` is about ``params``.
    :raises DefinitionError: for data that are no DataReference.
    """
    for name, given in (("inputs", inputs), ("outputs", outputs)):
        for data in given:
            if not isinstance(data, DataReference):
                raise DefinitionError("not a DataReference", where=f"reuse_unchanged({name})", given=data)
    policy = reuse or Reuse()
    if version is not None:
        policy = replace(policy, version=version)
    return ReuseHook(tuple(inputs), tuple(outputs), tuple(params), frozenset(ignore_fields), policy)


@dataclass(frozen=True, slots=True)
class ReuseHook(HookOptions):
    """What :func:`reuse_unchanged` returns: called by Airflow before ``execute``, with the context."""

    __name__: str = field(default="reuse_unchanged", init=False)

    def __call__(self, context: Context) -> None:
        """Decide; end the task here on a hit, else let it go on and record its result.

        :raises DownstreamTasksSkipped: Airflow's way to end a task as a success without ``execute``.
        """
        _Journey(self, context).start()


class _Journey:
    """One task instance with the hook."""

    def __init__(self, hook: ReuseHook, context: Context) -> None:
        from airflow_mlpipe.hooks.workspace import Stores
        from airflow_mlpipe.operators.spec import producer_of

        self.hook, self.context = hook, context
        self.task: Any = context["task"]
        self.who: Producer = producer_of(context)
        self.stores: Stores = Stores()
        self.pushed: dict[str, Any] = {}
        self.log = self.task.log

    def start(self) -> None:
        from airflow_mlpipe.operators.decide import Reused, Wait

        resumed = getattr(getattr(self.context["ti"], "_ti_context_from_server", None), "next_method", None)
        if resumed and resumed != _RESUME:
            return  # the operator deferred itself and goes on: the decision was made before
        tell.unfold(self.log.info)
        self.asked = fingerprint_hooked(self.hook, self.task, self.context, self.stores)
        self.key = self.asked.key
        decision = self._decide()
        if isinstance(decision, Reused):
            self._reuse(decision)
        if isinstance(decision, Wait):
            self._wait(decision)
        self._go_on(decision, resumed=bool(resumed))

    # ---- look up -------------------------------------------------------------------------------------------------

    def _decide(self) -> Reused | Execute | Wait:
        from airflow_mlpipe.operators.decide import decide
        from airflow_mlpipe.operators.force import forced_in

        question = question_of(self.hook, self.asked, self.who, self.stores, forced=forced_in(self.context))
        return decide(self.stores.workspace, question)

    def _reuse(self, decision: Reused) -> NoReturn:
        from airflow.sdk.exceptions import DownstreamTasksSkipped

        from airflow_mlpipe.operators.attempt import run_of_reuse
        from airflow_mlpipe.operators.xcoms import push_return_value, push_summary

        record = decision.record
        run = run_of_reuse(self.who, record, decision.remarks, decision.previous)
        self.log.info(tell.reused(run))
        for key, value in record.xcoms.items():
            if key != "return_value":
                self.context["ti"].xcom_push(key=key, value=value)
        push_return_value(self.context, record.xcoms.get("return_value"))
        push_summary(self.context, run)
        self.stores.workspace.runs.put(run)
        self.stores.workspace.usage.touch(record.fingerprint)
        raise DownstreamTasksSkipped(tasks=[])  # type: ignore[no-untyped-call]

    def _wait(self, decision: Wait) -> NoReturn:
        from airflow.sdk.exceptions import TaskDeferred

        from airflow_mlpipe.triggers.lease import LeaseTrigger

        assert self.key is not None  # only a step with a key can find it taken
        seconds = self.stores.settings.wait_seconds
        self.log.info(tell.waiting(decision.busy.owner, seconds))
        trigger = LeaseTrigger(self.key.fingerprint, str(decision.busy.owner), seconds)
        raise TaskDeferred(trigger=trigger, method_name=_RESUME)

    # ---- execute -------------------------------------------------------------------------------------------------

    def _go_on(self, decision: Execute, *, resumed: bool) -> None:
        """Let Airflow execute the operator, and be called again when it has succeeded."""
        self.decision, self.started = decision, time.time()
        self.log.info(tell.executed(decision.reasons))
        if decision.lease is not None:
            decision.lease.start()
        push: Callable[..., Any] = self.context["ti"].xcom_push

        def remember(key: str, value: Any, **more: Any) -> Any:
            self.pushed[key] = value
            return push(key=key, value=value, **more)

        # The instances are Airflow's, made for this one run; what is set here goes with them.
        object.__setattr__(self.context["ti"], "xcom_push", remember)
        if resumed:
            # A waiting task resumes by a method of the operator's; this one begins at the beginning.
            object.__setattr__(self.task, _RESUME, lambda context, event=None: self.task.execute(context))
        after = self.task._post_execute_hook

        def record_then(context: Context, result: Any) -> None:
            if after is not None:
                after(context, result)
            self._record(result)

        object.__setattr__(self.task, "_post_execute_hook", record_then)
        for kind in _NOT_SUCCESS:
            object.__setattr__(self.task, kind, [*getattr(self.task, kind), self._not_recorded])

    def _not_recorded(self, context: Context) -> None:
        """The operator failed, skipped, or wants to be retried: nobody needs to wait for it any longer."""
        if self.decision.lease is not None:
            self.decision.lease.release()
        self.stores.workspace.runs.put(
            StepRun(
                step=self.who,
                fingerprint=self.key.fingerprint if self.key else None,
                decision="failed",
                reasons=self.decision.reasons,
                seconds=time.time() - self.started,
                started=self.started,
            )
        )

    def _record(self, result: Any) -> None:
        from airflow_mlpipe.operators.xcoms import push_summary

        decision, seconds = self.decision, time.time() - self.started
        pushed = dict(self.pushed)
        reasons = decision.reasons
        try:
            if self.key is not None:
                reasons += self._publish(pushed, result, seconds)
        finally:
            if decision.lease is not None:
                decision.lease.release()
        run = StepRun(
            step=self.who,
            fingerprint=self.key.fingerprint if self.key else None,
            decision="executed",
            reasons=reasons,
            seconds=seconds,
            started=self.started,
            previous=decision.previous.fingerprint if decision.previous else None,
        )
        push_summary(self.context, run)
        self.stores.workspace.runs.put(run)

    def _publish(self, pushed: Mapping[str, Any], result: Any, seconds: float) -> tuple[Reason, ...]:
        """Record the result; what stands against it is returned as a reason and told in the log, never an error."""
        from airflow_mlpipe.fingerprint.canonical import plain

        assert self.key is not None
        fingerprint = self.key.fingerprint
        # Also where no result is recorded: the next run's reasons compare with this one.
        self.stores.workspace.keys.put(fingerprint, self.key.to_json())
        if self.hook.reuse.policy == "never":
            return ()
        try:
            xcoms = {k: plain(v, path=f"xcom.{k}") for k, v in pushed.items()}
            if result is not None and self.task.do_xcom_push:
                xcoms["return_value"] = _json_or_refuse(result)
            if identities(self.hook, self.stores) != self.asked.inputs:
                raise InputChangedError("an input changed while the operator ran")
            outputs = tuple(self._output(data, fingerprint) for data in self.hook.outputs)
        except UncacheableError as error:
            self.log.warning("the result is not recorded: %s", error)
            return (Reason(code="UNCACHEABLE", subject=error.path, new=error.type_name),)
        except InputChangedError as error:
            self.log.warning("the result is not recorded: %s", error)
            return (Reason(code="INPUT_CHANGED_DURING_RUN"),)
        record = ReuseRecord(
            fingerprint=fingerprint,
            producer=self.who,
            outputs=outputs,
            xcoms=xcoms,
            started=self.started,
            seconds=seconds,
        )
        self.stores.workspace.records.publish(record, replace=self.decision.replace)
        return ()

    def _output(self, data: DataReference, fingerprint: str) -> OutputReference:
        from airflow_mlpipe.runtime.identify import identify_data

        found = identify_data(data, self.stores)
        return OutputReference(
            name=data.name,
            kind="file" if found.kind == "file" else "folder",
            digest=found.digest,
            identity=found.digest,
            datastore=data.datastore.spelling,
            uri=self.stores.datastore(data.datastore).uri(data.path.rstrip("/")) if data.path else data.datastore.name,
            size=found.size,
            files=found.files,
            fingerprint=fingerprint,
            dag_id=self.who.dag_id,
            task_id=self.who.task_id,
            run_id=self.who.run_id,
        )


def _json_or_refuse(result: Any) -> Any:
    """A returned value that can be returned again exactly.  :raises UncacheableError: for any other."""
    from airflow_mlpipe.fingerprint.canonical import plain

    value = plain(result, path="return_value")
    if value != result and not isinstance(result, tuple):
        raise UncacheableError("return_value", result, fix="return plain values, or a reference")
    return value
