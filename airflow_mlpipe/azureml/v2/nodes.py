"""A member of a YAML file together with where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlpipe.written.mistakes import spelled
from airflow_mlpipe.written.places import Place, Written, read_yaml


@dataclass(frozen=True, slots=True)
class Node:
    """A member.

    :param place: from the top of the file. :param value: as plain values.
    """

    written: Written
    place: Place
    value: Any

    @property
    def file(self) -> str:
        """The path of the file."""
        return self.written.file

    @property
    def folder(self) -> Path:
        """Of the file: what its paths are relative to."""
        return Path(self.written.file).parent

    @property
    def line(self) -> int:
        """Of the member's name."""
        return self.written.places.line(self.place, of_key=True)

    @property
    def at(self) -> str:
        """``jobs.train.command``."""
        return spelled(self.place)

    @property
    def is_mapping(self) -> bool:
        """Whether it has members."""
        return isinstance(self.value, Mapping)

    @property
    def text(self) -> str | None:
        """A scalar as it is written; ``None`` for anything else, and for nothing."""
        if self.value is None or isinstance(self.value, (Mapping, list)):
            return None
        return self.written.places.texts.get(self.place, str(self.value))

    def get(self, name: str | int) -> Node:
        """A member; its value is ``None`` if it is not there."""
        if isinstance(name, int):
            return Node(self.written, (*self.place, name), self.value[name])
        value = self.value.get(name) if isinstance(self.value, Mapping) else None
        return Node(self.written, (*self.place, name), value)

    def has(self, name: str) -> bool:
        """Whether there is such a member, though it may be empty."""
        return isinstance(self.value, Mapping) and name in self.value

    def items(self) -> Iterator[tuple[str, Node]]:
        """The members, in their order."""
        if isinstance(self.value, Mapping):
            for name in self.value:
                yield str(name), self.get(name)
        elif isinstance(self.value, list):
            for index in range(len(self.value)):
                yield str(index), self.get(index)

    def string(self, name: str) -> str | None:
        """A member that is text."""
        value = self.get(name).value
        return value if isinstance(value, str) and value else None

    def others(self, known: frozenset[str]) -> list[Node]:
        """The members that are none of these."""
        return [node for name, node in self.items() if name not in known]


def read_node(path: Path, shown: str | None = None) -> Node:
    """A file as a node.

    :raises WrittenError: when it is no YAML that is read. :raises OSError: when it cannot be read.
    """
    written = read_yaml(path.read_text(encoding="utf-8-sig"), file=shown or str(path))
    return Node(written, (), written.value)
