"""YAML as plain values, with the line of every member and the text of every scalar.

The scalars are those of YAML's core schema (1.2): ``true`` and ``false``, ``null`` and ``~``, decimal numbers; all else
that is not quoted is text.  YAML 1.1, which Python's library reads by itself, takes ``no`` for a bool, ``1:30`` for 90
and ``2026-01-31`` for a date.  Tags, keys that are no text, two members of one name and merge keys are mistakes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.written.mistakes import Mistake, Mistakes, WrittenError

Place = tuple["str | int", ...]
"""Where a member is: names of members and positions in lists, from the top."""

MOST_NODES = 100_000
"""Of a file with its aliases followed: nobody writes more, and a few nested aliases can make billions."""

_CONSTANTS = {"": None, "~": None, "null": None, "true": True, "false": False}
_LOUD = frozenset({"Null", "NULL", "True", "TRUE", "False", "FALSE"})
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z")
_PLAIN_TAGS = ("tag:yaml.org,2002:",)


@dataclass(slots=True)
class Places:
    """The lines of a file's members, counted from 1.

    :ivar texts: scalars as they are written, by place.
    :ivar columns: of values, and of names of members: by place, and whether it is that of the name.
    """

    values: dict[Place, int] = field(default_factory=dict)
    keys: dict[Place, int] = field(default_factory=dict)
    columns: dict[tuple[Place, bool], int] = field(default_factory=dict)
    texts: dict[Place, str] = field(default_factory=dict)

    def line(self, place: Place, *, of_key: bool = False) -> int:
        """The line of a member, or of the nearest one around it that is there."""
        while place:
            if of_key and place in self.keys:
                return self.keys[place]
            if place in self.values:
                return self.values[place]
            place = place[:-1]
        return self.values.get((), 1)

    def column(self, place: Place, *, of_key: bool = False) -> int:
        """The column of a member, or of the nearest one around it that is there."""
        while place:
            for name in (True, False) if of_key else (False,):
                if (place, name) in self.columns:
                    return self.columns[place, name]
            place = place[:-1]
        return self.columns.get(((), False), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file that was read.

    :param file: its path, for people. :param value: its content as plain values.
    """

    file: str
    value: Any
    places: Places

    def mistakes(self) -> Mistakes:
        """A new collection of mistakes in it."""
        return Mistakes(self.file, self.places)


def read_yaml(text: str, *, file: str) -> Written:
    """Read YAML.

    :param file: its path, for people.
    :raises WrittenError: when it is none, and for what the docstring of this module forbids.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        node = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark is not None else 1
        what = str(getattr(error, "problem", None) or error).splitlines()[0]
        column = mark.column + 1 if mark is not None else 1
        raise WrittenError(file, [Mistake(line=line, column=column, at="", what=f"not YAML: {what}")]) from error
    places = Places()
    mistakes = Mistakes(file, places)
    value = _Reading(places, mistakes).value(node, ()) if node is not None else None
    mistakes.check()
    return Written(file=file, value=value, places=places)


class _Reading:
    def __init__(self, places: Places, mistakes: Mistakes) -> None:
        self._places = places
        self._mistakes = mistakes
        self._count = 0
        self._open: set[int] = set()

    def value(self, node: Any, place: Place) -> Any:
        self._count += 1
        self._places.values[place] = node.start_mark.line + 1
        self._places.columns[place, False] = node.start_mark.column + 1
        if self._count > MOST_NODES or id(node) in self._open:
            self._mistakes.add(place, "too much for a file that people write", valid=f"at most {MOST_NODES} members")
            self._mistakes.check()
        if not node.tag.startswith(_PLAIN_TAGS) or "python" in node.tag:
            self._mistakes.add(place, "a tag", given=node.tag, fix="write the value without it")
            return None
        if node.id == "scalar":
            return self._scalar(node, place)
        self._open.add(id(node))
        try:
            if node.id == "sequence":
                return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
            return self._mapping(node, place)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: Any, place: Place) -> Any:
        self._places.texts[place] = node.value
        return node.value if node.style else scalar(node.value)

    def _mapping(self, node: Any, place: Place) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = key.value if key.id == "scalar" else None
            here = (*place, str(name))
            self._places.keys[here] = line
            self._places.columns[here, True] = key.start_mark.column + 1
            if name is None or (not key.style and not isinstance(scalar(name), str)):
                self._mistakes.add(here, "the name of a member is text", given=name, fix="quote it", of_key=True)
            elif name == "<<":
                self._mistakes.add(here, "merge keys are not read", fix="write the members out", of_key=True)
            elif name in found:
                self._mistakes.add(here, "the second member of this name", fix="remove one", of_key=True)
            else:
                found[name] = self.value(value, here)
        return found


def scalar(text: str) -> Any:
    """What a text without quotes means."""
    if text in _CONSTANTS or text in _LOUD:
        return _CONSTANTS[text.lower()]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
