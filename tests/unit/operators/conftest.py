"""A project folder with a DAG file, a script and data, and an open DAG in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with ``dag.py``, ``step.py`` and ``scripts/train.py``."""
    for name in ("dag.py", "step.py", "scripts/train.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.fixture
def dag(project: Path) -> Iterator[object]:
    """An open DAG of the file ``dag.py``; what the test creates belongs to it."""
    from airflow.sdk import DAG

    opened = DAG("pipeline", schedule=None)
    opened.fileloc = str(project / "dag.py")
    with opened:
        yield opened
