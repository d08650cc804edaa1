"""The commands as Airflow wants them: read at every start of ``airflow``, so nothing is imported that it has not."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand, lazy_load_command

from airflow_mlpipe.cli.module_options import MODULE_COMMANDS
from airflow_mlpipe.cli.options import COMMANDS, Command


def get_provider_cli_commands() -> list[GroupCommand]:
    """The group ``airflow mlpipe``: the value of ``cli`` in the provider's description."""
    modules = GroupCommand(
        name="module", help="The library of steps that are shared", subcommands=[*map(_action, MODULE_COMMANDS)]
    )
    return [
        GroupCommand(
            name="mlpipe",
            help="Pipelines of steps: what runs, what is reused, and why",
            subcommands=[*map(_action, COMMANDS), modules],
        )
    ]


def _action(command: Command) -> ActionCommand:
    return ActionCommand(
        name=command.name,
        help=command.help,
        description=command.description,
        func=lazy_load_command(command.function),
        args=[Arg(flags=option.flags, **option.settings) for option in command.options],  # type: ignore[no-untyped-call]
    )
