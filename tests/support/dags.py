"""Run a DAG to its end in this process, and look at what every task did.

``dag.test()`` is the real task runner of Airflow (rendering, hooks, XComs, callbacks, state) against an in-process API
server; the first run of a session costs some seconds, every task after that some hundredths.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any, TextIO

import pytest

_PREAMBLE = """\
import pendulum
from airflow.sdk import DAG, Param, TaskGroup, dag, task
"""


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """What one task instance did.

    :param xcoms: all that it pushed, by key, as stored (plain JSON values).
    :param log: the lines that it logged, with those of the program that it ran.
    """

    task_id: str
    map_index: int
    state: str
    xcoms: Mapping[str, Any]
    log: str

    @property
    def step(self) -> Mapping[str, Any]:
        """The XCom ``mlpipe``: decision, reasons, seconds, saved, fingerprint, origin; empty when there is none."""
        return self.xcoms.get("mlpipe") or {}

    @property
    def decision(self) -> str | None:
        """``reused`` or ``executed``."""
        return self.step.get("decision")

    @property
    def reasons(self) -> list[str]:
        """Why."""
        return [str(reason) for reason in self.step.get("reasons", ())]

    @property
    def fingerprint(self) -> str | None:
        """What was looked up."""
        return self.step.get("fingerprint")


@dataclass(frozen=True, kw_only=True)
class RunOutcome:
    """What one DAG run did; ``run["train"]`` is a task, ``run["train", 2]`` an instance of a mapped one."""

    dag_id: str
    run_id: str
    state: str
    tasks: Mapping[tuple[str, int], TaskOutcome]
    log: str

    def __getitem__(self, key: str | tuple[str, int]) -> TaskOutcome:
        """Return one task instance."""
        return self.tasks[(key, -1) if isinstance(key, str) else key]

    def instances(self, task_id: str) -> list[TaskOutcome]:
        """Those of a mapped task, in order."""
        return [task for (name, _), task in sorted(self.tasks.items()) if name == task_id]

    def _names(self, decision: str) -> list[str]:
        return sorted(
            task_id if index < 0 else f"{task_id}[{index}]"
            for (task_id, index), outcome in self.tasks.items()
            if outcome.decision == decision
        )

    @property
    def executed(self) -> list[str]:
        """The steps that executed, sorted; ``name[3]`` for a mapped instance."""
        return self._names("executed")

    @property
    def reused(self) -> list[str]:
        """The steps that were reused, sorted."""
        return self._names("reused")

    @property
    def states(self) -> dict[str, str]:
        """Every task instance's state."""
        return {(t if i < 0 else f"{t}[{i}]"): outcome.state for (t, i), outcome in sorted(self.tasks.items())}


@dataclass(kw_only=True)
class DagRunner:
    """Writes DAG files and their scripts into a folder, and runs them.

    :param folder: the DAG bundle; the next call may name another one.
    :param workspace: where the steps' results go.
    """

    folder: Path
    workspace: Path
    monkeypatch: pytest.MonkeyPatch
    filename: str = "pipeline.py"
    _names: dict[Path, str] = field(default_factory=dict)

    def write(self, files: Mapping[str, str], *, folder: Path | None = None) -> None:
        """Write files, relative to the folder; common indentation is removed."""
        for name, text in files.items():
            path = (folder or self.folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def parse(self, source: str | None = None, *, folder: Path | None = None, dag_id: str | None = None) -> Any:
        """Write and parse a DAG file, and return the DAG.

        :raises AssertionError: with Airflow's message when the file does not parse.
        """
        from airflow.dag_processing.dagbag import BundleDagBag

        folder = folder or self.folder
        # Python takes a compiled file for current when size and second are: two edits in one second may not be seen.
        shutil.rmtree(folder / "__pycache__", ignore_errors=True)
        if source is not None:
            self.write({self.filename: _PREAMBLE + dedent(source)}, folder=folder)
        # The same few names in all tests: Airflow asks the database for each bundle that it ever saw, at each run.
        name = self._names.setdefault(folder, f"tests-{len(self._names)}")
        bundle = {
            "name": name,
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(folder)},
        }
        self.monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name=name)
        assert not bag.import_errors, "\n".join(bag.import_errors.values())
        assert bag.dags, f"no DAG in {folder}"
        return bag.dags[dag_id] if dag_id else next(iter(bag.dags.values()))

    def __call__(
        self,
        source: str | None = None,
        *,
        conf: Mapping[str, Any] | None = None,
        files: Mapping[str, str] | None = None,
        folder: Path | None = None,
        dag_id: str | None = None,
    ) -> RunOutcome:
        """Run a DAG once.

        :param source: the DAG file, without ``import pendulum`` and the usual names of ``airflow.sdk``, which are
            put before it; ``None``: the file that is there already.
        :param conf: the run's conf; it overrides the params.
        :param files: more files to write first, by path relative to the folder.
        :param dag_id: which DAG, where the file holds several.
        """
        self.write(files or {}, folder=folder)
        dag = self.parse(source, folder=folder, dag_id=dag_id)
        with captured_log() as log:
            run = dag.test(run_conf=dict(conf or {}))
        return _outcome(run, log.getvalue())


