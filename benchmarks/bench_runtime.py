"""What the engine costs: staging 10,000 files, and executing a step compared with starting its program.

Run with ``python benchmarks/bench_runtime.py [folder]``; the folder decides which disk is measured.  CPU seconds are of
this process and its children; wall seconds say little on a busy machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from support.deployment import deployment, ports, reads  # noqa: E402

from airflow_mlpipe.model import PipelineData  # noqa: E402
from airflow_mlpipe.runtime.cache import BlobCache  # noqa: E402
from airflow_mlpipe.runtime.layout import Layout, remove  # noqa: E402
from airflow_mlpipe.runtime.stage import Stager  # noqa: E402

FILES = 10_000
ROUNDS = 15

WRITE = f"""
import os
out = os.environ["MLPIPE_OUTPUT_TREE"]
for n in range({FILES}):
    if n % 100 == 0:
        os.mkdir(f"{{out}}/{{n // 100}}")
    with open(f"{{out}}/{{n // 100}}/{{n}}", "w") as file:
        file.write(str(n) * 100)
"""
SCRIPT = "import json, os, pathlib; print('hello')"


def cpu() -> float:
    """CPU seconds of this process and of its children that ended."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def measure(call: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, used = time.perf_counter(), cpu()
    call()
    return time.perf_counter() - wall, cpu() - used


def stage(root: Path) -> None:
    """Staging 10,000 files by links, next to making the same links in a loop."""
    bench = deployment(root)
    (tree,) = bench.run(WRITE, outputs=ports(PipelineData("tree"))).outputs
    step = bench.job("pass", inputs=(reads("tree", tree),)).step
    cache = BlobCache(bench.host.cache / "blobs")
    layout = Layout(root / "attempt")

    def once() -> None:
        Stager(layout=layout, cache=cache, stores=bench.stores).stage(step, None)

    def bare() -> None:
        for folder, _, names in os.walk(layout.root / "inputs" / "tree"):
            os.mkdir(target := root / "bare" / os.path.relpath(folder, layout.root))
            for name in names:
                os.link(f"{folder}/{name}", f"{target}/{name}")

    for label, call in (("first", once), ("again", once)):
        layout.make()
        print(f"staging {FILES} files by links, {label}: wall {{:.2f}} s, CPU {{:.2f}} s".format(*measure(call)))
    (root / "bare" / "inputs").mkdir(parents=True)
    print(f"{FILES} links in a bare loop: wall {{:.2f}} s, CPU {{:.2f}} s".format(*measure(bare)))
    remove(layout.root)


def overhead(root: Path) -> None:
    """A step, next to its program alone."""
    bench = deployment(root)
    (root / "main.py").write_text(SCRIPT)

    def alone() -> None:
        subprocess.run([sys.executable, root / "main.py"], check=True, stdout=subprocess.PIPE, cwd=root)

    def step() -> None:
        bench.run(SCRIPT, outputs=ports(PipelineData("o")))

    step()
    ones, steps = zip(*((measure(alone), measure(step)) for _ in range(ROUNDS)), strict=True)
    medians = [statistics.median(m[part] * 1000 for m in ms) for ms in (ones, steps) for part in (0, 1)]
    print("program alone: wall {:.0f} ms, CPU {:.0f} ms; as a step: wall {:.0f} ms, CPU {:.0f} ms".format(*medians))
    print(f"a step costs {medians[3] - medians[1]:.0f} ms of CPU more than its program")


def main() -> None:
    """Both, in a folder of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="on the disk that is to be measured")
    parser.add_argument("--quick", action="store_true", help="for python -m benchmarks: this one is quick as it is")
    root = Path(tempfile.mkdtemp(dir=parser.parse_args().folder))
    try:
        for part in (stage, overhead):
            (root / part.__name__).mkdir()
            part(root / part.__name__)
    finally:
        remove(root)
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
