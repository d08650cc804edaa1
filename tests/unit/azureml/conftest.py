"""A folder with a script, a workspace, and steps of v1."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.rest_api import FakeAirflow, Server

from airflow_mlpipe.azureml import PythonScriptStep, Workspace
from airflow_mlpipe.azureml.config import WorkspaceConfig


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Its compute ``cpu`` is the worker, its datastore ``lake`` a folder."""
    config = WorkspaceConfig(
        compute_targets={"cpu": "local"}, datastores={"lake": "lake"}, file=str(tmp_path / "config.json")
    )
    return Workspace(config=config)


@pytest.fixture
def step(tmp_path: Path) -> Any:
    """Make a step of a script that is there."""
    (tmp_path / "work.py").write_text("print('work')\n")

    def make(name: str, **said: Any) -> PythonScriptStep:
        return PythonScriptStep("work.py", name, source_directory=str(tmp_path), **{"compute_target": "cpu", **said})

    return make


@pytest.fixture
def fake() -> Iterator[FakeAirflow]:
    """A deployment, behind a real port."""
    found = FakeAirflow()
    with Server(found):
        yield found
