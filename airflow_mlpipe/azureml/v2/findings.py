"""What an import has to say of the files that it read: what has no equivalent, and what has to be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from airflow_mlpipe.written.mistakes import Mistake, WrittenError

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.v2.nodes import Node

Level = Literal["stops", "todo", "differs"]
LEVELS: dict[Level, str] = {
    "stops": "the pipeline cannot be made",
    "todo": "made, and somebody has to complete it",
    "differs": "made, and this is different here or has no meaning",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """One thing in one place.

    :param at: the member, ``jobs.train.sweep``. :param fix: what to do or to use instead.
    """

    file: str
    line: int
    at: str
    level: Level
    what: str
    fix: str = ""

    def __str__(self) -> str:
        text = (
            f"{self.file}:{self.line}: {self.at}: {self.what}" if self.at else f"{self.file}:{self.line}: {self.what}"
        )
        return f"{text}; {self.fix}" if self.fix else text


@dataclass(slots=True)
class Findings:
    """All findings of one import, each once."""

    found: list[Finding] = field(default_factory=list)

    def add(self, node: Node, level: Level, what: str, fix: str = "") -> None:
        """Remember one, at the line where the member's name is."""
        one = Finding(file=node.file, line=node.line, at=node.at, level=level, what=what, fix=fix)
        if one not in self.found:
            self.found.append(one)

    def stops(self, node: Node, what: str, fix: str = "") -> None:
        """The pipeline cannot be made."""
        self.add(node, "stops", what, fix)

    def differs(self, node: Node, what: str, fix: str = "") -> None:
        """It is made, and this is different here."""
        self.add(node, "differs", what, fix)

    def todo(self, node: Node, what: str, fix: str = "") -> None:
        """It is made, and somebody has to complete it."""
        self.add(node, "todo", what, fix)

    def mistakes(self, error: WrittenError) -> None:
        """A file that is no YAML, or YAML that is not read."""
        for one in error.mistakes:
            self.found.append(_of_mistake(error.file, one))

    @property
    def stopped(self) -> bool:
        """Whether anything stands against the pipeline."""
        return any(one.level == "stops" for one in self.found)

    def sorted(self) -> list[Finding]:
        """Those that stop first, then by file and line."""
        order = list(LEVELS)
        return sorted(self.found, key=lambda one: (order.index(one.level), one))


def _of_mistake(file: str, mistake: Mistake) -> Finding:
    return Finding(file=file, line=mistake.line, at=mistake.at, level="stops", what=mistake.what)


def lines_of(findings: Iterable[Finding]) -> list[str]:
    """One line each, under what their level means."""
    found = list(findings)
    lines = []
    for level, meaning in LEVELS.items():
        here = [one for one in found if one.level == level]
        if here:
            lines += [f"{meaning}:", *(f"  {one}" for one in here)]
    return lines
