"""A deployment in a temporary folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.deployment import Deployment, deployment


@pytest.fixture
def bench(tmp_path: Path) -> Deployment:
    """A deployment on local folders."""
    return deployment(tmp_path)
