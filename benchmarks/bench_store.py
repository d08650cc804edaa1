"""Publishing, staging and listing on an S3 server, as ratios to obstore's own API used directly for the same bytes.

``python benchmarks/bench_store.py [--quick]``.  Bounds: 1.3 for transfers, 1.5 for listings, 300 MiB of memory.
Server and client share the machine, so the CPU of both is shown: where the server's is most of it, the ratio of times
says little and that of the client's CPU says more.  Rounds alternate, and the best of each side counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent.parent / "tests")]

import obstore  # noqa: E402
import psutil  # noqa: E402
from servers import S3Server, s3_server  # noqa: E402

from airflow_mlpipe.fingerprint.digest import blob_key  # noqa: E402
from airflow_mlpipe.fingerprint.local import LocalIndex  # noqa: E402
from airflow_mlpipe.store.contents import Contents  # noqa: E402
from airflow_mlpipe.store.incoming import PART  # noqa: E402
from airflow_mlpipe.store.obstore_ import ObstoreStore  # noqa: E402
from airflow_mlpipe.store.open import open_store  # noqa: E402

THREADS = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, the client's CPU seconds, the server's, and by how much the client's memory grew at most (bytes)."""

    wall: float
    cpu: float
    server: float
    memory: int


class Peak:
    """The most resident memory of this process while it is open."""

    def __enter__(self) -> Peak:
        self.process = psutil.Process()
        self.peak = self.process.memory_info().rss
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self) -> None:
        """Sample it."""
        while not self.stop.wait(0.02):
            self.peak = max(self.peak, self.process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def measure(server: S3Server, run: Callable[[], object]) -> Cost:
    """Run once."""

    def server_cpu() -> float:
        times = psutil.Process(server.pid).cpu_times()
        return times.user + times.system

    with Peak() as peak:
        before, wall, cpu = server_cpu(), time.perf_counter(), time.process_time()
        run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Cost(wall, cpu, server_cpu() - before, peak.peak)


def compare(name: str, server: S3Server, ours: list[Callable[[], object]], theirs: list[Callable[[], object]]) -> None:
    """Run both sides in turn and print one line."""
    costs: tuple[list[Cost], list[Cost]] = ([], [])
    for mine, other in zip(ours, theirs, strict=True):
        costs[1].append(measure(server, other))
        costs[0].append(measure(server, mine))
    a, b = (min(side, key=lambda cost: cost.wall) for side in costs)
    share = a.server / (a.server + a.cpu)
    peak = max(cost.memory for cost in costs[0])
    print(
        f"{name:<28} time {a.wall:6.2f} s / {b.wall:6.2f} s = {a.wall / b.wall:4.2f}   "
        f"client CPU {a.cpu:6.2f} / {b.cpu:6.2f}   server {share:4.0%} of all CPU   peak {peak >> 20} MiB",
        flush=True,
    )


def transfers(server: S3Server, folder: Path, name: str, rounds: int) -> None:
    """Publish and stage one folder, both ways."""
    content = LocalIndex(None).identify(folder)
    files = [(folder / path, entry) for path, entry in content.walk() if entry.kind == "file"]
    stores = [open_store(server.config()) for _ in range(2 * rounds)]
    assert all(isinstance(store, ObstoreStore) and store.creates_exclusively for store in stores)
    ours = [Contents(store, threads=THREADS) for store in stores[:rounds]]
    direct = [store._store for store in stores[rounds:]]  # type: ignore[attr-defined]

    def send(store: object) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda f: obstore.put(store, blob_key(f[1].digest), f[0], chunk_size=PART), files))

    def receive(store: object, target: Path) -> None:
        def one(number: int) -> None:
            with (target / str(number)).open("wb") as out:
                for chunk in obstore.get(store, blob_key(files[number][1].digest)).stream(PART):
                    out.write(chunk)

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, range(len(files))))
        shutil.rmtree(target)

    def fetch(contents: Contents, target: Path) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda n: contents.fetch(files[n][1].digest, target / str(n)), range(len(files))))
        shutil.rmtree(target)

    compare(
        f"publish {name}",
        server,
        [lambda c=c: c.publish(folder, content) for c in ours],
        [lambda s=s: send(s) for s in direct],
    )
    with tempfile.TemporaryDirectory() as temporary:
        targets = [Path(temporary) / str(n) for n in range(2 * rounds)]
        for target in targets:
            target.mkdir()
        compare(
            f"stage {name}",
            server,
            [lambda c=c, t=t: fetch(c, t) for c, t in zip(ours, targets[:rounds], strict=True)],
            [lambda s=s, t=t: receive(s, t) for s, t in zip(direct, targets[rounds:], strict=True)],
        )
    for store in stores:
        store.delete([info.key for info in store.list()])


def listing(server: S3Server, count: int, rounds: int) -> None:
    """List many objects, both ways."""
    store = open_store(server.config())
    assert isinstance(store, ObstoreStore)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: store.put(f"data/{n:06}", b"x"), range(count)))

    def ours() -> None:
        assert sum(1 for _ in store.list("data")) == count

    def theirs() -> None:
        assert sum(len(page) for page in obstore.list(store._store, "data", chunk_size=1000)) == count

    compare(f"list {count} objects", server, [ours] * rounds, [theirs] * rounds)


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    scale = 10 if parser.parse_args().quick else 1
    rounds = 3 if scale > 1 else 1
    with tempfile.TemporaryDirectory(prefix="mlpipe-bench-") as name, s3_server(Path(name)) as server:
        folder = Path(name) / "many"
        folder.mkdir()
        for number in range(10_000 // scale):
            (folder / f"{number:05}").write_bytes(os.urandom(100 << 10))
        transfers(server, folder, f"{10_000 // scale} x 100 KiB", rounds)
        shutil.rmtree(folder)
        listing(server, 20_000 // scale, 3)
    with tempfile.TemporaryDirectory(prefix="mlpipe-bench-") as name, s3_server(Path(name)) as server:
        folder = Path(name) / "large"
        folder.mkdir()
        with (folder / "file").open("wb") as file:
            for _ in range(2048 // scale):
                file.write(os.urandom(1 << 20))
        transfers(server, folder, f"1 x {2048 // scale} MiB", rounds)
    print(f"peak memory of the client, all in all: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MiB")


if __name__ == "__main__":
    main()
