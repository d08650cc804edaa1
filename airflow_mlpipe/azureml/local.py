"""A run on this machine, without a scheduler: a process that executes the DAG of one file, and what it says of itself.

The process (:mod:`~airflow_mlpipe.azureml.runner`) writes ``progress.json`` as the run gets on, and all that is logged
into ``log.txt``.  It uses this machine's Airflow configuration, its workspace, and its metadata database.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment.errors import RunFailedError, UsageError
from airflow_mlpipe.experiment.records import Decision, RunStatus, Snapshot, StepStatus
from airflow_mlpipe.experiment.text import printable
from airflow_mlpipe.model.documents import parse, tag

if TYPE_CHECKING:
    from airflow_mlpipe.experiment.progress import Reporter
    from airflow_mlpipe.model.reference import OutputReference

_OF_AIRFLOW = re.compile(r"\S+Z \[(?:info|debug)\s*\] (?:::|Task instance|\[DAG TEST\])")
"""Lines with which Airflow surrounds what a task logs."""

PROGRESS, REQUEST, LOG = "progress.json", "request.json", "log.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """A run in a process of this machine; the same questions as to a deployed one.

    :param folder: with its progress and its log.
    """

    dag_id: str
    run_id: str
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False, compare=False)
    conf: Mapping[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Where its log is."""
        return (self.folder / LOG).as_uri()

    def poll(self) -> Snapshot:
        """The run and its steps now.  A process that ended before its run did makes it a failed one."""
        ended = self.process.poll() is not None  # first: what is read after it is final
        try:
            document: Mapping[str, Any] = parse((self.folder / PROGRESS).read_bytes(), "localrun", 1, where=PROGRESS)
        except FileNotFoundError:
            document = {}
        state = str(document.get("state", "queued"))
        if ended and state not in ("success", "failed"):
            state = "failed"
        run = RunStatus(
            dag_id=self.dag_id,
            run_id=self.run_id,
            state=state,
            started=document.get("started"),
            seconds=document.get("seconds"),
            conf=self.conf,
            url=self.url,
        )
        place = {name: number for number, name in enumerate(self.order)}
        steps = [_step(one) for one in document.get("steps", ())]
        return Snapshot(run=run, steps=tuple(sorted(steps, key=lambda s: (place.get(s.task_id, 0), s.map_index))))

    def get_status(self) -> RunStatus:
        """The run's state."""
        return self.poll().run

    def get_steps(self) -> list[StepStatus]:
        """Every task instance, with what it decided."""
        return list(self.poll().steps)

    def wait_for_completion(
        self,
        *,
        show_output: bool | Reporter = True,
        timeout_seconds: float | None = None,
        raise_on_error: bool = True,
    ) -> RunStatus:
        """Wait until the run ends.

        :raises WaitTimeoutError: when the time is over. :raises RunFailedError: when the run failed.
        """
        from airflow_mlpipe.experiment.progress import Silent, reporter_for
        from airflow_mlpipe.experiment.watch import follow

        if isinstance(show_output, bool):
            show_output = reporter_for() if show_output else Silent()
        last = follow(self.poll, show_output, timeout_seconds=timeout_seconds)
        if raise_on_error and last.run.state != "success":
            raise RunFailedError(last.run, last.failed)
        return last.run

    def get_output(self, step: str, name: str, *, map_index: int = -1) -> OutputReference:
        """An output that a step published.  :raises UsageError: when it has published no such output (yet)."""
        from airflow_mlpipe.hooks.workspace import open_workspace

        run = open_workspace().runs.get(self.dag_id, self.run_id, step, map_index)
        found = next((o for o in run.outputs if o.name == name), None) if run else None
        if found is None:
            raise UsageError(
                "the step has published no such output", where=f"{self.dag_id}/{self.run_id}/{step}", given=name
            )
        return found

    def get_log_tail(self, step: StepStatus | None = None, *, lines: int = 20) -> list[str]:
        """The last lines of a step's log; of the whole run's without a step."""
        text = (self.folder / LOG).read_text(encoding="utf-8", errors="replace")
        if step is not None:
            text = _section(text, step)
        shown = [printable(line) for line in text.splitlines() if line.strip() and not _OF_AIRFLOW.match(line)]
        return shown[-lines:]

    def cancel(self) -> None:
        """End the process, and with it the step that runs."""
        if self.process.poll() is None:
            self.process.terminate()


def start(file: str, dag_id: str, conf: Mapping[str, Any], *, order: tuple[str, ...]) -> LocalRun:
    """Start a run of a file's DAG in a process of its own.

    :raises DefinitionError: when the pipeline is in no file (a notebook).
    """
    from airflow.sdk.configuration import conf as airflow

    if not os.path.isfile(file):
        raise DefinitionError(
            "a pipeline of a notebook has no file that Airflow could read",
            where=f"DAG {dag_id!r}",
            fix="write the cells into a .py file",
        )
    moment = datetime.now(timezone.utc)
    run_id = f"manual__{moment.isoformat()}"
    folder = Path(airflow.get("logging", "base_log_folder")) / "mlpipe_local" / dag_id / re.sub(r"[^\w.-]", "_", run_id)
    folder.mkdir(parents=True, mode=0o700)
    request = {"file": file, "dag_id": dag_id, "moment": moment.isoformat(), "conf": dict(conf)}
    (folder / REQUEST).write_text(json.dumps(tag("localrequest", 1) | request), encoding="utf-8")
    argv = [sys.executable, "-m", "airflow_mlpipe.azureml.runner", str(folder)]
    with (folder / LOG).open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    return LocalRun(dag_id=dag_id, run_id=run_id, folder=folder, process=process, conf=conf, order=order)


def _step(members: Mapping[str, Any]) -> StepStatus:
    return StepStatus(
        task_id=members["task_id"],
        map_index=members["map_index"],
        state=members["state"],
        try_number=members["try_number"],
        started=members["started"],
        seconds=members["seconds"],
        outcome=Decision.from_xcom(members["outcome"]),
    )


def _section(log: str, step: StepStatus) -> str:
    """What was logged between the marks that ``dag.test()`` sets around a task."""
    name = f"task_id={re.escape(step.task_id)} map_index={step.map_index}"
    found = re.findall(rf"starting {name}\b(.*?)(?:end task {name}\b|\Z)", log, flags=re.DOTALL)
    return "".join(found)
