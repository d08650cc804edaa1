"""An Airflow of one's own on this machine: start, wait until it is healthy, ask, stop.

One folder holds all of it: database (SQLite), logs, login, process id.  The server listens on free ports of 127.0.0.1,
its processes are one family, and stopping ends that family and nothing else.  The demo and the system tests use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil

USER = "admin"
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class EmbeddedError(RuntimeError):
    """Airflow could not be started; the message ends with the last lines that it printed."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """Where a running Airflow is, and how to get in.

    :param pid: the process group's leader. :param started: its creation time, so that a process id that was given to
        another program meanwhile is not taken for ours.
    """

    url: str
    username: str
    password: str
    pid: int
    started: float


class EmbeddedAirflow:
    """The Airflow in one folder; any number of these objects, in any process, can look at the same one.

    :param home: the folder. :param dags: the folder (or a link to it) of the DAG files.
    :param options: further Airflow options, as environment variables.
    """

    def __init__(self, home: Path, *, dags: Path, options: Mapping[str, str] | None = None) -> None:
        self.home = home.absolute()
        self.dags = dags.absolute()
        self.options = dict(options or {})
        self._state = self.home / "embedded.json"
        self.log = self.home / "airflow.log"

    def login(self) -> Login | None:
        """Where it runs; ``None`` when it does not."""
        try:
            login = Login(**json.loads(self._state.read_text()))
            alive = abs(psutil.Process(login.pid).create_time() - login.started) < 1
        except (OSError, ValueError, TypeError, psutil.Error):
            return None
        return login if alive else None

    def start(self, *, timeout: float = 600) -> Login:
        """Start it, unless it runs, and wait until all of its components are healthy.

        :param timeout: seconds; a busy machine takes minutes for what takes ten seconds on a quiet one.
        :raises EmbeddedError: when it ends, or is not healthy in time.
        """
        login = self.login() or self._launch()
        try:
            wait_for(lambda: self.healthy(login), timeout, process=login.pid)
        except TimeoutError as error:
            raise EmbeddedError(f"Airflow {error}.\nThe end of {self.log}:\n{self._log_tail()}") from None
        return login

    def healthy(self, login: Login) -> bool:
        """Whether every component says that it is."""
        try:
            health = httpx.get(f"{login.url}/api/v2/monitor/health", timeout=10).json()
        except (httpx.HTTPError, ValueError):
            return False
        return all(health.get(name, {}).get("status") == "healthy" for name in COMPONENTS)

    def stop(self, *, timeout: float = 30) -> bool:
        """End it and all of its processes.  Returns whether it ran."""
        login = self.login()
        if login is None:
            self._state.unlink(missing_ok=True)
            return False
        # The tasks' supervisors lead groups of their own: ask before the parents are gone.
        leader = psutil.Process(login.pid)
        family = [leader, *leader.children(recursive=True)]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(login.pid, signal.SIGTERM)
        _, left = psutil.wait_procs(family, timeout=timeout)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=timeout)
        self._state.unlink(missing_ok=True)
        return True

    def environment(self) -> dict[str, str]:
        """The environment variables of a process of this Airflow; nothing of the caller's own Airflow is in them."""
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AIRFLOW_", "MLPIPE_"))}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        bins = os.path.dirname(sys.executable)
        return kept | {
            "PATH": f"{bins}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": str(max(3, min(8, os.cpu_count() or 1))),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.home / "passwords.json"),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(self.home / "logs"),
            # Every step waits for the scheduler's loop once; the default of a second is most of a short step's time.
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
            **self.options,
        }

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run an ``airflow`` command of this Airflow to its end."""
        return subprocess.run(
            ["airflow", *command], env=self.environment(), capture_output=True, text=True, check=False
        )

    def _launch(self) -> Login:
        if (Path(sys.executable).parent / "airflow").exists() is False:
            raise EmbeddedError(f"there is no airflow beside {sys.executable}; run this with the Python of the venv")
        self.home.mkdir(parents=True, exist_ok=True)
        password = self._password()
        port, workers, triggers = free_ports(3)
        url = f"http://127.0.0.1:{port}"
        ports = {
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(workers),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(triggers),
        }
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / "airflow"), "standalone"],
                env=self.environment() | ports,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = psutil.Process(process.pid).create_time()
        login = Login(url=url, username=USER, password=password, pid=process.pid, started=started)
        self._state.touch(mode=0o600)
        self._state.write_text(json.dumps(asdict(login)))
        return login

    def _password(self) -> str:
        """The login's password: made once, kept in a file that only its owner reads."""
        path = self.home / "passwords.json"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
        password: str = json.loads(path.read_text())[USER]
        return password

    def _log_tail(self, lines: int = 40) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


def wait_for(ready: Callable[[], bool], timeout: float, *, every: float = 0.5, process: int | None = None) -> None:
    """Poll until something is so.

    :param timeout: seconds. :param every: seconds between two looks.
    :param process: a process without which it will never be so.
    :raises TimeoutError: when it is not so in time, or the process ended.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        if process is not None and not _runs(process):
            raise TimeoutError("ended while it was waited for")
        if time.monotonic() > deadline:
            raise TimeoutError(f"was not ready within {timeout:.0f} s")
        time.sleep(every)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, also what is read-only (the cache's blobs are)."""
    if not folder.exists():
        return
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir() and not p.is_symlink())):
        path.chmod(0o700)
    shutil.rmtree(folder)
