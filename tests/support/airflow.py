"""A whole Airflow - api-server, scheduler, dag processor, triggerer - for the tests that need more than one process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

from airflow_mlpipe.experiment import ApiError, Experiment, Run
from tools.airflow_embedded import EmbeddedAirflow, Login, wait_for

_PREAMBLE = """\
import pendulum
from airflow.sdk import DAG, Param, TaskGroup, dag, task
"""


@dataclass(frozen=True, kw_only=True)
class RunningAirflow:
    """The session's Airflow.

    :param folder: holds the DAG folder ``dags`` and the workspace ``workspace``.
    """

    airflow: EmbeddedAirflow
    login: Login
    experiment: Experiment
    folder: Path

    @property
    def dags(self) -> Path:
        """Where DAG files go."""
        return self.folder / "dags"

    @property
    def workspace(self) -> Path:
        """The workspace of every DAG of the session."""
        return self.folder / "workspace"

    def write(self, dag_id: str, source: str, files: Mapping[str, str] | None = None) -> None:
        """Write a DAG file (see ``support.dags`` for what is put before it) and its scripts, and wait for the DAG.

        Every DAG has a folder of its own, named as the DAG.

        :raises AssertionError: with Airflow's message when the file does not parse.
        """
        folder = self.dags / dag_id
        for name, text in {**(files or {}), "pipeline.py": _PREAMBLE + dedent(source)}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        wait_for(lambda: self._parsed(dag_id), 300)

    def _parsed(self, dag_id: str) -> bool:
        for error in self.experiment.api.pages("/api/v2/importErrors", "import_errors"):
            assert f"{dag_id}/" not in str(error.get("filename")), error["stack_trace"]
        try:
            self.experiment.api.get(f"/api/v2/dags/{dag_id}")
        except ApiError:
            return False
        return True

    def submit(self, dag_id: str, **params: Any) -> Run:
        """Start a run of a DAG."""
        return self.experiment.submit(dag_id, params=params, unpause=True)


_STARTED: list[EmbeddedAirflow] = []


def start(folder: Path, **options: str) -> RunningAirflow:
    """Start an Airflow in a folder; the caller stops it.

    :param options: further environment variables.
    """
    (folder / "dags").mkdir()
    airflow = EmbeddedAirflow(
        folder / "home",
        dags=folder / "dags",
        options={
            "AIRFLOW__MLPIPE__WORKSPACE": (folder / "workspace").as_uri(),
            "AIRFLOW__MLPIPE__CACHE": str(folder / "cache"),
            **options,
        },
    )
    login = airflow.start()
    _STARTED.append(airflow)
    experiment = Experiment(url=login.url, username=login.username, password=login.password)
    return RunningAirflow(airflow=airflow, login=login, experiment=experiment, folder=folder)


def stop_all() -> None:
    """Stop what was started and runs still."""
    while _STARTED:
        _STARTED.pop().stop()
