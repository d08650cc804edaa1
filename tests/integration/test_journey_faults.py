"""Faults of the whole journey: workers, programs and builds that are killed, and disks that are full."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support import killed

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.runtime.environments import COMPLETE, find_uv
from airflow_mlpipe.store.base import TEMPORARY
from tools.airflow_embedded import wait_for

ROOT = Path(killed.__file__).parents[2]


def environment(home: Path) -> dict[str, str]:
    """Of a process that uses the package and the tests' support."""
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    return os.environ | {"PYTHONPATH": path, "AIRFLOW_HOME": str(home)}


@pytest.fixture(scope="module")
def played(airflow_home, tmp_path_factory):
    """The folder of each scenario; they are played side by side."""
    folders = {scenario: tmp_path_factory.mktemp("killed") for scenario in killed.SCENARIOS}
    players = {
        scenario: subprocess.Popen(
            [sys.executable, "-m", "support.killed", scenario, str(folder)],
            env=environment(airflow_home),
            stdout=subprocess.DEVNULL,
            stderr=(folder / "stderr").open("wb"),
        )
        for scenario, folder in folders.items()
    }
    try:
        for scenario, player in players.items():
            assert player.wait() == 0, (folders[scenario] / "stderr").read_text()[-5000:]
    finally:
        for player in players.values():
            player.kill()
            player.wait()
    return folders


@pytest.fixture(params=killed.SCENARIOS)
def points(request, played):
    """A scenario, and what each kill in it left; the last one is none."""
    lines = (played[request.param] / killed.POINTS).read_text().splitlines()
    return request.param, [killed.Point(**json.loads(line)) for line in lines]


ALLOWED = {"first": {None, "new"}, "refresh": {"old", "new"}, "reuse": {"old"}}


@pytest.mark.slow
class TestKilledWorker:
    """SIGKILL before each change of the file system that the worker makes, from ``pre_execute`` to the last XCom."""

    def test_there_are_enough_points(self, points):
        """Dozens where a step is reused, hundreds where it executes; the last one is not killed."""
        scenario, found = points
        assert len(found) > {"first": 150, "refresh": 40, "reuse": 25}[scenario]
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


SLOW = """\
import os, pathlib, subprocess, sys, time
folder = pathlib.Path(sys.argv[3]).parents[3]
if (folder / "slow").exists():
    child = subprocess.Popen(["sleep", "600"])
    (folder / "pids.new").write_text(f"{os.getpid()} {child.pid}")
    (folder / "pids.new").rename(folder / "pids")
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder for a deployment of this process; what it says is the new result."""
    for name in ("WORKSPACE", "CACHE", "SCRATCH"):
        monkeypatch.setenv(f"AIRFLOW__MLPIPE__{name}", "")
    (tmp_path / "says").write_text(killed.NEW)
    return tmp_path


