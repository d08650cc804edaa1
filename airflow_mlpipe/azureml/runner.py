"""The process of a local run: parse the file as Airflow does, execute the DAG with ``dag.test()``, say how it gets on.

    python -m airflow_mlpipe.azureml.runner FOLDER

``FOLDER`` holds the request (see :mod:`~airflow_mlpipe.azureml.local`).  Exit code 0: the run succeeded.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.local import PROGRESS, REQUEST
from airflow_mlpipe.errors import ConfigurationError, DefinitionError, MLPipeError
from airflow_mlpipe.fingerprint.statcache import write_atomically
from airflow_mlpipe.model.documents import parse, tag, to_bytes

if TYPE_CHECKING:
    from airflow.sdk import DAG

BUNDLE = "mlpipe-local"
_INTERVAL = 0.5  # seconds between two looks at the database


def main(folder: Path) -> int:
    """Execute the request; the exit code."""
    request = parse((folder / REQUEST).read_bytes(), "localrequest", 1, where=REQUEST)
    file = Path(request["file"])
    _configure(file)
    _prepare_database()
    moment = datetime.fromisoformat(request["moment"])
    dag = load(file, request["dag_id"])
    run_id = f"manual__{moment.isoformat()}"
    with reported(dag.dag_id, run_id, folder / PROGRESS):
        try:
            run: Any = dag.test(run_after=moment, logical_date=moment, run_conf=request["conf"])
        except KeyboardInterrupt:
            fail(dag.dag_id, run_id)
            raise
    return 0 if run.state == "success" else 1


def _configure(file: Path) -> None:
    """Add a bundle of this one file, unless it lies in a bundle of the deployment; before Airflow reads its options."""
    from airflow.configuration import conf

    sys.path.insert(0, str(file.parent))
    bundles = json.loads(conf.get("dag_processor", "dag_bundle_config_list"))
    ours = {
        "name": BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(file)},
    }
    os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"] = json.dumps([ours, *bundles])
    # The one file is read whatever words are in it.
    os.environ["AIRFLOW__CORE__DAG_DISCOVERY_SAFE_MODE"] = "False"


def _prepare_database() -> None:
    """Make Airflow's metadata database if it is SQLite and empty, as on a machine that never ran Airflow.

    :raises ConfigurationError: when another database has no tables.
    """
    from airflow import settings
    from airflow.utils.db import initdb
    from sqlalchemy import inspect

    if settings.engine is None:
        settings.initialize()  # type: ignore[no-untyped-call]
    engine = settings.engine
    assert engine is not None
    if inspect(engine).has_table("dag_run"):
        return
    if engine.dialect.name != "sqlite":
        raise ConfigurationError(
            "Airflow's metadata database has no tables", where="[database] sql_alchemy_conn", fix="airflow db migrate"
        )
    initdb()


def load(file: Path, dag_id: str) -> DAG:
    """Parse the file.  :raises DefinitionError: when it does not parse, or makes no such DAG when it is imported."""
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(dag_folder=file, bundle_path=file, bundle_name=BUNDLE)
    if bag.import_errors:
        raise DefinitionError(f"the file does not parse:\n{next(iter(bag.import_errors.values()))}", where=str(file))
    if dag_id not in bag.dags:
        raise DefinitionError(
            "the file makes no such DAG when it is imported",
            where=str(file),
            given=dag_id,
            valid=sorted(bag.dags) or "it makes none",
            fix='make the Pipeline where an import reaches it, and not under if __name__ == "__main__"',
        )
    found: DAG = bag.dags[dag_id]
    return found


@contextlib.contextmanager
def reported(dag_id: str, run_id: str, target: Path) -> Iterator[None]:
    """Write the run's state again and again while the block runs, and once more at its end."""
    over = threading.Event()

    def report() -> None:
        while not over.wait(_INTERVAL):
            with contextlib.suppress(Exception):  # a busy database; the last report tells
                write(dag_id, run_id, target)

    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write(dag_id, run_id, target)


def write(dag_id: str, run_id: str, target: Path) -> None:
    """Write the run's state; nothing while there is no run.

    It asks tables and no models: two threads that set up models, one by a query and one by an import, wait for each
    other for ever.
    """
    from airflow import settings
    from sqlalchemy import DateTime, column, select, table

    times = (column("start_date", DateTime), column("end_date", DateTime))
    runs = table("dag_run", column("dag_id"), column("run_id"), column("state"), *times)
    names = ("dag_id", "run_id", "task_id", "map_index", "state", "try_number", "duration")
    tasks = table("task_instance", *(column(name) for name in names), column("start_date", DateTime))
    assert settings.engine is not None
    with settings.engine.connect() as connection:
        of_run = (runs.c.dag_id == dag_id, runs.c.run_id == run_id)
        run = connection.execute(select(runs).where(*of_run)).first()
        of_tasks = (tasks.c.dag_id == dag_id, tasks.c.run_id == run_id)
        rows = connection.execute(select(tasks).where(*of_tasks)).all()
    if run is None:
        return
    started, ended = _seconds(run.start_date), _seconds(run.end_date)
    document = tag("localrun", 1) | {
        "state": str(run.state),
        "started": started,
        "seconds": None if started is None else (ended or time.time()) - started,
        "steps": [_step(dag_id, run_id, row) for row in rows],
    }
    write_atomically(target, to_bytes(document))


def fail(dag_id: str, run_id: str) -> None:
    """Say in the database that a run, which nobody goes on with, failed."""
    from airflow import settings
    from sqlalchemy import column, table, update

    runs = table("dag_run", column("dag_id"), column("run_id"), column("state"))
    assert settings.engine is not None
    with settings.engine.begin() as connection:
        of_run = (runs.c.dag_id == dag_id, runs.c.run_id == run_id, runs.c.state == "running")
        connection.execute(update(runs).where(*of_run).values(state="failed"))


def _seconds(moment: datetime | None) -> float | None:
    """Seconds since the epoch; without a time zone a moment is in UTC, as Airflow writes them."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _step(dag_id: str, run_id: str, row: Any) -> dict[str, Any]:
    from airflow_mlpipe.hooks.workspace import open_workspace
    from airflow_mlpipe.operators.xcoms import summary

    outcome = open_workspace().runs.get(dag_id, run_id, row.task_id, row.map_index)
    return {
        "task_id": row.task_id,
        "map_index": row.map_index,
        "state": str(row.state) if row.state else "none",
        "try_number": row.try_number,
        "started": _seconds(row.start_date),
        "seconds": row.duration,
        "outcome": summary(outcome) if outcome else None,
    }


def _end(*_: object) -> None:
    """End the step that runs, which ends its program, and start no other."""
    from airflow.sdk.definitions import dag

    vars(dag)["_run_task"] = _start_no_other  # dag.test() takes an interrupt for the failure of one task, and goes on
    raise KeyboardInterrupt


def _start_no_other(**_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    try:
        sys.exit(main(Path(sys.argv[1])))
    except MLPipeError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("ended before the run was over\n")
        sys.exit(130)
