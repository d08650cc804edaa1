"""What every command does alike: errors become one line on stderr, and an exit code."""

from __future__ import annotations

import functools
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from typing import Any

from airflow_mlpipe.cli.output import out, own_stdout
from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.documents import tag

FAILED, USAGE, TIMED_OUT, INTERRUPTED = 1, 2, 124, 130

Body = Callable[[Namespace], "int | None"]


class CommandLineError(MLPipeError):
    """The command line is wrong: exit code 2."""


def command(body: Body) -> Callable[[Namespace], None]:
    """Make a function a command: end the process with its exit code, and show errors without a traceback.

    A :class:`MLPipeError` ends with 1 and its message on stderr; errors of the command line with 2.  Anything else is a
    defect, and keeps its traceback.
    """

    @functools.wraps(body)
    def run(args: Namespace) -> None:
        try:
            with own_stdout():
                code = body(args)
        except MLPipeError as error:
            code = fail(error)
        except KeyboardInterrupt:
            code = INTERRUPTED
        except BrokenPipeError:
            code = 0  # the reader (head, less) has seen enough
        sys.exit(code or 0)

    return run


def fail(error: MLPipeError) -> int:
    """Write an error's message; return the exit code for it."""
    from airflow_mlpipe.experiment.errors import UsageError

    say(f"error: {error}")
    return USAGE if isinstance(error, (CommandLineError, UsageError)) else FAILED


def say(text: str) -> None:
    """Write a line for people, out of the way of what a program reads from stdout."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is removed.

    :raises CommandLineError: when there is nobody to ask, or the answer is not yes.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandLineError(
            "nobody can be asked here", fix="say --yes, or look first with --dry-run where there is one"
        )
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandLineError("not confirmed, nothing was removed")


def write_json(kind: str, members: Mapping[str, Any]) -> None:
    """Write the one document of ``--output json``: ``{"mlpipe": "<kind>/1", ...}``."""
    import json

    out().write(json.dumps(tag(kind, 1) | dict(members), indent=2, ensure_ascii=False) + "\n")
