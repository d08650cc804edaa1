"""Environments are built by uv once per host and content; a real uv, and packages that need no network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from airflow_mlpipe.errors import ConfigurationError, EnvironmentBuildError
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.runtime import environments
from airflow_mlpipe.runtime.environments import COMPLETE, Environments, environment_digest, find_uv, worker_interpreter

ROOT = Path(environments.__file__).parents[2]


def wheel(folder: Path, version: str = "1.0") -> Path:
    """A wheel with one module, ``tinypkg``, which says its version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tinypkg-{version}-py3-none-any.whl"
    info = f"tinypkg-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tinypkg.py", f"VERSION = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tinypkg\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A requirements file for the wheel."""
    path = tmp_path / "requirements.txt"
    path.write_text(f"tinypkg @ {wheel(tmp_path / 'wheels').as_uri()}\n")
    return path


@pytest.fixture
def counted_uv(tmp_path: Path) -> Path:
    """The real uv, which also notes what it was asked to do."""
    path = tmp_path / "uv"
    path.write_text(f'#!/bin/sh\necho "$1 $2" >> "{tmp_path}/calls"\nexec "{find_uv(None, where="test")}" "$@"\n')
    path.chmod(0o755)
    return path


def calls(tmp_path: Path) -> list[str]:
    """What uv was asked to do."""
    return [line for line in (tmp_path / "calls").read_text().splitlines() if line.startswith("pip install")]


def version_in(python: Path) -> str:
    """What the environment's package says."""
    done = subprocess.run([python, "-c", "import tinypkg; print(tinypkg.VERSION)"], capture_output=True, text=True)
    return done.stdout.strip()


def test_without_requirements_it_is_the_workers_python(tmp_path: Path) -> None:
    """Nothing is built, and uv is not needed."""
    with Environments(tmp_path, uv="/no/such/uv").use(Environment(), print, where="step") as interpreter:
        assert interpreter == worker_interpreter()
        assert str(interpreter.python) == sys.executable
    assert not list(tmp_path.iterdir())


def test_an_environment_is_built_and_then_reused(tmp_path: Path, requirements: Path, counted_uv: Path) -> None:
    """The second use asks uv for nothing; the package is there, compiled."""
    lines: list[str] = []
    hosts = Environments(tmp_path / "environments", uv=str(counted_uv))
    for _ in range(2):
        with hosts.use(Environment(requirements=str(requirements)), lines.append, where="step") as interpreter:
            assert version_in(interpreter.python) == "1.0"
            assert interpreter.prefix is not None
            assert list(interpreter.prefix.rglob("tinypkg.*.pyc"))
    assert len(calls(tmp_path)) == 1
    assert any("tinypkg" in line for line in lines)


def test_other_requirements_are_another_environment(tmp_path: Path, requirements: Path) -> None:
    """What the file says decides, and what the files that it includes say; its name and place do not."""
    before = environment_digest(requirements, None, where="step")
    moved = tmp_path / "elsewhere" / "lock.txt"
    moved.parent.mkdir()
    moved.write_bytes(requirements.read_bytes())
    assert environment_digest(moved, None, where="step") == before
    assert environment_digest(requirements, "3.12", where="step") != before
    (tmp_path / "more.txt").write_text("a")
    requirements.write_text("-r more.txt\n")
    included = environment_digest(requirements, None, where="step")
    (tmp_path / "more.txt").write_text("b")
    assert len({before, included, environment_digest(requirements, None, where="step")}) == 3


BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, info = "tinypkg-1-py3-none-any.whl", "tinypkg-1.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as archive:
        archive.write("tinypkg.py")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: tinypkg\\nVersion: 1\\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(f"{info}/RECORD", "")
    return name
"""


def test_a_local_project_is_built_anew_when_its_files_change(tmp_path: Path) -> None:
    """A project that is named by its path is in the environment as it is now, although its version stays."""
    project = tmp_path / "lib"
    project.mkdir()
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "tinypkg"\nversion = "1"\n'
    )
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("./lib\n")
    hosts = Environments(tmp_path / "environments")
    for version in ("old", "new"):
        (project / "tinypkg.py").write_text(f"VERSION = {version!r}\n")
        with hosts.use(Environment(requirements=str(requirements)), print, where="step") as interpreter:
            assert version_in(interpreter.python) == version


USE = """
import sys
from pathlib import Path
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.runtime.environments import Environments
root, uv, requirements = sys.argv[1:]
with Environments(Path(root), uv=uv).use(Environment(requirements=requirements), print, where="step") as interpreter:
    print("python", interpreter.python)
