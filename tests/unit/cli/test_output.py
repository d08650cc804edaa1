"""Who writes to stdout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import logging, subprocess, sys
from argparse import Namespace
from airflow_mlpipe.cli.command import command, write_json
from airflow_mlpipe.errors import MLPipeError

logging.basicConfig(stream=sys.stdout, level="INFO")

@command
def body(args):
    print("printed")
    logging.info("logged")
    subprocess.run(["echo", "echoed"])
    write_json("test", {"ok": True})
    print("printed later")
    HOOK

body(Namespace())
"""


def _run(hook: str = "pass", **options: object) -> subprocess.CompletedProcess[str]:
    code = PROGRAM.replace("HOOK", hook)
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, stderr=subprocess.PIPE, **options)


def test_stdout_is_the_results_alone() -> None:
    """What a DAG file prints, what a logger writes and what a program says go to stderr."""
    shown = _run(stdout=subprocess.PIPE)
    assert shown.stdout == '{\n  "mlpipe": "test/1",\n  "ok": true\n}\n'
    for text in ("printed\n", "logged", "echoed\n", "printed later\n"):
        assert text in shown.stderr
    assert shown.returncode == 0


@pytest.mark.parametrize(
    ("hook", "code", "message"),
    [
        ("raise MLPipeError('it is broken')", 1, "error: it is broken."),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise ZeroDivisionError", 1, "Traceback"),
    ],
)
def test_an_error_is_a_line_and_a_defect_a_traceback(hook: str, code: int, message: str) -> None:
    """Users see what they can act on; what they cannot is not hidden."""
    shown = _run(hook, stdout=subprocess.PIPE)
    assert shown.returncode == code
    assert message in shown.stderr
    assert ("Traceback" in shown.stderr) == (message == "Traceback")


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """``... | head -0``: exit code 0, no traceback."""
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        shown = _run(stdout=reader.stdin)
    assert shown.returncode == 0
    assert "Traceback" not in shown.stderr
    assert "BrokenPipe" not in shown.stderr


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("\n", 2), ("n\n", 2), ("yy\n", 2)])
def test_only_a_yes_confirms(answer: str, code: int) -> None:
    """On a terminal the question is asked; anything but yes removes nothing."""
    leader, follower = os.openpty()
    with os.fdopen(leader, "w") as keyboard, os.fdopen(follower) as terminal:
        keyboard.write(answer)
        keyboard.flush()
        hook = "from airflow_mlpipe.cli.command import confirm; confirm('remove all?', yes=False)"
        shown = _run(hook, stdin=terminal, stdout=subprocess.PIPE)
    assert "remove all? [y/N]" in shown.stderr
    assert shown.returncode == code
    assert ("nothing was removed" in shown.stderr) == (code == 2)
