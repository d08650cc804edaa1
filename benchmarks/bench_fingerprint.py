"""What deciding costs, as ratios to named references measured in the same run.

    python benchmarks/bench_fingerprint.py [--quick] [--folder /tmp]

Each line names its reference, both times (best of several, wall and CPU seconds) and the ratio.  A core that another
process uses lengthens the wall time of two threads and not that of one: where others took part of the machine, a line
says so, and its wall ratio says nothing about the threads.  CPU is the number to look at then.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from airflow_mlpipe.fingerprint.code import read_code
from airflow_mlpipe.fingerprint.digest import cores, digest_file
from airflow_mlpipe.fingerprint.environment import environment_identity
from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.fingerprint.key import build_key
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.objects import identify_objects
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.model.step import CodeSpec, InputPath, OutputPath, OutputPort, StepSpec, Text
from airflow_mlpipe.store.base import ObjectInfo

LATER = 10 * 10**9  # so that files written a moment ago are trusted the next time


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds; ``others``: CPU seconds that all other processes used during the run with the best wall time."""

    wall: float
    cpu: float
    others: float = 0.0


def best(work: Callable[[], object], repeat: int = 5) -> Cost:
    """The cheapest of several runs: what disturbs a measurement only ever adds to it."""
    costs = []
    for _ in range(repeat):
        wall, cpu, machine = time.perf_counter(), time.process_time(), machine_seconds()
        work()
        own = time.process_time() - cpu
        costs.append(Cost(time.perf_counter() - wall, own, machine_seconds() - machine - own))
    fastest = min(costs, key=lambda c: c.wall)
    return Cost(fastest.wall, min(c.cpu for c in costs), fastest.others)


def machine_seconds() -> float:
    """CPU seconds that all processes of the machine have used, in ticks of 10 ms."""
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0)


def report(what: str, ours: Cost, reference: str, theirs: Cost, target: str) -> None:
    print(f"{what}\n    ours       wall {ours.wall:7.3f} s  cpu {ours.cpu:7.3f} s")
    print(f"    reference  wall {theirs.wall:7.3f} s  cpu {theirs.cpu:7.3f} s   {reference}")
    print(
        f"    ratio      wall {ours.wall / theirs.wall:7.2f}    cpu {ours.cpu / theirs.cpu:7.2f}     target: {target}"
    )
    for whose, cost in (("ours", ours), ("the reference", theirs)):
        if cost.others > max(0.05, cost.wall / 10):  # less than that is what ticks and the kernel's own work amount to
            used = cost.others / cost.wall
            print(f"    not quiet: other processes used {used:.2f} cores beside {whose}; go by the CPU ratio")


def fill(root: Path, files: int, size: int) -> Path:
    """Files of random bytes, 200 in a folder."""
    for n in range(files):
        folder = root / f"d{n // 200:03d}"
        if n % 200 == 0:
            folder.mkdir(parents=True)
        (folder / f"f{n:05d}.csv").write_bytes(os.urandom(size))
    os.sync()  # else the kernel writes them out while the reading is measured
    return root


def walk(path: str) -> int:
    """A bare walk: names and stats."""
    count = 0
    with os.scandir(path) as entries:
        for entry in entries:
            entry.stat(follow_symlinks=False)
            count += walk(entry.path) if entry.is_dir(follow_symlinks=False) else 1
    return count


def list_files(root: Path) -> list[str]:
    return [os.path.join(base, name) for base, _, names in os.walk(root) for name in names]


def read_and_hash(paths: list[str]) -> None:
    for path in paths:
        with open(path, "rb") as file:
            hashlib.sha256(file.read()).digest()


def read_and_hash_in(threads: int, paths: list[str]) -> None:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read_and_hash, [paths[n :: threads * 8] for n in range(threads * 8)]))


def unchanged_folder(folder: Path, files: int) -> None:
    root = fill(folder / "unchanged", files, 100)
    index = LocalIndex(folder / "cache", clock=lambda: time.time_ns() + LATER)
    index.identify(root)
    report(
        f"unchanged folder of {files} files",
        best(lambda: index.identify(root), 7),
        "os.scandir + stat walk",
        best(lambda: walk(str(root)), 7),
        "wall 1.5, plus 0.15 s CPU",
    )


