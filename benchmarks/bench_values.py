"""What a value between two tasks costs, as ratios to writing and mapping it by hand, and to Airflow's own backend.

    python benchmarks/bench_values.py [folder] [--quick]

The folder decides which disk is measured.  Every push and every pull is a process of its own (``values_once.py``).
Sides take turns, and the best round of each counts: what disturbs a round only ever adds to it.

- transfers: a DataFrame of floats, one of mixed columns, an array, 100 MiB each;
- again: a value that the workspace has already;
- lazily: one column of a table of 2 GiB as a polars LazyFrame;
- in a DAG: the same DataFrame between two ordinary tasks, and between two ``@step`` functions, by ``dag.test()``;
- import: the backend, in a process that has no value for it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_airflow import in_fresh_python, set_up_airflow

HERE = Path(__file__).parent
MIB = 1 << 20
SIDES = ("hand", "digest", "ours", "airflow")
HEAVY = ("numpy", "pandas", "pyarrow", "polars", "torch", "sklearn", "PIL")
BACKENDS = {
    "ours": "airflow_mlpipe.xcom.XComBackend",
    "airflow": "airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU and wall seconds, and by how many bytes the process grew at most; ``written`` is bytes by file."""

    cpu: float
    wall: float
    base: int
    peak: int
    written: dict[str, int]
    error: str

    @property
    def grown(self) -> int:
        """Bytes more than the process had before."""
        return self.peak - self.base


def program(name: str, *arguments: object, **variables: str) -> Any:
    """The JSON that a program beside this one prints last."""
    command = [sys.executable, "-W", "ignore", str(HERE / name), *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables})
    return json.loads(done.stdout.splitlines()[-1])


def once(verb: str, side: str, kind: str, folder: Path, size: float) -> Cost:
    """Push or pull in a process of its own, with a workspace, a cache and an object store below ``folder``."""
    return Cost(**program("values_once.py", verb, side, kind, folder, size, **places(folder)))


def places(folder: Path) -> dict[str, str]:
    """Everything in one folder, so on one disk."""
    return {
        "AIRFLOW__MLPIPE__WORKSPACE": (folder / "workspace").as_uri(),
        "AIRFLOW__MLPIPE__CACHE": str(folder / "cache"),
        "AIRFLOW__MLPIPE__SCRATCH": str(folder / "scratch"),
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": (folder / "objects").as_uri(),
        "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD": "1024",
    }


