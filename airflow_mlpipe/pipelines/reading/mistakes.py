"""All mistakes of a pipeline's file, told together, each as ``file:line:column``, which editors and terminals open."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_mlpipe.written.mistakes import Mistake, Mistakes, WrittenError
from airflow_mlpipe.written.places import Written, read_yaml


class PipelineFileError(WrittenError):
    """A pipeline's file has mistakes.

    :ivar file: its path. :ivar mistakes: all of them, in the order of their lines.
    """

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        super().__init__(file, sorted(mistakes, key=lambda one: (one.line, one.column)))

    def _message(self) -> str:
        lines = [
            f"{self.file}:{one.line}:{one.column}: {f'{one.at}: ' if one.at else ''}{one.what}" for one in self.mistakes
        ]
        if len(lines) == 1:
            return lines[0]
        return "\n  ".join([f"{self.file}: {self.what}:", *lines])


def read_file(text: str, file: str) -> Written:
    """Read YAML.  :raises PipelineFileError: when it is none, with a hint where ``${...}`` is the reason."""
    try:
        return read_yaml(text, file=file)
    except WrittenError as error:
        raise PipelineFileError(file, [_hinted(one, text) for one in error.mistakes]) from error


def _hinted(mistake: Mistake, text: str) -> Mistake:
    lines = text.splitlines()
    line = lines[mistake.line - 1] if 0 < mistake.line <= len(lines) else ""
    if not mistake.what.startswith("not YAML") or "${" not in line or not set(line) & set("[{"):
        return mistake
    what = f'{mistake.what}. fix: between [ and ] write references in quotes, "${{...}}"'
    return Mistake(line=mistake.line, column=mistake.column, at=mistake.at, what=what)


def check(mistakes: Mistakes) -> None:
    """:raises PipelineFileError: when there is any."""
    if mistakes.found:
        raise PipelineFileError(mistakes.file, mistakes.found)
