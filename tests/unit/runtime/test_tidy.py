"""What a host keeps is made small again, and what killed workers left is removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.deployment import Deployment, ports, reads

from airflow_mlpipe.errors import ProgramFailedError
from airflow_mlpipe.model import PipelineData
from airflow_mlpipe.runtime import tidy as module
from airflow_mlpipe.runtime.tidy import Tidied, tidy

WORKER = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from support.deployment import deployment
bench = deployment(Path(sys.argv[1]))
bench.on_line = lambda line: print(line, flush=True)
bench.run("import time; print('up'); time.sleep(600)")
"""


def test_the_folder_of_a_killed_worker_is_removed(bench: Deployment) -> None:
    """Not while the worker lives."""
    root = Path(module.__file__).parents[2]
    argv = [sys.executable, "-c", WORKER, str(bench.root), str(root), str(root / "tests")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "up\n"
        (attempt,) = bench.left_in_scratch
        assert tidy(bench.host, 0).attempts == ()
        worker.kill()
    assert worker.returncode == -signal.SIGKILL
    assert tidy(bench.host, 3600).attempts == ()
    assert tidy(bench.host, 0).attempts == (attempt,)
    assert not list(bench.host.scratch.iterdir())


def test_a_lock_without_a_folder_is_removed(bench: Deployment) -> None:
    """A worker was killed before it made the folder, or after it removed it."""
    bench.host.scratch.mkdir()
    (bench.host.scratch / "0123456789abcdef.lock").touch()
    assert tidy(bench.host, 3600).attempts == ()
    assert list(bench.host.scratch.iterdir())
    assert tidy(bench.host, 0).attempts == ()
    assert not list(bench.host.scratch.iterdir())


def test_everything_unused_goes_and_comes_back_when_wanted(bench: Deployment) -> None:
    """Blobs, checkpoints and kept folders; the store is not touched."""
    script = "import os; open(os.environ['MLPIPE_OUTPUT_ONE'], 'w').write('xyz')"
    (one,) = bench.write(script, PipelineData("one", kind="file"))
    job = bench.job("import os; open(os.environ['MLPIPE_CHECKPOINT_DIR'] + '/c', 'w'); 1/0")
    with pytest.raises(ProgramFailedError):
        bench.attempt_of(job, keep_failed=True).run()
    assert tidy(bench.host, 3600) == Tidied()
    tidied = tidy(bench.host, 0)
    assert tidied.attempts == (job.attempt,)
    assert len(tidied.checkpoints) == 1
    assert tidied.blob_bytes == 3
    bench.run("import os; print(open(os.environ['MLPIPE_INPUT_I']).read())", inputs=(reads("i", one),))
    assert bench.lines[-1] == "xyz"


def test_a_host_that_never_ran_anything_has_nothing_to_tidy(bench: Deployment) -> None:
    """And nothing is made there."""
    assert tidy(bench.host, 0) == Tidied()
    assert os.listdir(bench.root) in ([], ["stores"])


def test_a_finished_attempt_leaves_not_even_its_lock(bench: Deployment) -> None:
    """Whether it failed or not."""
    bench.write("pass", PipelineData("o"))
    with pytest.raises(ProgramFailedError):
        bench.run("1/0", outputs=ports(PipelineData("o")))
    assert not list(bench.host.scratch.iterdir())


def test_the_next_step_of_a_host_removes_what_a_killed_worker_left_a_day_ago(bench: Deployment) -> None:
    """Unless failed attempts are kept here."""
    dead, young = bench.host.scratch / "0123456789abcdef", bench.host.scratch / "fedcba9876543210"
    for folder in (dead, young):
        folder.mkdir(parents=True)
        folder.with_suffix(".lock").touch()
    for path in (dead, dead.with_suffix(".lock")):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    bench.attempt_of(bench.job("pass"), keep_failed=True).run()
    assert dead.exists()
    bench.run("pass")
    assert sorted(p.name for p in bench.host.scratch.iterdir()) == [young.name, f"{young.name}.lock"]
