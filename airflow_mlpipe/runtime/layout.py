"""Stage: where everything of an attempt is on local disk.

``<root>/code`` the snapshot, ``inputs/<port>``, ``outputs/<port>``, ``work`` the current folder of a command without
code, ``home`` and ``tmp`` the program's own, ``private`` what only it may read (secrets), ``exchange`` the small files
that it and the engine read and write.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlpipe.errors import PathError
from airflow_mlpipe.model.data import check_relative

FOLDERS = ("code", "inputs", "outputs", "work", "home", "tmp", "private", "exchange")


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one attempt, below ``root``."""

    root: Path

    def make(self) -> None:
        """Make them, empty, for the owner alone; what an earlier attempt of this name left is removed."""
        remove(self.root)
        self.root.mkdir(parents=True, mode=0o700)
        for name in FOLDERS:
            (self.root / name).mkdir(mode=0o700)

    @property
    def code(self) -> Path:
        """The snapshot."""
        return self.root / "code"

    @property
    def work(self) -> Path:
        """Where a command without code runs."""
        return self.root / "work"

    @property
    def home(self) -> Path:
        """The program's home."""
        return self.root / "home"

    @property
    def tmp(self) -> Path:
        """For temporary files."""
        return self.root / "tmp"

    @property
    def private(self) -> Path:
        """Secrets."""
        return self.root / "private"

    @property
    def params(self) -> Path:
        """``MLPIPE_PARAMS``."""
        return self.root / "exchange" / "params.json"

    @property
    def metrics(self) -> Path:
        """``MLPIPE_METRICS``."""
        return self.root / "exchange" / "metrics.jsonl"

    @property
    def call(self) -> Path:
        """What a function is called with."""
        return self.root / "exchange" / "call.json"

    @property
    def answer(self) -> Path:
        """What it returned."""
        return self.root / "exchange" / "answer.json"

    @property
    def result(self) -> Path:
        """``MLPIPE_RESULT``."""
        return self.root / "exchange" / "result.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Where a program finds its data.

    :param inputs: path by port name; an optional input that its producer did not write is absent.
    :param outputs: path by port name.
    """

    inputs: Mapping[str, Path] = field(default_factory=dict)
    outputs: Mapping[str, Path] = field(default_factory=dict)


def below(root: Path, path: str) -> Path:
    """``root / path`` for a relative path that stays below it.

    :raises PathError: for one that does not.
    """
    relative = check_relative(path, where=str(root))
    if not relative:
        raise PathError("the path is its root", where=str(root), given=path)
    return root / relative


def remove(root: Path) -> None:
    """Remove a folder and all below it, read-only folders too; no error when it is not there.

    :raises OSError: when something cannot be removed.
    """
    if not root.exists():
        return
    for folder, _, _ in os.walk(root):
        mode = os.stat(folder).st_mode
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(folder, mode | stat.S_IRWXU)
    shutil.rmtree(root)
