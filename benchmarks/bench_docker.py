"""What the Docker compute costs: over ``docker run``, over Airflow's DockerOperator, and for data over the local one.

Run with ``python benchmarks/bench_docker.py [folder] [--quick]``; needs a Docker engine.  CPU seconds are of this
process and its children, not of the engine; wall seconds say little on a busy machine.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

from airflow_mlpipe.compute import LocalCompute  # noqa: E402
from airflow_mlpipe.compute.config import DockerConfig  # noqa: E402
from airflow_mlpipe.compute.docker import DockerCompute  # noqa: E402
from airflow_mlpipe.model import PipelineData  # noqa: E402
from airflow_mlpipe.model.step import InputPath, InputPort, OutputPath  # noqa: E402
from airflow_mlpipe.runtime.layout import remove  # noqa: E402
from airflow_mlpipe.testing.compute_contract import ComputeBench, outputs  # noqa: E402
from benchmarks.bench_runtime import measure  # noqa: E402
from tools import base_image, engine  # noqa: E402

TREE = PipelineData("tree")
MANY = 'i=0; while [ $i -lt 10000 ]; do echo $i > "$0/$i"; i=$((i+1)); done'
LARGE = 'dd if=/dev/urandom of="$0/large" bs=1M count={} 2> /dev/null'
READ = 'find "$0" -type f | wc -l > "$1/count"; for f in "$0"/*; do cat "$f" > /dev/null; done'


def benches(root: Path) -> dict[str, ComputeBench]:
    """The same bench on both computes."""

    def docker(bench: ComputeBench) -> DockerCompute:
        return DockerCompute("docker", DockerConfig(), bench.stores, bench.host, workspace=str(root))

    return {
        "local": ComputeBench(root / "local", lambda b: LocalCompute(b.stores, b.host)),
        "docker": ComputeBench(root / "docker", docker, image=base_image.TAG),
    }


def overhead(root: Path, rounds: int) -> None:
    """A step, next to ``docker run`` of its program and to Airflow's operator."""
    bench = benches(root)["docker"]

    def run() -> None:
        subprocess.run(["docker", "run", "--rm", base_image.TAG, "true"], check=True, stdout=subprocess.PIPE)

    def client() -> None:
        import docker

        docker.from_env().containers.run(base_image.TAG, "true", remove=True)

    ways: dict[str, Callable[[], object]] = {
        "docker run": run,
        "containers.run of the Docker SDK": client,
        "DockerOperator.execute": _operator(),
        "a step": lambda: bench.sh("true", outputs=()),
    }
    for call in ways.values():
        call()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            found[name].append(measure(call))
    median = {name: [statistics.median(m[part] for m in ms) for part in (0, 1)] for name, ms in found.items()}
    for name, (wall, cpu) in median.items():
        print(f"{name}: wall {wall:.2f} s, CPU {cpu * 1000:.0f} ms")
    print(f"a step over docker run: {(median['a step'][1] - median['docker run'][1]) * 1000:+.0f} ms of CPU")
    print(f"a step over DockerOperator: {median['a step'][1] / median['DockerOperator.execute'][1]:.2f} in CPU")


def _operator() -> Callable[[], object]:
    """Airflow's operator for the same command, outside of a DAG."""
    from airflow.providers.docker.operators.docker import DockerOperator

    def call() -> None:
        operator = DockerOperator(
            task_id="true", image=base_image.TAG, command="true", auto_remove="force", mount_tmp_dir=False
        )
        with contextlib.redirect_stdout(sys.stderr):
            operator.execute({})  # type: ignore[typeddict-item]

    return call


def data(root: Path, mebibytes: int) -> None:
    """Files out of and into a container, next to the same on the local compute."""
    for label, write in (("10,000 files", MANY), (f"{mebibytes} MiB", LARGE.format(mebibytes))):
        walls: dict[str, Any] = {}
        for name, bench in benches(root / label.replace(" ", "")).items():
            made: list[Any] = []

            def out(bench: ComputeBench = bench, write: str = write, made: list[Any] = made) -> None:
                made[:] = bench.run(bench.job("sh", "-c", write, OutputPath("tree"), outputs=outputs(TREE))).outputs

            def into(bench: ComputeBench = bench, made: list[Any] = made) -> None:
                port = InputPort(name="in", references=tuple(made))
                job = bench.job(
                    "sh", "-c", READ, InputPath("in"), OutputPath("tree"), inputs=(port,), outputs=outputs(TREE)
                )
                bench.run(job)

            walls[name] = (measure(out), measure(into))
        for part, what in enumerate(("out of", "into")):
            local, container = walls["local"][part], walls["docker"][part]
            print(
                f"{label} {what} a container: wall {container[0]:.2f} s ({container[0] / local[0]:.2f} of local), "
                f"CPU of the worker {container[1]:.2f} s ({container[1] / max(local[1], 0.001):.2f})"
            )


def main() -> None:
    """All, in a folder of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="on the disk that is to be measured")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, less data")
    args = parser.parse_args()
    if (why := engine.start()) is not None:
        print(f"skipped: {why}")
        return
    import docker

    base_image.load(docker.from_env(timeout=120))
    root = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        overhead(root / "overhead", 5 if args.quick else 15)
        data(root / "data", 256 if args.quick else 2048)
    finally:
        remove(root)
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