"""


def test_two_processes_that_want_one_environment_build_it_once(
    tmp_path: Path, requirements: Path, counted_uv: Path
) -> None:
    """The others wait, and then use it."""
    argv = [sys.executable, "-c", USE, str(tmp_path / "environments"), str(counted_uv), str(requirements)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    users = [subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [user.communicate()[0] for user in users]
    assert [user.returncode for user in users] == [0, 0, 0]
    assert len({output.split("python ")[-1] for output in outputs}) == 1
    assert len(calls(tmp_path)) == 1


def test_an_interrupted_build_is_built_again(tmp_path: Path, requirements: Path) -> None:
    """A killed build leaves a folder without its mark: nobody uses it."""
    hosts = Environments(tmp_path / "environments")
    environment = Environment(requirements=str(requirements))
    with hosts.use(environment, print, where="step") as interpreter:
        prefix = interpreter.prefix
    assert prefix is not None
    (prefix / COMPLETE).unlink()
    next(prefix.rglob("tinypkg.py")).unlink()
    with hosts.use(environment, print, where="step") as interpreter:
        assert version_in(interpreter.python) == "1.0"


def test_a_failed_build_says_what_uv_said(tmp_path: Path) -> None:
    """The package that does not exist is in the message, and the next task tries again."""
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"tinypkg==2.0\n--no-index\n--find-links {wheel(tmp_path / 'wheels').parent}\n")
    hosts = Environments(tmp_path / "environments")
    with (
        pytest.raises(EnvironmentBuildError, match=r"tinypkg==2\.0") as caught,
        hosts.use(Environment(requirements=str(requirements)), print, where="step a"),
    ):
        pass
    assert str(caught.value).startswith("step a: uv could not build the environment")
    wheel(tmp_path / "wheels", "2.0")
    with hosts.use(Environment(requirements=str(requirements)), print, where="step") as interpreter:
        assert version_in(interpreter.python) == "2.0"


def test_a_missing_uv_names_the_extra(tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither on PATH nor installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "uv", None)
    hosts = Environments(tmp_path / "environments")
    with (
        pytest.raises(ConfigurationError, match=r"airflow-provider-mlpipe\[environments\]"),
        hosts.use(Environment(requirements=str(requirements)), print, where="step"),
    ):
        pass


def test_a_missing_requirements_file_is_told(tmp_path: Path) -> None:
    """With its path."""
    with (
        pytest.raises(ConfigurationError, match=r"none\.txt"),
        Environments(tmp_path).use(Environment(requirements=str(tmp_path / "none.txt")), print, where="step"),
    ):
        pass


def test_uv_sees_nothing_of_airflow(tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Building a package runs its authors' code: connections are none of its business, nor is the worker's venv."""
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\nenv >> "{tmp_path}/seen"\nexec "{find_uv(None, where="test")}" "$@"\n')
    uv.chmod(0o755)
    monkeypatch.setenv("AIRFLOW_CONN_DB", "postgres://secret")
    monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
    monkeypatch.setenv("UV_SOMETHING", "kept")
    with Environments(tmp_path / "e", uv=str(uv)).use(Environment(requirements=str(requirements)), print, where="s"):
        pass
    seen = (tmp_path / "seen").read_text()
    assert "UV_SOMETHING=kept" in seen
    assert "secret" not in seen
    assert "/somewhere" not in seen


def test_clean_up_takes_what_nobody_uses(tmp_path: Path, requirements: Path) -> None:
    """Not one that a step is using, not one that was used lately."""
    hosts = Environments(tmp_path / "environments")
    with hosts.use(Environment(requirements=str(requirements)), print, where="step") as interpreter:
        assert interpreter.prefix is not None
        assert hosts.remove_unused(0) == ()
    assert hosts.remove_unused(3600) == ()
    assert hosts.remove_unused(0) == (interpreter.prefix.name,)
    assert not interpreter.prefix.exists()
    with hosts.use(Environment(requirements=str(requirements)), print, where="step") as interpreter:
        assert version_in(interpreter.python) == "1.0"


def test_packages_by_their_text_are_installed(tmp_path: Path, counted_uv: Path) -> None:
    """The same list is built once, whatever its order."""
    tiny = f"tinypkg @ {wheel(tmp_path / 'wheels').as_uri()}"
    environments = Environments(tmp_path / "cache", uv=str(counted_uv))
    with environments.use(Environment(packages=(tiny,)), print, where="test") as interpreter:
        assert version_in(interpreter.python) == "1.0"
    with environments.use(Environment(packages=(tiny, tiny)), print, where="test"):
        pass
    assert len(calls(tmp_path)) == 1
