"""A fake of Airflow's REST API, behind a real port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.rest_api import FakeAirflow, Server


@pytest.fixture
def fake() -> Iterator[FakeAirflow]:
    """A deployment with one DAG, ``digits``, and one user, ``ml``."""
    fake = FakeAirflow()
    with Server(fake):
        yield fake
