"""A whole Airflow whose tasks share no disk: our XCom backend, and a workspace on an object store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from servers import S3Server
from support.airflow import RunningAirflow, start

from airflow_mlpipe.store.config import StoreConfig
from airflow_mlpipe.store.open import open_store
from tools.airflow_embedded import wait_for

if TYPE_CHECKING:
    from airflow_mlpipe.experiment import Run
    from airflow_mlpipe.store.base import ObjectStore

TRIGGER = Path(__file__).parents[1] / "support" / "reading_trigger.py"


@dataclass(frozen=True, kw_only=True)
class Shared:
    """The Airflow, and the store behind its workspace."""

    airflow: RunningAirflow
    store: ObjectStore

    def keys(self, folder: str) -> set[str]:
        """What lies in a folder of the workspace."""
        return {info.key for info in self.store.list(folder)}

    def forget_host(self) -> None:
        """From now on tasks run as on another machine: what this one has in its cache is gone."""
        shutil.rmtree(self.airflow.folder / "cache")

    def gc(self) -> dict[str, Any]:
        """Run ``airflow mlpipe gc`` for everything that nothing needs, however young."""
        ended = self.airflow.airflow.run("mlpipe", "gc", "--grace", "0", "--yes", "--list", "--output", "json")
        assert ended.returncode == 0, ended.stderr
        document: dict[str, Any] = json.loads(ended.stdout[ended.stdout.index("{\n") :])
        return document

    def ask(self, method: str, where: str, **body: Any) -> None:
        """A request to the REST API as any client makes it; a busy SQLite says 500 now and then, so it is repeated."""
        login = self.airflow.login
        user = {"username": login.username, "password": login.password}

        def done() -> bool:
            token = httpx.post(f"{login.url}/auth/token", json=user, timeout=120)
            headers = {"Authorization": f"Bearer {token.json()['access_token']}"}
            url = f"{login.url}{where}"
            answer = httpx.request(method, url, json=body or None, headers=headers, timeout=120)
            if answer.status_code < 500:
                answer.raise_for_status()
            return answer.is_success

        wait_for(done, 300)

    def clear(self, run: Run, *tasks: str) -> None:
        """Let some tasks of a run run again, and wait for its end."""
        self.ask(
            "POST",
            f"/api/v2/dags/{run.dag_id}/clearTaskInstances",
            dry_run=False,
            dag_run_id=run.run_id,
            task_ids=list(tasks),
            only_failed=False,
            reset_dag_runs=True,
        )
        run.wait_for_completion(show_output=False)

    def delete_xcom(self, run: Run, task: str, key: str = "return_value") -> None:
        """As a user of the REST API, or of the UI, does."""
        self.ask("DELETE", run.resource("taskInstances", task, "xcomEntries", key))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[Shared]:
    """Started once; its store is empty at first."""
    folder = tmp_path_factory.mktemp("shared")
    plugins = folder / "home" / "plugins"
    plugins.mkdir(parents=True)
    shutil.copy(TRIGGER, plugins / TRIGGER.name)
    url = f"s3://{s3.new_bucket()}/workspace"
    connection = {
        "conn_type": "mlpipe_datastore",
        "login": "testing",
        "password": "testing-secret",
        "extra": {"url": url, "endpoint_url": s3.endpoint, "region": "us-east-1"},
    }
    options = {
        "AIRFLOW__CORE__XCOM_BACKEND": "airflow_mlpipe.xcom.XComBackend",
        "AIRFLOW__MLPIPE__WORKSPACE": url,
        "AIRFLOW__MLPIPE__WORKSPACE_CONNECTION": "workspace_store",
        "AIRFLOW_CONN_WORKSPACE_STORE": json.dumps(connection),
    }
    running = start(folder, **options)
    try:
        yield Shared(airflow=running, store=open_store(StoreConfig(url=url, options=s3.options)))
    finally:
        running.airflow.stop()