@contextlib.contextmanager
def a_worker(folder: Path, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that executes the step; it is killed at the end of the block, and what it had started must end."""
    (folder / "slow").touch()
    code = f"from pathlib import Path; from support import killed; killed.worker(Path({str(folder)!r}))"
    with (folder / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-c", code], env=environment(home), stdout=log, stderr=log)
    try:
        wait_for((folder / "pids").exists, 120, every=0.05, process=worker.pid)
        yield worker
    finally:
        worker.kill()
        worker.wait()
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    wait_for(lambda: not any(map(runs, pids)), 60, every=0.05)
    (folder / "slow").unlink()
    (folder / "pids").unlink()


def runs(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_worker_that_is_killed_takes_its_program_along_and_its_retry_goes_on_at_once(folder, airflow_home):
    """The program and its children end, nothing is recorded; other runs wait for the lease, the same one does not."""
    upstream = killed.prepare(folder, script=SLOW + killed.SCRIPT)
    with a_worker(folder, airflow_home):
        assert killed.run(folder, upstream, "another")["decision"] == "waiting"
    assert killed.recorded() is None
    assert killed.run(folder, upstream, "another")["decision"] == "waiting"
    again = killed.run(folder, upstream, killed.RUN, try_number=2)
    assert again["decision"] == "executed"
    assert killed.texts(again) == {"note": "new", "tree": "newupstream"}
    assert killed.run(folder, upstream, "another")["decision"] == "reused"
    assert killed.host_after_tidy(folder) == []


def test_another_run_takes_over_when_the_lease_has_run_out(folder, airflow_home, monkeypatch):
    """``[mlpipe] lease_seconds`` after the worker was killed, by the store's clock."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__LEASE_SECONDS", "3")
    upstream = killed.prepare(folder, script=SLOW + killed.SCRIPT)
    with a_worker(folder, airflow_home):
        pass
    seen: list[str] = []

    def decided() -> bool:
        seen.append(killed.run(folder, upstream, "another")["decision"])
        return seen[-1] != "waiting"

    wait_for(decided, 60, every=0.2)
    assert seen[-1] == "executed"
    assert killed.recorded() == "new"


def test_an_environment_whose_build_was_killed_is_built_again(folder, airflow_home, monkeypatch, capsys):
    """Uv ends with the worker, nobody uses what it left, and the next try builds it and runs in it."""
    uv = folder / "uv"
    uv.write_text(
        f"""#!/bin/sh
        if [ "$1" = pip ] && [ -e {folder}/slow ]; then
          echo $$ > {folder}/pids.new && mv {folder}/pids.new {folder}/pids && exec sleep 600
        fi
        exec {find_uv(None, where="test")} "$@"
        """
    )
    uv.chmod(0o755)
    (folder / "requirements.txt").write_text("# nothing\n")
    monkeypatch.setenv("AIRFLOW__MLPIPE__UV", str(uv))
    upstream = killed.prepare(folder, script=killed.SCRIPT + "print('PREFIX', sys.prefix)\n")
    with a_worker(folder, airflow_home):
        pass
    assert not list((folder / "cache" / "environments").rglob(COMPLETE))
    assert killed.run(folder, upstream, killed.RUN, try_number=2)["decision"] == "executed"
    (built,) = (folder / "cache" / "environments").rglob(COMPLETE)
    said = capsys.readouterr().out
    assert "removing an environment whose build was interrupted" in said
    assert f"PREFIX {built.parent}" in said


@pytest.fixture
def tiny_disk(folder, request):
    """A disk of 1 MiB at a folder of the deployment; call it to make it large."""
    place = folder / request.param
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True).returncode:
        print("SKIPPING THE TESTS OF FULL DISKS: mounting a small file system needs root", file=sys.stderr)
        pytest.skip("mounting a small file system needs root")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(path: Path) -> None:
    """Write a file until there is no byte left."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


BIG = "x" * 3_000_000


@pytest.mark.parametrize("tiny_disk", ["workspace"], indirect=True)
def test_a_disk_that_is_full_while_a_result_is_published(folder, tiny_disk):
    """The message says so, nothing of the result is visible, gc works and frees it all, and the next try succeeds."""
    (folder / "says").write_text(BIG)
    upstream = killed.prepare(folder)
    with pytest.raises(StoreError, match="the disk is full") as caught:
        killed.run(folder, upstream, killed.RUN)
    assert str(folder / "workspace") in str(caught.value)
    assert killed.recorded() is None
    assert killed.copy_in(folder) is None
    assert killed.host_after_tidy(folder) == []
    fill(folder / "workspace" / "somebody else's")
    left = {name.split("/")[1] for name in killed.objects_after_gc(folder)}
    assert "somebody else's" in left
    assert not left & {"blobs", "trees", "records", "leases", "attempts", TEMPORARY}
    tiny_disk()
    upstream = killed.prepare(folder)
    again = killed.run(folder, upstream, killed.RUN, try_number=2)
    assert again["decision"] == "executed"
    assert killed.texts(again) == {"note": BIG, "tree": BIG + killed.UP}


@pytest.mark.parametrize("tiny_disk", ["cache"], indirect=True)
def test_a_disk_that_is_full_while_inputs_are_staged(folder, tiny_disk, capsys):
    """The message says so, the program is not started, and the next try succeeds."""
    upstream = killed.prepare(folder, script=killed.SCRIPT + "print('I run')\n", upstream=BIG)
    with pytest.raises(StoreError, match="the disk is full"):
        killed.run(folder, upstream, killed.RUN)
    assert "I run" not in capsys.readouterr().out
    assert killed.recorded() is None
    assert killed.host_after_tidy(folder) == []
    tiny_disk()
    again = killed.run(folder, upstream, killed.RUN, try_number=2)
    assert "I run" in capsys.readouterr().out
    assert killed.texts(again) == {"note": "new", "tree": f"new{BIG}"}
