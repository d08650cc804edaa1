"""Which tests run, and which of a suite that several processes share go to one of them (``pytest -n 2``).

Tests of one file stay together, so that its fixtures are made once.  So do the tests of what a machine shall have one
of: the Docker engine, whose containers some tests count, and the running Airflow, which takes half a minute to start.

A class that inherits a conformance suite may say which of its tests are run (``only``): a second variant of one compute
runs those that the difference can matter to.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

import pytest

TOGETHER = {
    "engine": (
        "contract/test_agent_container.py",
        "contract/test_computes.py",
        "contract/test_docker_*.py",
        "contract/test_kubernetes_*.py",
        "integration/test_docker_*.py",
        "integration/test_kubernetes_*.py",
        "system/test_docker_*.py",
    ),
    "embedded_airflow": tuple(
        f"system/test_{name}.py" for name in ("assets", "changes", "embedded", "submit", "ui", "waiting")
    ),
    "shared": ("system/test_xcom_backend.py", "system/test_xcom_ui.py"),
}
"""By fixture, the files of its tests."""


def together(nodeid: str) -> str:
    """The name that the tests have in common which run in one process: a fixture's, else the file's."""
    file = PurePosixPath(nodeid.partition("::")[0])
    for fixture, patterns in TOGETHER.items():
        if any(fnmatch("/".join(file.parts[-2:]), pattern) for pattern in patterns):
            return fixture
    return str(file)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """:raises pytest.UsageError: for a test of such a fixture in a file that is not named above."""
    left_out = [item for item in items if not _is_wanted(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if _is_wanted(item)]
    for item in items:
        for fixture in TOGETHER:
            if fixture in getattr(item, "fixturenames", ()) and together(item.nodeid) not in TOGETHER:
                raise pytest.UsageError(f"{item.nodeid} uses {fixture!r}: name its file in {__name__}.TOGETHER")


def _is_wanted(item: pytest.Item) -> bool:
    """Whether its class wants it; what the class defines itself, it wants."""
    cls: Any = getattr(item, "cls", None)
    name = getattr(item, "originalname", item.name)
    return getattr(cls, "only", None) is None or name in cls.only or name in vars(cls)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A scheduler that keeps :func:`together` what belongs together."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid)

    return Together(config, log)
