"""`make demo`, as a visitor runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.system, pytest.mark.slow]


def _demo(what: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.demo", what, "--folder", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo, run once in a folder of its own; its Airflow is stopped afterwards."""
    folder = tmp_path_factory.mktemp("demo")
    try:
        yield _demo("run", folder), folder
    finally:
        stopped = _demo("stop", folder)
        assert stopped.returncode == 0, stopped.stderr


def test_the_demo_reuses_what_it_should_and_executes_the_rest(demo):
    """All five runs do what their titles say; the demo itself checks every step of each."""
    result, _ = demo
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    assert [int(n) for n in re.findall(r"12 steps\W+(\d+) executed", result.stdout)] == [12, 0, 8, 1, 0]


def test_the_demo_leaves_airflow_running_and_says_how_to_get_in(demo):
    """The address and the login that it prints are good."""
    result, _ = demo
    found = re.search(r"(http://\S+)/dags/digits\s+login (\S+) / (\S+)", result.stdout)
    assert found, result.stdout
    url, username, password = found.groups()
    answer = httpx.post(f"{url}/auth/token", json={"username": username, "password": password}, timeout=60)
    assert answer.status_code == 201
    assert httpx.post(f"{url}/auth/token", json={"username": username, "password": "x"}, timeout=60).status_code == 401


def test_the_demo_ends_with_a_report(demo):
    """The plot is a picture, and the text names the best features."""
    _, folder = demo
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "Best features: **gradients**" in (folder / "report.md").read_text()


def test_the_demo_edits_nothing_of_the_clone(demo):
    """It works on copies."""
    _, folder = demo
    assert "0.0625" in (folder / "dags" / "checkout-b" / "digits" / "cleaning.py").read_text()
    assert "0.0625" not in (ROOT / "dags_examples" / "digits" / "cleaning.py").read_text()
