"""The journey of a step, written out from top to bottom.

``__init__`` is the author's part, while the DAG file is parsed.  ``pre_execute`` fingerprints and decides, in the
worker, before any work is started: a reused step ends there, as a success, with the XComs of the original.
``execute`` stages, runs, verifies and publishes, and returns references.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped, TaskDeferred

from airflow_mlpipe.errors import InputChangedError, MLPipeError, Terminal
from airflow_mlpipe.lineage import Lineage, VersionedData
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.model.environment import Environment, Secret
from airflow_mlpipe.model.records import Reason, ReuseRecord, StepRun
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import CodeMode
from airflow_mlpipe.operators import tell
from airflow_mlpipe.operators.assets import asset_outlets, publish_assets
from airflow_mlpipe.operators.definition import (
    check_argument_ports,
    check_compute,
    check_files,
    check_types,
    effective_reuse,
)
from airflow_mlpipe.operators.edges import edges_of
from airflow_mlpipe.operators.links import OriginLink
from airflow_mlpipe.operators.mapped import StepPartial
from airflow_mlpipe.operators.output_arg import OutputArg, OutputArgs
from airflow_mlpipe.operators.placement import placed
from airflow_mlpipe.operators.ports import Inputs, Port, check_outputs, plain_arguments
from airflow_mlpipe.operators.program import Said
from airflow_mlpipe.operators.xcoms import mappable, push_outputs, push_return_value, push_summary, return_value

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.sdk import Context

    from airflow_mlpipe.fingerprint.functions import FunctionCode
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.model.step import Argument
    from airflow_mlpipe.operators.again import Again
    from airflow_mlpipe.operators.attempt import Fingerprinted
    from airflow_mlpipe.operators.decide import Decision, Execute, Reused, Wait
    from airflow_mlpipe.runtime.job import Job


class StepOperator(Lineage, BaseOperator):
    """What all steps have in common; use :class:`ScriptStep` or :class:`CommandStep`.

    Purpose: one Airflow task with declared inputs, outputs, arguments, environment and compute, that is not executed
    again when nothing that determines its result has changed.

    How it works: see the module's docstring, or ``docs/concepts.md``.

    What it does not do: it looks into no shell string and into no data that was not declared.

    :param arguments: of the program, a list; an item is text (may be a Jinja template), a number, a bool, a path, or a
        data object, which the program receives as a local path.
    :param inputs: a list of data objects, or a dict of port name to data object or list of data objects.
    :param outputs: the :class:`PipelineData` that the program writes.
    :param parameters: values that the program finds in the JSON file ``MLPIPE_PARAMS``; may be templates.
    :param source_directory: folder of the code, relative to the DAG file.
    :param script_name: the script in it.
    :param include: patterns of further files that the program reads from the source folder.
    :param code: which files count: ``"closure"`` (the script and what it imports), ``"directory"``, ``"version"``.
    :param environment: what the code runs in. :param compute_target: where; ``"local"`` is the Airflow worker.
    :param resources: how much of a machine it needs.
    :param reuse: the policy; ``allow_reuse=False`` is short for ``Reuse(policy="never")``.
    :param resource_inputs: data that lie beside the code when the program starts: a file under its own name, a folder
        of another step under its port's.
    :param secrets: by name, the :class:`Secret` whose value the program finds in the file ``MLPIPE_SECRET_<NAME>``.
    :param deferrable: whether the triggerer, and no worker, waits for a program that goes on by itself; by default
        Airflow's ``[operators] default_deferrable``.
    :param sorted_listings: whether a Python program sees directory listings in sorted order.
    :raises DefinitionError: for every mistake that can be seen in the DAG file.
    """

    template_fields: Sequence[str] = ("arguments", "parameters", "inputs", "resource_inputs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "arguments": "json",
        "parameters": "json",
        "inputs": "json",
        "resource_inputs": "json",
    }
    operator_extra_links = (OriginLink(),)
    ui_color = "#e8f4ea"
    kind = "step"
    runs_program: ClassVar[bool] = True
    exclusive_in: ClassVar[str] = "executes the same fingerprint"

    output_data: tuple[PipelineData, ...]
    arguments: Any
    parameters: Any
    inputs: list[Port]
    resource_inputs: list[Port]
    raw_arguments: Any
    raw_parameters: Any
    source_directory: str | None
    script_name: str | None
    code: CodeMode
    include: tuple[str, ...]
    environment: Environment | None
    compute_target: str
    step_resources: Resources | None
    reuse: Reuse
    secrets: Mapping[str, Secret] | None
    deferrable: bool | None
    sorted_listings: bool

    def __init__(
        self,
        *,
        arguments: Sequence[Any] | None = None,
        command: Sequence[Any] | None = None,
        inputs: Any = None,
        outputs: Sequence[PipelineData] | None = None,
        parameters: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        script_name: str | None = None,
        include: Sequence[str] = (),
        code: CodeMode | None = None,
        environment: Environment | None = None,
        compute_target: str = "local",
        resources: Resources | None = None,
        reuse: Reuse | None = None,
        allow_reuse: bool = True,
        resource_inputs: Any = None,
        secrets: Mapping[str, Secret] | None = None,
        deferrable: bool | None = None,
        sorted_listings: bool = True,
        outlets: Any = None,
        **kwargs: Any,
    ) -> None:
        # Airflow wraps each constructor in an operator's line and copies the DAG's parameters in it: here is one only.
        where = f"step {kwargs.get('task_id')!r}"
        said = Said(arguments, command, script_name, source_directory, code)
        program = self.complete(said, where=where)
        output_data = check_outputs(outputs, where=where)
        kwargs |= placed(compute_target, resources, kwargs, where=where)
        super().__init__(outlets=asset_outlets(outlets, output_data), **kwargs)
        collected, resource = Inputs(where), Inputs(where)
        collected.add_all(inputs)
        resource.add_all(resource_inputs)
        plain = plain_arguments(program.arguments, collected, output_data, where=where)
        own = dict(parameters) if isinstance(parameters, Mapping) else parameters
        # At once, past BaseOperator.__setattr__, which does a lot for each attribute of each step of each parse.
        vars(self).update(
            output_data=output_data,
            arguments=plain,
            raw_arguments=plain,
            parameters=own,
            raw_parameters=own,
            inputs=collected.ports,
            resource_inputs=resource.ports,
            source_directory=program.source_directory,
            script_name=program.script_name,
            code=program.code,
            include=include if isinstance(include, str) else tuple(include),
            environment=environment,
            compute_target=compute_target,
            step_resources=resources,  # `resources` is an attribute of Airflow's own
            reuse=effective_reuse(reuse, allow_reuse, where=where),
            secrets=secrets,
            deferrable=deferrable,
            sorted_listings=sorted_listings,
        )
        if not getattr(self, "_BaseOperator__from_mapped", False):
            self._register(collected, resource, where)

    @classmethod
    def complete(cls, said: Said, *, where: str) -> Said:
        """What the author said of the program, checked and completed by the kind of step; each kind has its own."""
        raise NotImplementedError

    def definition_file(self, dag_file: str) -> str:
        """The file that the source folder, and what the environment names, are relative to: asked for in the worker."""
        return dag_file

    def environment_file(self, dag_file: str) -> str:
        """The file that the environment's requirements are relative to."""
        return dag_file

    def code_excludes(self) -> tuple[str, ...]:
        """Patterns of what in the source folder is no code, besides its ignore files."""
        return ()

    def take_parameters(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """The rendered parameters as they count; a kind may check them here."""
        return parameters

    def own_command(self, inputs: Iterable[str], parameters: Mapping[str, Any]) -> tuple[Argument, ...] | None:
        """The arguments of a kind that makes them of its parameters; ``None``: they are those that the author wrote.

        :param inputs: ports that have data in this run. :param parameters: that count; of what is hashed, those with
            secrets, or that are ignored, are a :class:`Template`.
        """
        return None

    def own_notes(self) -> Iterable[str]:
        """Lines for the log, after the decision, that a kind of step has to say of itself."""
        return ()

    def take_arguments(self) -> None:
        """Called once the step is rendered, before it is looked at; a kind may turn values into inputs here."""

    def read_function(self, cache: Path | None) -> FunctionCode | None:
        """The code of the function that the step calls; ``None`` for a program."""
        return None

    def pushed_outputs(self) -> tuple[str, ...]:
        """Names of the outputs that have an XCom of their own."""
        return tuple(o.name for o in self.output_data)

    def _register(self, inputs: Inputs, resource_inputs: Inputs, where: str) -> None:
        said = vars(self)
        check_types(said, where=where)
        check_compute(said, where=where)
        check_argument_ports(self.arguments, self.inputs, tuple(o.name for o in self.output_data), where=where)
        dag = self.dag if self._in_dag() else None
        edges = edges_of(dag, where=where)
        self.check_files(dag.fileloc if dag else None, where, edges.files)
        edges.produce(self, self.output_data, self.consumer_data())
        edges.consume(self, inputs.pending + resource_inputs.pending)

    def check_files(self, dag_file: str | None, where: str, seen: set[tuple[object, ...]]) -> None:
        """The files that the author names exist; see :func:`~airflow_mlpipe.operators.definition.check_files`."""
        check_files(vars(self), dag_file, where=where, seen=seen)

    def consumer_data(self) -> Mapping[str, PipelineData]:
        """By output, the object that consumers hold, where that is another one than the step's own."""
        return {}

    @classmethod
    def partial(cls, **kwargs: Any) -> StepPartial:
        """Airflow's ``partial``, with the edges and checks of a step."""
        outputs = check_outputs(kwargs.get("outputs"), where=f"step {kwargs.get('task_id')!r}")
        kwargs["outlets"] = asset_outlets(kwargs.get("outlets"), outputs)
        where = f"step {kwargs.get('task_id')!r}"
        kwargs |= placed(kwargs.get("compute_target"), kwargs.get("resources"), kwargs, where=where)
        stock = super().partial(**kwargs)
        stock._expand_called = True  # it is replaced by ours, and would warn that it was never mapped
        return StepPartial(operator_class=cls, kwargs=stock.kwargs, params=stock.params)

    def _in_dag(self) -> bool:
        return bool(self.has_dag())  # type: ignore[no-untyped-call]

    @property
    def outputs(self) -> Mapping[str, OutputArg]:
        """The outputs by name, to be passed on as another step's input."""
        return OutputArgs.of(self, {o.name: o.name for o in self.output_data})

    def resolve_template_files(self) -> None:
        """Called by Airflow on every task once it has the whole DAG: the moment to miss an input's producer."""
        super().resolve_template_files()
        if self._in_dag():
            edges_of(self.dag, where=f"step {self.task_id!r}").check()

    def _do_render_template_fields(self, *args: Any, **kwargs: Any) -> None:
        """Airflow's, with values of the XCom backend left as the references that they are.

        Airflow comes here for mapped tasks, too; to ``render_template_fields`` it does not.
        """
        from airflow_mlpipe.hooks.values import as_references

        with as_references():
            super()._do_render_template_fields(*args, **kwargs)

    # ---- in the worker, and in a plan ----------------------------------------------------------------------------

    def look(self, context: Context, stores: Stores, say: Callable[[str], object]) -> Fingerprinted:
        """The rendered step with its inputs looked at, and its key.  Changes nothing: a plan looks, too.

        :param say: gets lines for the task's log.
        :raises InputError: for an input that is missing or cannot be read.
        """
        from airflow_mlpipe.hooks.values import as_references
        from airflow_mlpipe.operators.attempt import fingerprint
        from airflow_mlpipe.operators.spec import resolve

        with as_references():
            resolved = resolve(self, context, stores.workspace.salt, stores.cache)
        return fingerprint(resolved, stores, say)

    def is_gone(self, step: Fingerprinted, output: OutputReference, stores: Stores) -> bool | str:
        """Whether an output that was recorded is missing, or is not what was recorded; a text says in what way."""
        from airflow_mlpipe.operators.attempt import is_gone

        return is_gone(output, stores)

    # ---- in the worker -------------------------------------------------------------------------------------------

    def pre_execute(self, context: Context) -> None:
        """Fingerprint, look up, and end here if the step can be reused."""
        from airflow_mlpipe.hooks.workspace import Stores
        from airflow_mlpipe.operators.decide import Reused, Wait
        from airflow_mlpipe.operators.spec import producer_of

        tell.unfold(self.log.info)
        self._stores = Stores()
        self._who = producer_of(context)
        try:
            self._step = self.look(context, self._stores, self._say)
            decision = self.decided(self._step, context)
        except MLPipeError as error:
            self._fail(error)
        if isinstance(decision, Reused):
            self._reuse(decision, context)
        if isinstance(decision, Wait):
            self._wait(decision)
        self._decision: Execute = decision
        self.log.info(tell.executed(decision.reasons))
        for note in (*self.own_notes(), *(self._step.snapshot.remarks if self._step.snapshot else ())):
            self.log.info("%s", note)

    def decided(self, step: Fingerprinted, context: Context) -> Decision:
        """Reuse, execute, or wait; who executes holds a lease."""
        from airflow_mlpipe.operators.attempt import ask

        return ask(step, context, self._stores)

    def execute(self, context: Context) -> Any:
        """Stage, run, verify, publish; return the program's result, else references to the outputs."""
        return self._execute(context)

    def execute_after_wait(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after a wait: ``pre_execute`` has just decided again, and this time to execute."""
        return self._execute(context)

    def execute_after_program(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the program: ``pre_execute`` has just decided again; what it left is verified and published."""
        self._resumed = str((event or {}).get("since") or "")
        return self._execute(context)

    def lineage_inputs(self) -> Iterable[VersionedData]:
        """See :class:`~airflow_mlpipe.lineage.Lineage`."""
        from airflow_mlpipe.operators.attempt import read_data

        return read_data(self._step, self._stores) if hasattr(self, "_step") else ()

    def lineage_outputs(self) -> Iterable[VersionedData]:
        """See :class:`~airflow_mlpipe.lineage.Lineage`."""
        return [VersionedData(o.uri, o.digest) for o in self._run.outputs] if hasattr(self, "_run") else ()

    def on_kill(self) -> None:
        """Cancel what runs."""
        if (compute := getattr(self, "_compute", None)) is not None:
            compute.cancel()

    # ---- reuse ---------------------------------------------------------------------------------------------------

    def _reuse(self, decision: Reused, context: Context) -> NoReturn:
        from airflow_mlpipe.operators.attempt import run_of_reuse
        from airflow_mlpipe.operators.destinations import export_all

        record = decision.record
        run = run_of_reuse(self._who, record, decision.remarks, decision.previous)
        self.log.info(tell.reused(run))
        for note in self.own_notes():
            self.log.info("%s", note)
        self._run = run
        export_all(self._step.resolved.spec, record, self._stores, self._say)
        push_outputs(context, record, self.pushed_outputs())
        push_return_value(context, return_value(record))
        push_summary(context, run)
        self._stores.workspace.runs.put(run)
        self._stores.workspace.usage.touch(record.fingerprint)
        # Airflow's way to end a task as a success without `execute`.
        raise DownstreamTasksSkipped(tasks=[])  # type: ignore[no-untyped-call]

    # ---- wait ----------------------------------------------------------------------------------------------------

    def _wait(self, decision: Wait) -> NoReturn:
        from airflow_mlpipe.triggers.lease import LeaseTrigger

        seconds = self._stores.settings.wait_seconds
        self.log.info(tell.waiting(decision.busy.owner, seconds, self.exclusive_in))
        trigger = LeaseTrigger(self.lease_name(self._step), str(decision.busy.owner), seconds)
        raise TaskDeferred(trigger=trigger, method_name="execute_after_wait")

    def lease_name(self, step: Fingerprinted) -> str:
        """What no two task instances execute at once; in the form of a fingerprint."""
        assert step.key is not None  # only a step with a key can find it taken
        return step.key.fingerprint

    # ---- execute -------------------------------------------------------------------------------------------------

    def _execute(self, context: Context) -> Any:
        decision, key = self._decision, self._step.key
        started = time.time()
        run = StepRun(
            step=self._who,
            fingerprint=key.fingerprint if key else None,
            decision="running",
            reasons=decision.reasons,
            started=started,
            previous=decision.previous.fingerprint if decision.previous else None,
        )
        workspace = self._stores.workspace
        if key is not None:
            workspace.keys.put(key.fingerprint, key.to_json())  # before the run: `why` explains a failed step, too
        workspace.runs.put(run)
        push_summary(context, run)
        try:
            if decision.lease is None:
                return self._run_and_publish(context, run)
            with decision.lease:
                return self._run_and_publish(context, run)
        except TaskDeferred:
            raise
        except BaseException as error:
            # Whatever ended it - also a time-out or a kill, which are no Exceptions - the step run says "failed".
            failed = self._remember_failure(replace(run, decision="failed", seconds=time.time() - started), error)
            if isinstance(error, MLPipeError):
                push_summary(context, failed)
                self._fail(error)
            raise

    def _run_and_publish(self, context: Context, run: StepRun) -> Any:
        from airflow_mlpipe.operators.attempt import is_deferrable, job_of, recheck, record_of
        from airflow_mlpipe.operators.destinations import export_all
        from airflow_mlpipe.operators.rows import fitting
        from airflow_mlpipe.operators.secrets import secret_values

        step, decision, workspace = self._step, self._decision, self._stores.workspace
        spec = step.resolved.spec
        recorded = step.key is not None and spec.reuse.policy != "never"
        job = job_of(step, self._who, recorded=recorded, secrets=secret_values(spec.secrets))
        self._compute = _compute(spec.compute_target, self._stores, self._say)
        if (since := getattr(self, "_resumed", None)) is not None:
            job = replace(job, resumed=True, log_since=since)
        elif is_deferrable(self.deferrable):
            self._defer_to(job)
        result = self._compute.run(job, lambda: recheck(step, self._stores))
        record = fitting(record_of(job, self._who, result, run.started), self._stores)
        published = workspace.records.publish(record, replace=decision.replace)
        record = published.record
        if not published.won:
            self.log.warning("%s recorded a result of this fingerprint first; it counts", record.producer)
        if record.nondeterministic:
            self.log.warning("this step is not deterministic: two executions of one fingerprint wrote different bytes")
        export_all(spec, record, self._stores, self._say)
        return self._hand_on(context, replace(run, seconds=result.seconds), record)

    def _hand_on(self, context: Context, run: StepRun, record: ReuseRecord) -> Any:
        """What is published becomes known: assets, XComs, the step run; what the task returns."""
        self._run = replace(run, decision="executed", outputs=record.outputs)
        publish_assets(self.output_data, record, self._decision.previous, context)
        push_outputs(context, record, self.pushed_outputs())
        push_summary(context, self._run)
        self._stores.workspace.runs.put(self._run)
        return mappable(self, return_value(record))

    def _defer_to(self, job: Job) -> None:
        """Start the program and let the triggerer wait, if its compute can do so."""
        from airflow_mlpipe.triggers.compute import ComputeTrigger

        handle, lease = self._compute.start(job), self._decision.lease
        if handle is None:
            return
        if lease is not None:
            lease.leave()
        seconds = self._stores.settings.wait_seconds
        self.log.info("the program goes on by itself; the triggerer looks every %g seconds", seconds)
        trigger = ComputeTrigger(self.compute_target, handle, job.same or "", self._who.to_json(), seconds)
        raise TaskDeferred(trigger=trigger, method_name="execute_after_program")

    def _remember_failure(self, run: StepRun, error: BaseException) -> StepRun:
        if isinstance(error, InputChangedError):
            run = replace(run, reasons=(*run.reasons, Reason(code="INPUT_CHANGED_DURING_RUN", new=error.where)))
        try:
            self._stores.workspace.runs.put(run)
        except MLPipeError as second:
            self.log.warning("cannot remember that the step failed: %s", second)
        return run

    def _say(self, line: str) -> None:
        self.log.info(line)

    def _fail(self, error: MLPipeError) -> NoReturn:
        """A mistake that a retry cannot mend ends the task for good; anything else follows the author's retries."""
        if isinstance(error, Terminal):
            raise AirflowFailException(str(error)) from error
        raise error


def _compute(name: str, stores: Stores, say: Callable[[str], object]) -> Again:
    from airflow_mlpipe.compute.find import find_compute
    from airflow_mlpipe.operators.again import Again
    from airflow_mlpipe.operators.attempt import patience_of

    return Again(find_compute(name, stores=stores), patience_of(stores, say))
