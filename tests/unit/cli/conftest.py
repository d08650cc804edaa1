"""What the commands work on: a workspace in a folder, and a fake of Airflow's REST API behind a real port."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from airflow.cli.cli_config import CLICommand, GroupCommand
from support.rest_api import FakeAirflow, Server

from airflow_mlpipe.cli.definition import get_provider_cli_commands
from airflow_mlpipe.cli.workspace import open_workspace
from airflow_mlpipe.store.workspace import Workspace


@pytest.fixture
def fake() -> Iterator[FakeAirflow]:
    """A deployment with one DAG, ``digits``, and one user, ``ml``."""
    fake = FakeAirflow()
    with Server(fake):
        yield fake


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The deployment's workspace: a folder, named by Airflow's configuration as the commands read it."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", (tmp_path / "workspace").as_uri())
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # set by the commands; restored after the test
    return open_workspace()


@dataclass
class Result:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        """Stdout as one JSON document."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """Stdout as words."""
        return [line.split() for line in self.out.splitlines()]


def _call(arguments: argparse.Namespace) -> None:
    arguments.func(arguments)


def _add(parsers: argparse._SubParsersAction, commands: Iterable[CLICommand]) -> None:
    """As Airflow does: a group is a parser of its commands, a command one of its options."""
    for command in commands:
        parser = parsers.add_parser(command.name)
        if isinstance(command, GroupCommand):
            _add(parser.add_subparsers(required=True), command.subcommands)
            continue
        for argument in command.args:
            argument.add_to_parser(parser)
        parser.set_defaults(func=command.func)


@pytest.fixture
def mlpipe(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run ``airflow mlpipe ...`` in this process, by the parser that Airflow makes of our definition."""

    def run(*arguments: str) -> Result:
        parser = argparse.ArgumentParser(prog="airflow")
        _add(parser.add_subparsers(), get_provider_cli_commands())
        with pytest.raises(SystemExit) as ended:
            _call(parser.parse_args(["mlpipe", *arguments]))
        captured = capsys.readouterr()
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run
