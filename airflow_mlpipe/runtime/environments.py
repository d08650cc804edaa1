"""Stage: the Python that a step's code runs in: the worker's own, or one that uv built from a requirements file.

An environment is built once per host and content.  Several tasks may want one at the same time: a lock per environment
lets one build while the others wait.  ``.complete`` is written last, so that what a killed build left is built again.
While a step uses an environment it holds the lock shared, so that :meth:`Environments.remove_unused` leaves it alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from airflow_mlpipe.errors import ConfigurationError, EnvironmentBuildError, ProgramFailedError
from airflow_mlpipe.fingerprint.canonical import dump
from airflow_mlpipe.fingerprint.environment import requirements_identity
from airflow_mlpipe.fingerprint.statcache import write_atomically
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.runtime.process import Process, Program

COMPLETE = ".complete"
_DOMAIN = b"mlpipe.environment/1\0"
_NOT_UVS = re.compile(r"AIRFLOW_|MLPIPE_|VIRTUAL_ENV$|CONDA_|PYTHON")
_INCLUDE = re.compile(rb"^\s*(?:-r|--requirement|-c|--constraint)[\s=]+(\S+)", re.MULTILINE)
OnLine = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python to run scripts with.

    :param prefix: the virtual environment that it belongs to; ``None`` when it is none.
    :param is_of_host: whether it runs on this host, and not in a container. :param path: ``PYTHONPATH`` of its image.
    """

    python: Path
    prefix: Path | None = None
    is_of_host: bool = True
    path: str | None = None

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.python.parent


def worker_interpreter() -> Interpreter:
    """The Python that runs this."""
    return Interpreter(python=Path(sys.executable), prefix=Path(sys.prefix) if sys.prefix != sys.base_prefix else None)


class Environments:
    """The environments of this host.

    :param root: folder that holds one folder each.
    :param uv: path of uv; by default the one on PATH, or of the ``uv`` package.
    """

    def __init__(self, root: Path, *, uv: str | None = None) -> None:
        self._root = root
        self._uv = uv

    @contextlib.contextmanager
    def use(self, environment: Environment, on_line: OnLine, *, where: str) -> Iterator[Interpreter]:
        """The interpreter for a step, built if need be, and kept while the ``with`` block runs.

        :param environment: ``requirements`` is an absolute path here.
        :raises EnvironmentBuildError: uv failed; its last lines are in the message.
        :raises ConfigurationError: there is no uv, or no requirements file.
        """
        if not environment.is_built:
            yield worker_interpreter()
            return
        requirements = Path(environment.requirements) if environment.requirements is not None else None
        if environment.packages:
            requirements = self._written(environment.packages)
        digest = environment_digest(requirements, environment.python, where=where)
        folder = self._root / digest
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / f"{digest}.lock").open("a+") as lock:
            while True:
                _lock(lock, fcntl.LOCK_SH, on_line)
                if (folder / COMPLETE).exists():
                    break
                _lock(lock, fcntl.LOCK_EX, on_line)
                if not (folder / COMPLETE).exists():
                    self._build(folder, requirements, environment.python, on_line, where)
            with contextlib.suppress(OSError):  # a read-only cache is fine: it is only not known to be used
                os.utime(folder / COMPLETE)
            yield Interpreter(python=folder / "bin" / "python", prefix=folder)

    def _written(self, packages: tuple[str, ...]) -> Path:
        """A requirements file of packages that are named by their text, by its content."""
        text = "".join(f"{line}\n" for line in packages)
        folder = self._root / "packages"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.txt"
        if not path.exists():
            write_atomically(path, text.encode())
        return path

    def remove_unused(self, seconds: float) -> tuple[str, ...]:
        """Remove environments that no step uses now or has used for so long; returns their digests."""
        removed = []
        for path in sorted(self._root.glob("*.lock")):
            folder = path.with_suffix("")
            with path.open("a+") as lock, contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mark = folder / COMPLETE
                used = (mark if mark.exists() else path).stat().st_mtime
                if time.time() - used >= seconds and folder.exists():
                    mark.unlink(missing_ok=True)  # first: what is half removed is built again
                    shutil.rmtree(folder)
                    removed.append(folder.name)
        return tuple(removed)

    def _build(self, folder: Path, requirements: Path | None, python: str | None, on_line: OnLine, where: str) -> None:
        uv = find_uv(self._uv, where=where)
        if folder.exists():
            on_line("removing an environment whose build was interrupted")
            shutil.rmtree(folder)
        on_line(f"building the environment {folder.name[:12]} from {requirements or f'Python {python}'}")
        started = time.monotonic()
        common = ("--no-progress", "--color", "never")
        version = python or sys.executable
        self._run((uv, "venv", *common, "--quiet", "--python", version, str(folder)), on_line, requirements, where)
        if requirements is not None:
            # uv takes a local project for unchanged while its pyproject.toml is; here its files decide.
            refresh = ("--refresh",) if _names_projects(requirements) else ()
            install = (uv, "pip", "install", *common, "--compile-bytecode", "--python", str(folder / "bin" / "python"))
            self._run((*install, *refresh, "-r", str(requirements)), on_line, requirements, where)
        mark = folder / f"{COMPLETE}.new"
        mark.write_text(json.dumps({"requirements": str(requirements), "python": python}), encoding="utf-8")
        mark.replace(folder / COMPLETE)
        on_line(f"built in {time.monotonic() - started:.1f} s")

    def _run(self, argv: tuple[str, ...], on_line: OnLine, requirements: Path | None, where: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not _NOT_UVS.match(name)}
        cwd = requirements.parent if requirements else self._root
        program = Program(argv=argv, cwd=cwd, environment=environment, where=where)
        try:
            Process(program, on_line).run()
        except ProgramFailedError as error:
            tail = "".join(f"\n  {line}" for line in error.tail)
            raise EnvironmentBuildError(
                f"uv could not build the environment from {requirements or f'Python {argv[-2]}'} (exit code "
                f"{error.exit_code}); its last lines:{tail}",
                where=where,
                fix="try it by hand: uv pip install -r <the file>",
            ) from error


