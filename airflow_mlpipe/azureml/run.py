"""PipelineRun and StepRun: a run as v1 scripts ask it, wherever it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.streaming import StepOutput
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment.errors import RunFailedError, UsageError, WaitTimeoutError
from airflow_mlpipe.experiment.records import StepStatus

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.experiment import Experiment
    from airflow_mlpipe.azureml.pipeline import Pipeline
    from airflow_mlpipe.model.reference import OutputReference

ActivityFailedException = RunFailedError

_RUN_STATES = {"queued": "Queued", "running": "Running", "success": "Finished", "failed": "Failed"}
_STEP_STATES = {
    "none": "NotStarted",
    "scheduled": "NotStarted",
    "queued": "Queued",
    "success": "Finished",
    "failed": "Failed",
    "upstream_failed": "Canceled",
    "removed": "Canceled",
    "skipped": "Bypassed",
}
_FOREVER = sys.maxsize


class PipelineRun:
    """A run of a pipeline.

    :ivar id: the DAG run's id.
    """

    def __init__(self, experiment: Experiment, pipeline: Pipeline, run: Any) -> None:
        self.experiment = experiment
        self.pipeline = pipeline
        self._run = run
        self._canceled = False

    @property
    def id(self) -> str:
        """The DAG run's id."""
        return str(self._run.run_id)

    @property
    def status(self) -> str:
        """See :meth:`get_status`."""
        return self.get_status()

    def get_status(self) -> str:
        """Queued, Running, Finished, Failed, or Canceled if :meth:`cancel` was called."""
        state = _RUN_STATES.get(self._run.get_status().state, "NotStarted")
        return "Canceled" if state == "Failed" and self._canceled else state

    def get_portal_url(self) -> str:
        """The run's page in Airflow; of a local run, its log."""
        return str(self._run.url)

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = _FOREVER, raise_on_error: bool = True
    ) -> str:
        """Wait until the run ends; its status.

        :param show_output: show how the steps get on, and what they write.
        :param timeout_seconds: when the time is over, it stops waiting, and the run goes on.
        :raises RunFailedError: when the run failed, after the last lines of the failed steps were shown.
        """
        patience = None if timeout_seconds >= _FOREVER else timeout_seconds
        shown = StepOutput(sys.stdout, self._lines, live=self._is_local) if show_output else False
        try:
            self._run.wait_for_completion(show_output=shown, timeout_seconds=patience, raise_on_error=raise_on_error)
        except WaitTimeoutError as error:
            sys.stdout.write(f"{error}\n")
        except RunFailedError as error:
            self._explain(error, steps=not show_output)
            raise
        return self.get_status()

    @property
    def _is_local(self) -> bool:
        return hasattr(self._run, "folder")

    def _lines(self, step: StepStatus, most: int) -> list[str]:
        found: list[str] = self._run.get_log_tail(step, lines=most)
        return found

    def _explain(self, error: RunFailedError, *, steps: bool) -> None:
        for step in error.steps[:5] if steps else ():
            lines = "\n".join(f"  {line}" for line in self._run.get_log_tail(step))
            sys.stdout.write(f"{step.name} failed; its last lines:\n{lines}\n")
        if not error.steps and self._is_local:
            lines = "\n".join(f"  {line}" for line in self._run.get_log_tail())
            sys.stdout.write(f"no step of the run failed; its last lines:\n{lines}\n")

    def get_steps(self) -> list[StepRun]:
        """The runs of its steps, those first that others wait for."""
        names = {task_id: name for name, ids in self.pipeline.task_ids.items() for task_id in ids}
        return [StepRun(self, names.get(s.task_id, s.task_id), s) for s in self._run.get_steps()]

    get_children = get_steps

    def find_step_run(self, name: str) -> list[StepRun]:
        """The runs of the steps of this name (v1's, or the task's id)."""
        return [step for step in self.get_steps() if name in (step.name, step.task_id)]

    def get_pipeline_output(self, pipeline_output_name: str) -> PortDataReference:
        """The output of that ``pipeline_output_name``.

        :raises DefinitionError: when the pipeline has none. :raises UsageError: when it is not there (yet).
        """
        named = self.pipeline.pipeline_outputs
        if pipeline_output_name not in named:
            raise DefinitionError(
                "the pipeline has no such output",
                where=f"DAG {self._run.dag_id!r}",
                given=pipeline_output_name,
                valid=sorted(named) or "no output has a pipeline_output_name",
            )
        task_id, output = named[pipeline_output_name]
        return PortDataReference(self._run.get_output(task_id, output))

    def get_metrics(self, name: str | None = None, recursive: bool = False, **others: Any) -> dict[str, Any]:
        """The metrics of its steps: together, or with ``recursive`` by the id of each step's run, as in v1.

        Programs log to their own step; where two steps log one name, the later step's value counts.

        :raises MLPipeError: when the workspace cannot be read from this machine.
        """
        found = {step.id: step.get_metrics(name) for step in self.get_steps()}
        if recursive:
            return found
        return {key: value for metrics in found.values() for key, value in metrics.items()}

    def get_details(self) -> dict[str, Any]:
        """What is known of it."""
        status = self._run.get_status()
        return {"runId": self.id, "status": self.get_status(), "pipeline": status.dag_id, "conf": dict(status.conf)}

    def get_graph(self) -> dict[str, list[str]]:
        """The tasks that each task leads to."""
        return self.pipeline.graph

    def cancel(self) -> None:
        """End it."""
        self._canceled = True
        self._run.cancel()

    def publish_pipeline(self, name: str | None = None, *others: Any, **more: Any) -> Any:
        """See :meth:`Pipeline.publish`."""
        return self.pipeline.publish(name)

    def __repr__(self) -> str:
        return f"PipelineRun({self._run.dag_id!r}, {self.id!r})"


