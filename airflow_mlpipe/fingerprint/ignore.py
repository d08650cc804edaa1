"""Which files of a source folder are not code: ``.mlpipeignore`` in the syntax of gitignore, in any folder.

Like git, a deeper file overrides one above it, the last pattern that matches decides, and what is below an ignored
folder cannot be brought back.
"""

from __future__ import annotations

import os
from functools import lru_cache

from pathspec import GitIgnoreSpec

from airflow_mlpipe.errors import DefinitionError

FILE = ".mlpipeignore"
AZUREML = ".amlignore"
"""Azure ML's, read in folders without one of ours."""

DEFAULTS = (
    "__pycache__/",
    "*.pyc",
    ".git/",
    ".ipynb_checkpoints/",
    ".venv/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
    ".DS_Store",
    FILE,
    AZUREML,
)
"""Ignored everywhere, unless a pattern says ``!``."""


class Ignore:
    """The ignore files of one source folder, read as the walk comes to them.

    :param root: absolute path of the source folder. :param exclude: patterns that no ignore file overrides.
    """

    def __init__(self, root: str, exclude: tuple[str, ...] = ()) -> None:
        self._root = root
        self._exclude = compile_patterns(exclude, where="exclude") if exclude else None
        self._specs: dict[str, GitIgnoreSpec | None] = {}

    def keeps(self, path: str, is_folder: bool) -> bool:
        """Whether a member counts as code; asked of a folder before its members.

        :param path: relative, POSIX.
        :raises DefinitionError: for a pattern that cannot be understood.
        """
        if self._exclude is not None and self._exclude.match_file(f"{path}/" if is_folder else path):
            return False
        folder, name = os.path.split(path)
        below = f"{name}/" if is_folder else name
        while True:
            if (spec := self._spec(folder)) and (decided := spec.check_file(below).include) is not None:
                return not decided
            if not folder:
                decided = _defaults().check_file(f"{path}/" if is_folder else path).include
                return not decided
            folder, name = os.path.split(folder)
            below = f"{name}/{below}"

    def keeps_all_of(self, path: str) -> bool:
        """Whether a file and all folders that it is in count.  :raises DefinitionError: as :meth:`keeps`."""
        parts = path.split("/")
        folders = ("/".join(parts[:n]) for n in range(1, len(parts)))
        return all(self.keeps(folder, True) for folder in folders) and self.keeps(path, False)

    def _spec(self, folder: str) -> GitIgnoreSpec | None:
        if folder not in self._specs:
            at = os.path.join(self._root, folder)
            ours = _read(os.path.join(at, FILE))
            self._specs[folder] = ours if ours is not None else _read(os.path.join(at, AZUREML))
        return self._specs[folder]


def _read(file: str) -> GitIgnoreSpec | None:
    try:
        with open(file, encoding="utf-8") as lines:
            return compile_patterns(lines.read().splitlines(), where=file)
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise DefinitionError("an ignore file is UTF-8 text", where=file, given=str(error)) from error


@lru_cache(maxsize=1)
def _defaults() -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(DEFAULTS)


def compile_patterns(lines: list[str] | tuple[str, ...], *, where: str) -> GitIgnoreSpec:
    """Patterns in the syntax of gitignore.

    :raises DefinitionError: for one that cannot be understood.
    """
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise DefinitionError(f"not a pattern ({error})", where=where, given=list(lines)) from error
