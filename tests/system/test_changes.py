"""``schedule=changes(data)`` on a real triggerer and scheduler, also when the triggerer is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from airflow_mlpipe.experiment import ApiUnavailableError, Run
from tools.airflow_embedded import wait_for

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = 300
DAG_ID = "watching"
SOURCE = """
from airflow_mlpipe import DataReference, Datastore, changes

data = DataReference(Datastore("watched", url="@URL@"), "in/*.csv", name="raw")
asset = changes(data, window=2, poll=0.5)

with DAG("watching", schedule=asset):
    @task
    def payloads(triggering_asset_events):
        return [event.extra["payload"] for event in triggering_asset_events[asset]]

    payloads()
"""


def told(airflow: Any) -> list[dict[str, Any]]:
    """What the events said of the runs that have succeeded, the oldest run first."""
    found = []
    for run in sorted(
        airflow.experiment.api.pages(f"/api/v2/dags/{DAG_ID}/dagRuns", "dag_runs"),
        key=lambda run: str(run["run_after"]),
    ):
        if run["state"] == "success":
            handle = Run(api=airflow.experiment.api, dag_id=DAG_ID, run_id=str(run["dag_run_id"]))
            found += handle.get_xcom("payloads", "return_value")
    return found


def have_been_told(airflow: Any, count: int) -> bool:
    """Whether so many changes have been told; a busy API server may not answer in time."""
    try:
        return len(told(airflow)) == count
    except ApiUnavailableError:
        return False


def noted(airflow: Any) -> list[str]:
    """The digests that are noted, one for each watch."""
    paths = (airflow.workspace / "watches").glob("*.json")
    return [json.loads(path.read_text())["identity"]["digest"] for path in paths]


@pytest.fixture(scope="session")
def new_triggerer(embedded_airflow: Any) -> Iterator[Callable[[], None]]:
    """Starts a triggerer in the place of one that was killed; it is there for the other tests of the session, too."""
    started: list[subprocess.Popen[bytes]] = []
    login = embedded_airflow.login
    environment = embedded_airflow.airflow.environment() | {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{login.url}/execution/",
        "AIRFLOW__API__BASE_URL": login.url,
    }

    def start() -> None:
        log = (embedded_airflow.folder / "triggerer.log").open("wb")
        started.append(subprocess.Popen(["airflow", "triggerer"], env=environment, stdout=log, stderr=log))

    yield start
    for process in started:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for one in family:
            one.kill()
        psutil.wait_procs(family, timeout=30)


def triggerer_of(airflow: Any) -> psutil.Process:
    """The process that ``standalone`` started as the triggerer."""
    for process in psutil.Process(airflow.login.pid).children(recursive=True):
        if "triggerer" in process.cmdline() and any("airflow" in part for part in process.cmdline()):
            return process
    raise AssertionError("there is no triggerer")


def test_a_run_for_each_change_also_of_a_time_without_a_triggerer(
    embedded_airflow: Any, new_triggerer: Callable[[], None], tmp_path: Path
) -> None:
    """Two files within the window are one run; a change while the triggerer is dead is one, too; none is doubled."""
    folder = tmp_path / "lake" / "in"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("1")
    embedded_airflow.write(DAG_ID, SOURCE.replace("@URL@", folder.parent.as_uri()))
    embedded_airflow.experiment.api.patch(f"/api/v2/dags/{DAG_ID}", {"is_paused": False})
    wait_for(lambda: len(noted(embedded_airflow)) == 1, SECONDS)

    (folder / "b.csv").write_text("2")
    (folder / "c.csv").write_text("3")
    wait_for(lambda: have_been_told(embedded_airflow, 1), SECONDS)
    (first,) = told(embedded_airflow)
    assert (first["added"], first["changed"]) == (["b.csv", "c.csv"], [])
    wait_for(lambda: noted(embedded_airflow) == [first["digest"]], SECONDS)

    family = triggerer_of(embedded_airflow)
    for process in [*family.children(recursive=True), family]:
        os.kill(process.pid, signal.SIGKILL)
    (folder / "a.csv").write_text("other")
    new_triggerer()
    wait_for(lambda: have_been_told(embedded_airflow, 2), SECONDS)
    second = told(embedded_airflow)[1]
    assert (second["added"], second["changed"], second["previous"]) == ([], ["a.csv"], first["digest"])
    wait_for(lambda: noted(embedded_airflow) == [second["digest"]], SECONDS)
    assert len(told(embedded_airflow)) == 2