class _Tap(io.TextIOBase):
    """Standard output, shared with a recorder while one listens.

    There is one for the whole session, because structlog's loggers keep the stream that they first saw.
    """

    def __init__(self) -> None:
        self.out: TextIO = sys.stdout
        self.recorder: io.StringIO | None = None

    def write(self, text: str) -> int:
        if self.recorder is not None:
            self.recorder.write(text)
        out = sys.stdout if sys.stdout is not self else self.out
        return out.write(text)

    def flush(self) -> None:
        (sys.stdout if sys.stdout is not self else self.out).flush()


_TAP = _Tap()


@contextlib.contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """Collect what the tasks log, and still show it (pytest keeps it for a failing test)."""
    _TAP.out, _TAP.recorder = sys.stdout, io.StringIO()
    loggers = [
        logging.getLogger(),
        *(x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)),
    ]
    for handler in (h for logger in loggers for h in logger.handlers):
        if type(handler) is logging.StreamHandler and handler.stream is not sys.stderr:
            handler.setStream(_TAP)
    try:
        with contextlib.redirect_stdout(_TAP):
            yield _TAP.recorder
    finally:
        _TAP.recorder = None


_MARK = re.compile(r"\[DAG TEST\] (?P<edge>starting|end task) task_id=(?P<task>\S+) map_index=(?P<index>-?\d+)")


def _log_of_each_task(log: str) -> dict[tuple[str, int], str]:
    """Cut a run's log at the lines with which ``dag.test()`` starts and ends a task; tries follow each other."""
    sections: dict[tuple[str, int], list[str]] = {}
    current: list[str] | None = None
    for line in log.splitlines(keepends=True):
        if match := _MARK.search(line):
            key = (match["task"], int(match["index"]))
            current = sections.setdefault(key, []) if match["edge"] == "starting" else None
        elif current is not None:
            current.append(line)
    return {key: "".join(lines) for key, lines in sections.items()}


def _outcome(run: Any, log: str) -> RunOutcome:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    logs = _log_of_each_task(log)
    xcoms: dict[tuple[str, int], dict[str, Any]] = {}
    with create_session() as session:
        rows = session.scalars(
            select(XComModel).where(XComModel.dag_id == run.dag_id, XComModel.run_id == run.run_id)
        ).all()
        for row in rows:
            xcoms.setdefault((row.task_id, row.map_index), {})[row.key] = row.value
        tasks = {
            (ti.task_id, ti.map_index): TaskOutcome(
                task_id=ti.task_id,
                map_index=ti.map_index,
                state=str(ti.state),
                xcoms=xcoms.get((ti.task_id, ti.map_index), {}),
                log=logs.get((ti.task_id, ti.map_index), ""),
            )
            for ti in run.get_task_instances(session=session)
        }
    return RunOutcome(dag_id=run.dag_id, run_id=run.run_id, state=str(run.state), tasks=tasks, log=log)