class StepRun:
    """What a step did in a run, as of when it was asked for.

    :ivar name: the step's, as v1 has it. :ivar task_id: the task's.
    """

    def __init__(self, parent: PipelineRun, name: str, status: StepStatus) -> None:
        self.parent = parent
        self.name = name
        self.task_id = status.task_id
        self._status = status

    @property
    def id(self) -> str:
        """Of the run and the step."""
        return f"{self.parent.id}/{self._status.name}"

    @property
    def status(self) -> str:
        """See :meth:`get_status`."""
        return self.get_status()

    def get_status(self) -> str:
        """NotStarted, Queued, Running, Finished, Failed, Canceled, or Bypassed."""
        return _STEP_STATES.get(self._status.state, "Running")

    @property
    def is_reused(self) -> bool:
        """Whether its result is another run's."""
        return bool(self._status.outcome and self._status.outcome.decision == "reused")

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it executed."""
        return self._status.outcome.reasons if self._status.outcome else ()

    @property
    def properties(self) -> dict[str, str]:
        """v1's names for the origin of a reused result."""
        outcome = self._status.outcome
        if outcome is None or not self.is_reused:
            return {}
        return {"azureml.isreused": "true", "azureml.reusedrunid": str(outcome.origin)}

    def get_metrics(self, name: str | None = None, **others: Any) -> dict[str, Any]:
        """The metrics of its result, of a reused one too.

        :raises MLPipeError: when the workspace cannot be read from this machine.
        """
        outcome = self._status.outcome
        if outcome is None or outcome.fingerprint is None or outcome.decision not in ("executed", "reused"):
            return {}
        from airflow_mlpipe.hooks.workspace import open_workspace

        record = open_workspace().records.get(outcome.fingerprint)
        return {k: v for k, v in (record.metrics if record else {}).items() if name in (None, k)}

    def get_output_data(self, name: str) -> PortDataReference:
        """An output.  :raises UsageError: when the step has published none of this name (yet)."""
        return PortDataReference(self._reference(name))

    def get_outputs(self) -> dict[str, PortDataReference]:
        """The outputs that were published."""
        step = next(s for s, t in self.parent.pipeline._built.task_ids.items() if t == self.task_id)
        found = {}
        for name in step.outputs:
            try:
                found[name] = PortDataReference(self._reference(name))
            except UsageError:
                continue
        return found

    def _reference(self, name: str) -> OutputReference:
        found: OutputReference = self.parent._run.get_output(self.task_id, name, map_index=self._status.map_index)
        return found

    def get_job_log(self) -> str:
        """The end of its log."""
        return "\n".join(self.parent._run.get_log_tail(self._status, lines=1000))

    get_stdout_log = get_job_log

    def wait_for_completion(
        self, show_output: bool = True, timeout_seconds: float = _FOREVER, raise_on_error: bool = True
    ) -> str:
        """Wait for the whole run; the step's status then."""
        self.parent.wait_for_completion(show_output, timeout_seconds, raise_on_error)
        (self._status,) = (s for s in self.parent._run.get_steps() if s.name == self._status.name)
        return self.get_status()

    def __repr__(self) -> str:
        return f"StepRun({self.name!r}, {self.get_status()!r})"


class RunDetails:
    """v1's widget of a notebook: here a line for each step."""

    def __init__(self, run_instance: Any) -> None:
        self._run = run_instance

    def show(self, **others: Any) -> None:
        """Write what is known now."""
        if isinstance(self._run, PipelineRun):
            steps = "".join(f"\n  {step.name}: {step.get_status()}" for step in self._run.get_steps())
            sys.stdout.write(f"{self._run.id}: {self._run.get_status()}{steps}\n")


class PortDataReference:
    """An output of a run that ended.

    :ivar uri: where it is.
    """

    def __init__(self, reference: OutputReference) -> None:
        self.reference = reference
        self.name = reference.name
        self.uri = reference.uri

    def download(self, local_path: str, overwrite: bool = False, show_progress: bool = False, **others: Any) -> int:
        """Write the output below a local folder; the number of files.

        :raises DefinitionError: for a file with other bytes that is there, without ``overwrite``.
        """
        from airflow_mlpipe.fingerprint.digest import digest_file
        from airflow_mlpipe.hooks.workspace import Stores

        reference, contents = self.reference, Stores().contents(self.reference.datastore)
        target = Path(local_path)
        if reference.kind == "file":
            files = [(target / (reference.filename or reference.name), reference.digest)]
        else:
            entries = contents.walk(reference.digest)
            files = [(target / path, str(entry.digest)) for path, entry in entries if entry.kind == "file"]
        for path, digest in files:
            if path.exists():
                if path.is_file() and digest_file(path) == digest:
                    continue
                if not overwrite:
                    raise DefinitionError(
                        "another file is there already", where="download", given=str(path), fix="say overwrite=True"
                    )
                path.unlink()
            path.parent.mkdir(parents=True, exist_ok=True)
            contents.fetch(digest, path)
        return len(files)

    def __repr__(self) -> str:
        return f"PortDataReference({self.name!r}, {self.uri!r})"
