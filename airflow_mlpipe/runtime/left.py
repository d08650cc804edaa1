"""Verify: what a program left is where it was put, before anybody who may read more than the program follows it.

Whoever publishes - a worker, the agent - reads with rights of its own.  A program that puts a link in the place of a
folder or a file of its attempt would have it read something else: a configuration, credentials.  The program has ended
when this is called, so nothing changes any more.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from airflow_mlpipe.errors import OutputInvalidError
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.layout import Layout, below


def check_left(step: StepSpec, layout: Layout) -> None:
    """The folders of an attempt are folders, and its small files are files or absent.

    :raises OutputInvalidError: naming what is something else.
    """
    outputs = layout.root / "outputs"
    # An output that is a folder itself is looked at where it is verified.
    inner = [below(outputs, port.name) for port in step.outputs if port.kind == "file" or step.function is not None]
    for folder in (layout.params.parent, outputs, *inner):
        _check(step, folder, stat.S_ISDIR)
    for file in (layout.result, layout.metrics, layout.answer):
        _check(step, file, stat.S_ISREG)


def _check(step: StepSpec, path: Path, wanted: Callable[[int], bool]) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not wanted(mode):
        what = "a link" if stat.S_ISLNK(mode) else "something else"
        raise OutputInvalidError(
            "the program put something in the place of a folder or file of its attempt",
            where=step.label,
            given=f"{path} is {what}",
            fix="write into the folders and files that are there",
        )
