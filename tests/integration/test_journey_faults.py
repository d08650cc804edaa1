"""Faults of the whole journey: workers, programs and builds that are killed, and disks that are full."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import killed

ROOT = Path(killed.__file__).parents[2]


def environment(home: Path) -> dict[str, str]:
    """Of a process that uses the package and the tests' support."""
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "AIRFLOW_HOME": str(home)}


@pytest.fixture(scope="module", params=killed.SCENARIOS)
def points(request, airflow_home, tmp_path_factory):
    """A scenario, and what each kill in it left; the last one is none."""
    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, "-m", "support.killed", request.param, str(folder)],
        env=environment(airflow_home),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    lines = (folder / killed.POINTS).read_text().splitlines()
    return request.param, [killed.Point(**json.loads(line)) for line in lines]


ALLOWED = {"first": {None, "new"}, "refresh": {"old", "new"}, "reuse": {"old"}}


@pytest.mark.slow
class TestKilledWorker:
    """SIGKILL before each change of the file system that the worker makes, from ``pre_execute`` to the last XCom."""

    def test_there_are_enough_points(self, points):
        """Dozens where a step is reused, hundreds where it executes; the last one is not killed."""
        scenario, found = points
        assert len(found) > {"first": 150, "refresh": 75, "reuse": 25}[scenario]
        assert [p.killed for p in found] == [True] * (len(found) - 1) + [False]

    def test_it_leaves_the_old_result_or_the_new(self, points):
        """Complete to the last byte, and never going back; and so is the plain copy, while its manifest is there."""
        scenario, found = points
        seen = [p.seen for p in found]
        assert set(seen) == ALLOWED[scenario]
        assert len({(a, b) for a, b in itertools.pairwise(seen) if a != b}) == len(ALLOWED[scenario]) - 1
        assert {p.copy for p in found} == {None, *ALLOWED[scenario]}
        assert all(p.copy in (None, p.seen) or p.copy == "old" for p in found)

    def test_the_next_try_gives_the_right_bytes(self, points):
        """It executes, or reuses what the killed one recorded, and hands on what is recorded."""
        scenario, found = points
        text = "old" if scenario == "reuse" else "new"
        assert {p.wrote for p in found} == {p.copied for p in found} == {text}
        assert {(p.xcoms["note"], p.xcoms["tree"]) for p in found} == {(text, f"{text}{killed.UP}")}
        for point in found:
            hit = scenario == "reuse" or (scenario == "first" and point.seen == "new")
            assert point.again == ("reused" if hit else "executed")

    def test_gc_leaves_exactly_what_is_needed(self, points):
        """After each kill and the next try the same objects, whatever the dead one had written."""
        _, found = points
        assert found[-1].left
        assert {tuple(p.left) for p in found} == {tuple(found[-1].left)}

    def test_its_host_can_be_cleared(self, points):
        """Nothing of a dead attempt stays in the cache of blobs, in the scratch folder, or among the checkpoints."""
        _, found = points
        assert {tuple(p.host) for p in found} == {()}
