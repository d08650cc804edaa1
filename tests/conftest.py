"""The whole test session's Airflow: a home of its own, made before anything imports Airflow, and removed at the end.

Airflow reads its home folder and most of its options when it is imported, so they are set here, at the top, and not in
a fixture.  A test that needs no database pays nothing for it: the database is made by the first test that asks.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from scheduling import together
from support.dags import DagRunner  # imports Airflow only inside its functions

if TYPE_CHECKING:
    from support.airflow import RunningAirflow


def _own_home() -> Path:
    """Make the session's Airflow home and point Airflow at it.

    Everything of the caller's that could change an outcome is taken out: another home, another database, options.
    """
    for name in list(os.environ):
        if name.startswith(("AIRFLOW__", "AIRFLOW_", "MLPIPE_")) and name != "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT":
            del os.environ[name]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    home = Path(tempfile.mkdtemp(prefix="mlpipe-tests-")).resolve()
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "dags").mkdir()
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "AIRFLOW__API_AUTH__JWT_SECRET": "for-tests-only-for-tests-only-for-tests-only-for-tests-only",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__MLPIPE__WORKSPACE": (home / "workspace").as_uri(),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    # On a busy machine Airflow's default of five seconds fails tasks that have done nothing wrong.
    os.environ.setdefault("AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT", "120")
    return home


AIRFLOW_HOME = _own_home()

# No deadline: how long an example takes says something of the machine only.  `make test` takes the same examples at
# each run, so that a change is judged by itself; elsewhere they are new ones, which find more.
settings.register_profile("mlpipe", deadline=None)
settings.register_profile("ci", settings.get_profile("mlpipe"), derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "mlpipe"))

# The fixtures of the object stores (s3, s3_without_conditions, azure), of the Docker engine (engine, base_image) and of
# the test double of a Kubernetes cluster (kubernetes_double); who runs what (scheduling); what failed (reporting).
pytest_plugins = ("servers", "containers", "cluster", "scheduling", "reporting")


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The session's Airflow home."""
    return AIRFLOW_HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> None:
    """An Airflow database with the current schema (SQLite, in the session's home), made once."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def run_dag(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DagRunner]:
    """Run DAGs in this process, each to its end: ``run_dag(source, conf=..., files=...)``; see ``support.dags``.

    The workspace is new and empty for each test, so that no test reuses what another executed; and no test finds the
    modules that another one's DAG imported.
    """
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", (tmp_path / "workspace").as_uri())
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "cache"))
    yield DagRunner(folder=tmp_path / "dags", workspace=tmp_path / "workspace", monkeypatch=monkeypatch)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.fixture(scope="session")
def embedded_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAirflow]:
    """A whole Airflow, started once: scheduler, LocalExecutor, triggerer, api-server; see ``support.airflow``."""
    from support.airflow import start

    # Short, so that the tests of waiting take seconds.
    waiting = {"AIRFLOW__MLPIPE__LEASE_SECONDS": "20", "AIRFLOW__MLPIPE__WAIT_SECONDS": "5"}
    running = start(tmp_path_factory.mktemp("airflow"), **waiting)
    try:
        yield running
    finally:
        running.airflow.stop()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """An idle scheduler takes a quarter of a core: a running Airflow ends with its last test, not with the session."""
    started = sys.modules.get("support.airflow")
    if started is not None and (nextitem is None or together(nextitem.nodeid) != together(item.nodeid)):
        started.stop_all()
