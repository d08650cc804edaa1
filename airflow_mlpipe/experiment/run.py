"""A run of a DAG that is followed from here: Run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_mlpipe.experiment.api import AirflowApi, path
from airflow_mlpipe.experiment.errors import ApiError, RunFailedError, UsageError
from airflow_mlpipe.experiment.log import last_lines
from airflow_mlpipe.experiment.records import RunStatus, StepStatus, number_or_none, parse_time
from airflow_mlpipe.model.reference import OutputReference, is_reference

if TYPE_CHECKING:
    from airflow_mlpipe.experiment.progress import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A DAG run.

    :param order: task ids in the order to show them in.
    """

    api: AirflowApi = field(repr=False, compare=False)
    dag_id: str
    run_id: str
    order: tuple[str, ...] = field(default=(), repr=False, compare=False)

    @property
    def url(self) -> str:
        """The run's page in the UI."""
        return f"{self.api.url}/dags/{quote(self.dag_id, safe='')}/runs/{quote(self.run_id, safe='')}"

    def resource(self, *segments: object) -> str:
        """The run's path, or that of a part of it, in the REST API."""
        return path("dags", self.dag_id, "dagRuns", self.run_id, *segments)

    def get_status(self) -> RunStatus:
        """The run's state.  :raises ApiError: when the API refuses."""
        found = self.api.get(self.resource())
        return RunStatus(
            dag_id=self.dag_id,
            run_id=self.run_id,
            state=str(found.get("state")),
            started=parse_time(found.get("start_date")),
            seconds=number_or_none(found.get("duration")),
            conf=found.get("conf") or {},
            url=self.url,
        )

    def get_steps(self) -> list[StepStatus]:
        """Every task instance, with what it decided.  :raises ApiError: when the API refuses."""
        from airflow_mlpipe.experiment.watch import Watcher

        return list(Watcher(self).steps())

    def wait_for_completion(
        self,
        *,
        show_output: bool | Reporter = True,
        timeout_seconds: float | None = None,
        raise_on_error: bool = True,
    ) -> RunStatus:
        """Wait until the run ends.

        :param show_output: show progress on stdout: a live table on a terminal, a line for each change elsewhere.
        :param timeout_seconds: how long to wait; ``None`` for as long as it takes.
        :param raise_on_error: raise when the run ends as anything else than success.
        :raises WaitTimeoutError: when the time is over; the run goes on.
        :raises RunFailedError: when the run failed. :raises ApiError: when the API refuses.
        """
        from airflow_mlpipe.experiment.progress import Silent, reporter_for
        from airflow_mlpipe.experiment.watch import watch

        if isinstance(show_output, bool):
            show_output = reporter_for() if show_output else Silent()
        last = watch(self, show_output, timeout_seconds=timeout_seconds)
        if raise_on_error and last.run.state != "success":
            raise RunFailedError(last.run, last.failed)
        return last.run

    def get_output(self, step: str, name: str, *, map_index: int = -1) -> OutputReference:
        """An output that a step published.

        :param map_index: which instance of a mapped step.
        :raises UsageError: when the step has published no such output (yet).
        """
        try:
            value = self.get_xcom(step, name, map_index=map_index)
        except ApiError as error:
            if error.status != 404:
                raise
            value = None
        if not is_reference(value):
            raise UsageError(
                "the step has published no such output", where=f"{self.dag_id}/{self.run_id}/{step}", given=name
            )
        return OutputReference.from_json(value)

    def get_xcom(self, step: str, key: str, *, map_index: int = -1) -> Any:
        """An XCom's value.  :raises ApiError: when it is not there (``status`` 404)."""
        value = self.api.get(self.resource("taskInstances", step, "xcomEntries", key), map_index=map_index).get("value")
        if isinstance(value, str) and value[:1] in '{["':
            # Values that reached the database by another way than a worker are JSON text there.
            try:
                return json.loads(value)
            except ValueError:
                return value
        return value

    def get_log_tail(self, step: StepStatus, *, lines: int = 20) -> list[str]:
        """The last lines of a task instance's log, each once; empty when the deployment has none to show.

        What Airflow writes before a task starts is left out.
        """
        where = self.resource("taskInstances", step.task_id, "logs", max(step.try_number, 1))
        try:
            answer = self.api.get(where, map_index=step.map_index, full_content=True)
        except ApiError:
            # The log explains a failure that is being reported already; that it is not to be had must not hide it.
            return []
        return last_lines(answer.get("content") or (), lines)

    def cancel(self) -> None:
        """End the run as failed; Airflow ends the tasks that are running.  :raises ApiError: when the API refuses."""
        self.api.patch(self.resource(), {"state": "failed"})
