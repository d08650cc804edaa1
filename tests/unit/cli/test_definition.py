"""The commands as Airflow sees them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from airflow.cli.cli_config import GroupCommand

from airflow_mlpipe.cli.definition import get_provider_cli_commands
from airflow_mlpipe.cli.module_options import MODULE_COMMANDS
from airflow_mlpipe.cli.options import COMMANDS, TIME

ROOT = Path(__file__).parents[3]


def test_the_group_has_every_command() -> None:
    """One group, ``mlpipe``, and nothing beside it."""
    (group,) = get_provider_cli_commands()
    assert group.name == "mlpipe"
    assert [c.name for c in group.subcommands] == [
        "why",
        "plan",
        "spec",
        "graph",
        "ls",
        "show",
        "pin",
        "unpin",
        "forget",
        "gc",
        "submit",
        "import",
        "module",
    ]


def test_the_group_of_modules_has_every_command() -> None:
    """A group in the group, whose commands are in a list of their own."""
    (group,) = get_provider_cli_commands()
    modules = list(group.subcommands)[-1]
    assert isinstance(modules, GroupCommand)
    assert [c.name for c in modules.subcommands] == [
        "publish",
        "ls",
        "show",
        "diff",
        "deprecate",
        "yank",
        "default",
        "test",
        "init",
        "lock",
    ]


@pytest.mark.parametrize("command", [*COMMANDS, *MODULE_COMMANDS], ids=lambda c: c.name)
def test_every_command_can_be_imported(command: object) -> None:
    """The dotted path that is imported when the command is called leads to a function."""
    import importlib

    module, _, name = command.function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("command", [*COMMANDS, *MODULE_COMMANDS], ids=lambda c: c.name)
def test_every_command_can_write_json(command: object) -> None:
    """``-o json`` is the same everywhere."""
    assert any(o.flags == ("-o", "--output") for o in command.options)


def test_the_definition_is_light() -> None:
    """Read at every start of ``airflow``: it adds nothing but these modules of ours to Airflow's own."""
    code = (
        "import sys; import airflow.cli.cli_config; before = set(sys.modules)\n"
        "import airflow_mlpipe.cli.definition as d; d.get_provider_cli_commands()\n"
        "new = set(sys.modules) - before\n"
        "print(*(m for m in new if not m.startswith('importlib')))"
    )
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    new = set(shown.splitlines()[-1].split())
    names = ("definition", "module_options", "options")
    ours = {"airflow_mlpipe", "airflow_mlpipe.cli", *(f"airflow_mlpipe.cli.{name}" for name in names)}
    assert "airflow_mlpipe.cli.definition" in new
    assert new <= ours


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("0.5m", 30), ("24h", 86400), ("30d", 30 * 86400)]
)
def test_times_have_a_unit(text: str, seconds: float) -> None:
    """Seconds, minutes, hours, days; seconds without one."""
    assert TIME(text) == seconds


@pytest.mark.parametrize("text", ["", "d", "-1d", "1w", "1.2.3s", "inf", "nan"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    """A misread age could remove a year of results."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        TIME(text)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_every_command_and_option_is_documented(command: object) -> None:
    """``docs/cli.md`` has a section for each command that names all of its options."""
    text = (ROOT / "docs" / "cli.md").read_text()
    sections = {title: body for title, _, body in (part.partition("\n") for part in text.split("\n## "))}
    section = next(body for title, body in sections.items() if command.name in title.replace(",", " ").split())
    general = text.partition("\n## ")[0] + sections["submit"]
    for option in command.options:
        long = option.flags[-1]
        if long.startswith("--") and long not in ("--password", "--token"):  # declared in order to be refused
            assert long in section or long in general, long


@pytest.mark.parametrize("command", MODULE_COMMANDS, ids=lambda c: c.name)
def test_every_command_about_modules_is_documented(command: object) -> None:
    """``docs/cli.md`` has a section for all of them, with a line for each that names its options."""
    section = (ROOT / "docs" / "cli.md").read_text().partition("\n## module\n")[2].partition("\n## ")[0]
    (line,) = [row for row in section.splitlines() if row.startswith((f"| `{command.name} ", f"| `{command.name}`"))]
    for option in command.options:
        if option.flags[-1].startswith("--") and option.flags[-1] != "--output":
            assert option.flags[-1] in line, option.flags