def pairs(kind: str, root: Path, size: float, rounds: int) -> dict[str, list[tuple[Cost, Cost]]]:
    """Push and pull of every side in turn, each with an empty folder."""
    found: dict[str, list[tuple[Cost, Cost]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side, costs in list(found.items()):
            folder = Path(tempfile.mkdtemp(dir=root))
            pushed = once("push", side, kind, folder, size)
            if pushed.error:
                print(f"{kind:9} {side}: {pushed.error}")
                del found[side]
            else:
                costs.append((pushed, once("pull", side, kind, folder, size)))
            shutil.rmtree(folder)
    return found


def bench_transfers(kind: str, root: Path, size: float, rounds: int) -> None:
    """Print one line for each side, and the ratios."""
    found = pairs(kind, root, size, rounds)
    best = {
        side: [min(pair[half].cpu for pair in costs) for half in (0, 1)] + [min(a.wall + b.wall for a, b in costs)]
        for side, costs in found.items()
    }
    # One program reads what both wrote by hand.
    best["hand"][1] = best["digest"][1] = min(best["hand"][1], best["digest"][1])
    grown = {side: [min(pair[half].grown for pair in costs) for half in (0, 1)] for side, costs in found.items()}
    peak = {side: max(min(pair[half].peak for pair in costs) for half in (0, 1)) for side, costs in found.items()}
    for side, (push, pull, wall) in best.items():
        more = [amount / MIB for amount in grown[side]]
        print(
            f"{kind:9} {side:8} push {push:.3f} s, pull {pull:.3f} s CPU; {wall:.3f} s wall, onto the disk; "
            f"memory {more[0]:+.0f} and {more[1]:+.0f} MiB, at most {peak[side] / MIB:.0f} MiB"
        )
    cpu = {side: push + pull for side, (push, pull, _) in best.items()}
    fixed = min(sum(one.cpu for one in pair_of_nothing(kind, root)) for _ in range(rounds))
    print(
        f"{kind:9} ours / by hand {cpu['ours'] / cpu['hand']:.2f} in CPU, {best['ours'][2] / best['hand'][2]:.2f} in "
        f"wall  (bound 1.5); / by hand with its SHA-256 {cpu['ours'] / cpu['digest']:.2f} in CPU, "
        f"{best['ours'][2] / best['digest'][2]:.2f} in wall; {fixed:.3f} s CPU are of two processes' first use"
    )
    if "airflow" in cpu:
        memory = [theirs / ours for theirs, ours in zip(grown["airflow"], grown["ours"], strict=True)]
        print(
            f"{kind:9} Airflow's / ours {cpu['airflow'] / cpu['ours']:.1f} in CPU  (bound 20), "
            f"without first use {cpu['airflow'] / (cpu['ours'] - fixed):.1f}; memory of push {memory[0]:.1f}, "
            f"of pull {memory[1]:.1f}  (bound 5), of the whole process {peak['airflow'] / peak['ours']:.1f}"
        )


def pair_of_nothing(kind: str, root: Path) -> tuple[Cost, Cost]:
    """Push and pull of a value of 16 KiB: imports, options, opening the workspace."""
    folder = Path(tempfile.mkdtemp(dir=root))
    costs = once("push", "ours", kind, folder, 1 / 64), once("pull", "ours", kind, folder, 1 / 64)
    shutil.rmtree(folder)
    return costs


def bench_again(root: Path, size: float, rounds: int) -> None:
    """Push one value twice into one workspace."""
    firsts, seconds = [], []
    for _ in range(rounds):
        folder = Path(tempfile.mkdtemp(dir=root))
        firsts.append(once("push", "ours", "frame", folder, size))
        seconds.append(once("push", "ours", "frame", folder, size))
        shutil.rmtree(folder)
    cost = [(min(c.cpu for c in side), min(c.wall for c in side)) for side in (firsts, seconds)]
    for name, side in (("first", firsts), ("again", seconds)):
        there = {path: size for path, size in side[0].written.items() if path.startswith("workspace")}
        blobs = [size for path, size in there.items() if "/blobs/" in path]
        rest = sum(there.values()) - sum(blobs)
        print(f"again     {name}: {len(blobs)} blobs of {sum(blobs)} bytes written in the workspace, {rest} bytes else")
    print(f"again     / first push {cost[1][0] / cost[0][0]:.2f} in CPU, {cost[1][1] / cost[0][1]:.2f} in wall")


def bench_lazily(root: Path, size: float) -> None:
    """One column of a large table, which is pushed batch by batch; what a small table costs is the libraries'."""
    from values_once import COLUMNS

    grown, cpu = [], 0.0
    for amount in (16.0, size):
        folder = Path(tempfile.mkdtemp(dir=root))
        pushed = once("push", "ours", "batches", folder, amount)
        pulls = [once("pull", "ours", "batches", folder, amount) for _ in range(5)]
        grown.append(min(pull.grown for pull in pulls) / MIB)
        cpu = min(pull.cpu for pull in pulls)
        shutil.rmtree(folder)
    print(
        f"lazily    {size:.0f} MiB pushed batch by batch: {pushed.grown / MIB:+.0f} MiB of memory; one column of "
        f"{size / COLUMNS:.0f} MiB read: {grown[1]:+.0f} MiB and {cpu:.3f} s CPU; "
        f"one of a table of 16 MiB: {grown[0]:+.0f} MiB"
    )


def bench_dag(root: Path, size: float) -> None:
    """The same DAG with the two backends, and as steps."""
    found = {}
    for name, kind in (("ours", "task"), ("airflow", "task"), ("steps", "step")):
        folder = Path(tempfile.mkdtemp(dir=root / "dags"))
        backend = {"AIRFLOW__CORE__XCOM_BACKEND": BACKENDS.get(name, BACKENDS["ours"])}
        found[name] = one = program("values_dag.py", kind, folder, size, **places(folder), **backend)
        shutil.rmtree(folder)
        print(f"in a DAG  {name}: the value costs {one['cpu']:.3f} s CPU and {one['memory'] / MIB:+.0f} MiB")
    ratio = found["airflow"]["cpu"] / found["ours"]["cpu"]
    print(f"in a DAG  Airflow's / ours {ratio:.1f} in CPU  (bound 20)")


def bench_import(runs: int) -> None:
    """In a process that knows Airflow's own backend, as every task's process does."""
    start = "import sys, time\nfrom airflow.sdk.bases.xcom import BaseXCom\nbefore = set(sys.modules)\n"
    clock = "t = time.process_time()\n{}\nt = time.process_time() - t\n"
    backend = clock.format("from airflow_mlpipe.xcom import XComBackend")
    value = clock.format("XComBackend.serialize_value({'a': [1, 2]})")
    heavy = f"print(len({{*sys.modules}} & {set(HEAVY)} - before))"
    ours = in_fresh_python(f"{start}{backend}print(t)", runs)
    small = in_fresh_python(f"{start}{backend}{value}print(t)", runs)
    libraries = in_fresh_python(f"{start}{backend}{value}{heavy}", 1)
    print(
        f"import    the backend {ours * 1000:.1f} ms CPU  (bound 30 ms), a first small value {small * 1000:.1f} ms; "
        f"{libraries:.0f} libraries of values imported by both"
    )


def main() -> None:
    """Everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="on the disk that is to be measured")
    parser.add_argument("--quick", action="store_true", help="few rounds, small sizes")
    arguments = parser.parse_args()
    quick = arguments.quick
    size, rounds = (10.0, 1) if quick else (100.0, 5)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        root = Path(name)
        (root / "dags").mkdir()
        set_up_airflow(root / "home", root / "dags")
        pair_of_nothing("frame", root)  # compiles what has no bytecode yet
        bench_import(1 if quick else 7)
        for kind in ("frame", "mixed", "array"):
            bench_transfers(kind, root, size, rounds)
        bench_again(root, size, rounds)
        bench_lazily(root, 2048 / (10 if quick else 1))
        bench_dag(root, size)


if __name__ == "__main__":
    main()
