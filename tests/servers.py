"""Real object stores for the tests: an S3 server (moto) and an Azure Blob server (Azurite), one of each for a session.

Each runs as a process of its own on a free port of 127.0.0.1, is waited for by asking it, and is ended with the
session; where the session is killed, the kernel ends it (``setpriv --pdeathsig``).  Everybody gets their own bucket.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from airflow_mlpipe.store.config import StoreConfig

ROOT = Path(__file__).parent.parent
# The account of every Azurite, published in its documentation.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """An S3 server that accepts any credentials.

    :param pid: of its process.
    """

    endpoint: str
    pid: int

    def new_bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        httpx.put(f"{self.endpoint}/{name}", headers=_ANYBODY).raise_for_status()
        return name

    def config(self, prefix: str = "", **options: object) -> StoreConfig:
        """What opens a new bucket of this server."""
        url = f"s3://{self.new_bucket()}/{prefix}"
        return StoreConfig(url=url, options=self.options | options)

    @property
    def options(self) -> dict[str, object]:
        """Options of a datastore of this server."""
        return {"key": "testing", "secret": "testing", "region": "us-east-1", "endpoint_url": self.endpoint}


# moto looks at nothing of it but that it is there.
_ANYBODY = {"Authorization": "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, Signature=0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureServer:
    """An Azure Blob server with one account.

    :param pid: of its process.
    """

    endpoint: str
    pid: int

    def new_container(self) -> str:
        """The name of a new, empty container."""
        from azure.storage.blob import BlobServiceClient

        name = f"container-{uuid.uuid4().hex[:12]}"
        with BlobServiceClient(
            self.endpoint, credential={"account_name": AZURE_ACCOUNT, "account_key": AZURE_KEY}
        ) as client:
            client.create_container(name)
        return name

    def config(self, prefix: str = "", **options: object) -> StoreConfig:
        """What opens a new container of this server."""
        return StoreConfig(url=f"abfs://{self.new_container()}/{prefix}", options=self.options | options)

    @property
    def options(self) -> dict[str, object]:
        """Options of a datastore of this server."""
        return {"account_name": AZURE_ACCOUNT, "account_key": AZURE_KEY, "endpoint": self.endpoint}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: Sequence[str], url: str, log: Path, *, seconds: float = 120) -> Iterator[int]:
    """Run a server until the block ends; its pid, once it answers HTTP at all.

    :raises RuntimeError: with its last words when it ends by itself or does not answer in time.
    """
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "KILL", *command]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    pid_file = log.with_suffix(".pid")
    pid_file.write_text(str(process.pid))
    try:
        deadline = time.monotonic() + seconds
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command} did not come up:\n{log.read_text(errors='replace')[-2000:]}")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        pid_file.unlink()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        httpx.get(url, timeout=5)
        return True
    time.sleep(0.05)
    return False


@contextlib.contextmanager
def s3_server(folder: Path, *, conditions: bool = True) -> Iterator[S3Server]:
    """Run an S3 server; without ``conditions`` one that ignores If-None-Match, as some products do."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    name = "s3" if conditions else "s3-without-conditions"
    module = ["-m", "moto.server", "-H", "127.0.0.1", "-p"]
    if not conditions:
        module = [str(ROOT / "tests" / "support" / "s3_without_conditions.py")]
    with running([sys.executable, *module, str(port)], endpoint, folder / f"{name}.log") as pid:
        yield S3Server(endpoint=endpoint, pid=pid)


@contextlib.contextmanager
def azure_server(folder: Path) -> Iterator[AzureServer]:
    """Run an Azure Blob server.  Skips the test where there is none and no npm to install it with."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"
    options = [
        "--silent",
        "--loose",
        "--skipApiVersionCheck",
        "--location",
        str(folder / "azurite"),
        "--blobPort",
        str(port),
    ]
    with running([_azurite(), *options], endpoint, folder / "azurite.log") as pid:
        yield AzureServer(endpoint=endpoint, pid=pid)


def _azurite() -> str:
    """The ``azurite-blob`` command: on the PATH, or where ``make test`` installs it."""
    found = shutil.which("azurite-blob") or shutil.which("azurite-blob", path=str(ROOT / ".tools/node_modules/.bin"))
    if found is not None:
        return found
    reason = (
        "no Azure Blob server: npm is not installed"
        if shutil.which("npm") is None
        else ("no Azure Blob server: azurite-blob is not on the PATH ('make .tools/.azurite' installs it)")
    )
    print(f"SKIPPING THE AZURE TESTS: {reason}", file=sys.stderr)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The session's S3 server."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def s3_without_conditions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """The session's S3 server that overwrites what should be created only if absent."""
    with s3_server(tmp_path_factory.mktemp("s3"), conditions=False) as server:
        yield server


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """The session's Azure Blob server."""
    with azure_server(tmp_path_factory.mktemp("azure")) as server:
        yield server