def first_time(folder: Path, files: int, size: int) -> None:
    root = fill(folder / f"first{size}", files, size)
    ways = {
        f"{n} threads": best(lambda n=n: read_and_hash_in(n, list_files(root)), 5) for n in {2, cores(), 2 * cores()}
    }
    ways["1 thread"] = best(lambda: read_and_hash(list_files(root)), 5)
    name, theirs = min(ways.items(), key=lambda way: way[1].wall)
    cache = folder / "cache"

    def ours() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        LocalIndex(cache).identify(root)

    report(
        f"first time, {files} files of {size} bytes",
        best(ours, 5),
        f"os.walk, open, read, sha256: {name}",
        theirs,
        "wall 1.2",
    )


def one_file(folder: Path, size: int) -> None:
    path = folder / "large"
    block = os.urandom(2**24)
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
    os.sync()

    def one_thread() -> None:
        found = hashlib.sha256()
        buffer = memoryview(bytearray(2**18))
        with path.open("rb", buffering=0) as file:
            while read := file.readinto(buffer):
                found.update(buffer[:read])

    target = f"wall 1 / cores = {1 / cores():.2f}"
    theirs = best(one_thread, 3)
    report(
        f"one file of {size / 2**30:g} GiB", best(lambda: digest_file(path), 5), "sha256 in one thread", theirs, target
    )
    path.unlink()


def decisions(folder: Path, steps: int) -> None:
    source = folder / "src"
    (source / "lib").mkdir(parents=True)
    body = "def f(rows):\n    return [row for row in rows if row]\n\n\n" * 75
    (source / "main.py").write_text(f"import json\nimport sys\n\nimport jinja2\nfrom lib import a, b\n\n\n{body}")
    for name in ("__init__", "a", "b"):
        (source / "lib" / f"{name}.py").write_text(body)
    cache = folder / "cache"
    code = CodeSpec(root=str(source), entry="main.py")
    raw = ContentIdentity(kind="folder", digest=f"tree:{'0' * 64}", members={f"f{n}": "0" * 12 for n in range(20)})
    command = (Text("--in", "--in"), InputPath("raw"), Text("{{ params.lr }}", "0.1"), OutputPath("model"))

    def decide(count: int) -> None:
        for n in range(count):
            outputs = (OutputPort(data=PipelineData("model")),)
            spec = StepSpec(
                label=f"s{n}", kind="script", code=code, command=command, parameters={"n": n}, outputs=outputs
            )
            snapshot = read_code(code, cache_dir=cache)
            environment = environment_identity(
                spec.environment, root="", imports=snapshot.imports, worker_variables={}, cache_dir=cache
            )
            inputs = {"raw": raw}
            key = build_key(
                spec, snapshot=snapshot, inputs=inputs, environment=environment, templated_params={"lr": 0.1}
            )
            _ = key.fingerprint

    decide(1)
    cost, fewer = best(lambda: decide(steps), 3), best(lambda: decide(steps // 5), 3)
    print(f"{steps} decisions (code of 4 files read anew, environment, key, fingerprint)")
    print(
        f"    ours       wall {cost.wall:7.3f} s  cpu {cost.cpu:7.3f} s   {cost.cpu / steps * 1000:.2f} ms of CPU each"
    )
    print(f"    linear     {cost.cpu / fewer.cpu / 5:.2f} times the cost per step of a fifth of the steps")
    print("    target: 500 in 1 s of CPU")


def listing(objects: int) -> None:
    infos = [ObjectInfo(f"raw/d{n // 200}/f{n}.csv", n, 1.0, f"{n:032x}") for n in range(objects)]

    def reference() -> None:
        hashlib.sha256(repr(sorted((i.key, i.etag, i.size) for i in infos)).encode()).digest()

    ours = best(lambda: identify_objects(infos, root="raw", kind="folder"))
    report(f"identity of {objects} listed objects", ours, "sorted, repr, sha256", best(reference), "seconds below 0.1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: seconds instead of a minute")
    parser.add_argument("--folder", type=Path, help="where to write the files (default: a temporary folder)")
    options = parser.parse_args()
    part = 10 if options.quick else 1
    print(f"Python {sys.version.split()[0]}, {cores()} cores")
    folder = Path(tempfile.mkdtemp(prefix="mlpipe-bench-", dir=options.folder))
    try:
        unchanged_folder(folder, 20_000 // part)
        first_time(folder, 20_000 // part, 4096)
        first_time(folder, 4000 // part, 256 * 1024)
        one_file(folder, 2 * 2**30 // (8 if options.quick else 1))
        decisions(folder, 500 // (5 if options.quick else 1))
        listing(20_000 // part)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
