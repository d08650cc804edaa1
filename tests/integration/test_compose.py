"""The deployment files: every option and command exists, nothing secret has a default, the image's wheel works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tools.compose_env import settings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer")


def _variables(text: str) -> dict[str, str]:
    """Variables of compose's interpolation and how each is written: `:-default`, `:?message`."""
    return dict(re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", text))


def test_every_airflow_option_of_the_compose_file_exists():
    """A misspelt option would be ignored in silence."""
    from airflow.configuration import conf

    from airflow_mlpipe.provider import get_provider_info

    known = {s: set(options["options"]) for s, options in conf.configuration_description.items()}
    known |= {s: set(options["options"]) for s, options in get_provider_info()["config"].items()}
    for service in AIRFLOW_SERVICES:
        for name in COMPOSE["services"][service]["environment"]:
            if name.startswith("AIRFLOW__"):
                section, option = name.removeprefix("AIRFLOW__").lower().split("__")
                assert option in known.get(section, ()), name


@pytest.mark.parametrize("service", AIRFLOW_SERVICES)
def test_every_airflow_command_of_the_compose_file_exists(service):
    """The command line's own parser takes each service's command."""
    from airflow.cli.cli_parser import get_parser

    program, *arguments = COMPOSE["services"][service]["command"]
    assert program == "airflow"
    assert get_parser().parse_args(arguments).subcommand == service


def test_no_secret_has_a_default():
    """Every variable that is a password or a key must be set, and `tools.compose_env` makes exactly those."""
    variables = _variables((ROOT / "docker-compose.yaml").read_text())
    required = {name for name, rest in variables.items() if rest.startswith(":?")}
    assert required == set(settings())
    assert not [n for n in variables if re.search("PASSWORD|KEY|SECRET", n) and n not in required]
    assert settings() != settings()


def test_the_fernet_key_that_is_made_is_one():
    """Airflow can encrypt with it."""
    from cryptography.fernet import Fernet

    assert Fernet(settings()["AIRFLOW_FERNET_KEY"].encode()).encrypt(b"x")


def test_every_image_is_behind_a_variable():
    """A deployment, or CI, can run the same file with its own images."""
    images = [service["image"] for service in COMPOSE["services"].values()]
    assert all(re.fullmatch(r"\$\{\w+:-[^}]+\}", image) for image in images), images


def test_the_workspace_connection_is_a_datastore(monkeypatch):
    """The connection that the compose file gives to the workers opens the workspace's store."""
    from airflow.sdk import Connection

    from airflow_mlpipe.hooks.datastore import config_of_connection

    given = COMPOSE["services"]["scheduler"]["environment"]["AIRFLOW_CONN_MLPIPE_WORKSPACE"]
    connection = Connection.from_json(
        given.replace("${S3_PASSWORD:?make .env first}", "secret"), conn_id="mlpipe_workspace"
    )
    config = config_of_connection(connection)
    assert config.url == COMPOSE["services"]["scheduler"]["environment"]["AIRFLOW__MLPIPE__WORKSPACE"]
    assert config.options == {
        "key": "mlpipe",
        "secret": "secret",
        "endpoint_url": "http://store:9000",
        "region": "us-east-1",
    }


def test_compose_itself_takes_the_file(tmp_path):
    """`docker compose config` finds nothing wrong, with and without the variables."""
    compose = _compose_command()
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in settings().items()))
    command = [*compose, "--file", str(ROOT / "docker-compose.yaml")]
    good = subprocess.run([*command, "--env-file", str(env_file), "config"], capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert "make .env first" not in good.stdout
    bad = subprocess.run([*command, "--env-file", os.devnull, "config"], capture_output=True, text=True)
    assert bad.returncode != 0
    assert "make .env first" in bad.stderr


def _compose_command() -> list[str]:
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            version = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
            if version.returncode == 0 and version.stdout.strip().lstrip("v").startswith("2."):
                return command
    pytest.skip("docker compose 2 is not installed here")


def test_the_dockerfile_copies_all_that_the_wheel_needs_and_only_that(tmp_path):
    """What the Dockerfile copies, and .dockerignore lets through, builds the same wheel as the clone."""
    copied = re.findall(r"^COPY (?!--from)(.+)$", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    names = [name for line in copied for name in line.split()[:-1]]
    allowed = {line.lstrip("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(names) == allowed
    context = tmp_path / "context"
    for name in names:
        source = ROOT / name
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    assert _members(_build(context, tmp_path / "a")) == _members(_build(ROOT, tmp_path / "b"))


def _build(source: Path, out: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def _members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_the_wheel_installs_into_an_empty_environment_and_airflow_lists_the_provider(tmp_path):
    """`pip install` of the wheel, with the image's extras, is all that a deployment needs."""
    uv = shutil.which("uv")
    assert uv, "uv is in the development environment"
    extras = re.search(r"ARG EXTRAS=(\S+)", (ROOT / "Dockerfile").read_text())
    assert extras
    wheel = _build(ROOT, tmp_path / "dist")
    venv = tmp_path / "venv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(venv)], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", str(venv), f"{wheel}[{extras[1]}]"], check=True, cwd=tmp_path
    )
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path / "home"), "PYTHONPATH": ""}
    listed = subprocess.run(
        [venv / "bin" / "airflow", "providers", "list", "--output", "plain"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "airflow-provider-mlpipe" in listed.stdout, listed.stderr
    imported = subprocess.run(
        [venv / "bin" / "python", "-c", "import airflow_mlpipe as m; print(m.ScriptStep.kind, m.__file__)"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert imported.stdout.startswith("script "), imported.stderr
    assert str(venv) in imported.stdout