def environment_digest(requirements: Path | None, python: str | None, *, where: str) -> str:
    """What tells environments of a host apart: the requirements with the files they include, Python and platform.

    The content of projects that are named by a local path counts, as it does for the fingerprint: else a step that
    executes because such a project changed would execute in the environment with the old one.

    :raises ConfigurationError: when a file is not there. :raises DefinitionError: when a local project is not.
    """
    if python is None:  # the worker's: an environment built from another interpreter of that version may not fit
        python = f"{sys.implementation.cache_tag} {platform.python_version()} {sys.base_prefix}"
    digest = hashlib.sha256(_DOMAIN + f"{python}\0{sys.platform}\0{platform.machine()}\0".encode())
    waiting, seen = [requirements] if requirements else [], set[Path]()
    while waiting:
        path = waiting.pop()
        try:
            data = path.read_bytes()
        except OSError as error:
            fix = "name a file that is there on the worker"
            raise ConfigurationError(
                f"the requirements file cannot be read ({error.strerror})", where=where, given=str(path), fix=fix
            ) from error
        seen.add(path)
        digest.update(len(data).to_bytes(8, "big") + data)
        included = (path.parent / os.fsdecode(name) for name in _INCLUDE.findall(data) if b"://" not in name)
        waiting.extend(p for p in included if p not in seen)
    if requirements is not None:
        digest.update(dump(sorted(requirements_identity(str(requirements)).values())))
    return digest.hexdigest()


def _names_projects(requirements: Path) -> bool:
    """Whether a requirements file names a project of this disk by its folder."""
    return any((requirements.parent / name).is_dir() for name in requirements_identity(str(requirements)))


def find_uv(given: str | None, *, where: str) -> str:
    """The path of uv: the given one, the one on PATH, or that of the ``uv`` package.

    :raises ConfigurationError: when there is none.
    """
    if given is not None:
        if path := shutil.which(given):
            return path
        raise ConfigurationError("this uv cannot be executed", where="[mlpipe] uv", given=given)
    if path := shutil.which("uv"):
        return path
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        raise ConfigurationError(
            "Environment(requirements=...) is built by uv, which is not installed",
            where=where,
            fix='pip install "airflow-provider-mlpipe[environments]", or set [mlpipe] uv to its path',
        ) from None


def _lock(lock: TextIO, how: int, on_line: OnLine) -> None:
    """Take a lock.  It polls: a blocking flock in a thread could not be interrupted."""
    told, waiting = False, threading.Event()
    while True:
        try:
            return fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                on_line("waiting for another task that builds this environment")
                told = True
            waiting.wait(0.1)
