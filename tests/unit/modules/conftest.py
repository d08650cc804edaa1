"""A deployment with two libraries, in folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.modules import write_module

from airflow_mlpipe import modules
from airflow_mlpipe.hooks.workspace import Stores


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Stores]:
    """Libraries ``workspace`` and ``org``, asked for as often as this host asks; each call is a new process's view."""
    org = {"org": {"url": (tmp_path / "org").as_uri()}, "far": {"url": (tmp_path / "far").as_uri()}}
    for option, value in {
        "WORKSPACE": (tmp_path / "workspace").as_uri(),
        "CACHE": str(tmp_path / "cache"),
        "DATASTORES": json.dumps(org),
        "MODULE_LIBRARIES": "workspace, org",
    }.items():
        monkeypatch.setenv(f"AIRFLOW__MLPIPE__{option}", value)
    return Stores


@pytest.fixture
def published(tmp_path: Path, deployment: Callable[[], Stores]) -> Callable[..., None]:
    """Publish ``scale`` in some versions: ``published("1.0", "1.1", library="org")``."""

    def publish(*versions: str, library: str = "workspace", **files: str) -> None:
        for version in versions:
            folder = write_module(tmp_path / "sources" / library / version, version=version, **files)
            modules.publish(folder, library=library, author="ann")

    return publish


@pytest.fixture
def dag_file(tmp_path: Path) -> str:
    """Where a DAG's file would be."""
    folder = tmp_path / "dags"
    folder.mkdir()
    return str(folder / "pipeline.py")
