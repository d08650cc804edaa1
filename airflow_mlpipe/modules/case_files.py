"""The examples in a module's folder: what goes in, and what has to come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.definition import TESTS, ModuleDefinition
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.places import Place, Written, read_yaml

FILE = "case.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """An output that has to be there.

    :param equals: what it has to be equal to. :param tolerance: by how much numbers may differ.
    """

    name: str
    equals: Path | None = None
    tolerance: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One example.  :param inputs: paths in its folder, by port."""

    name: str
    folder: Path
    inputs: Mapping[str, str]
    params: Mapping[str, Any]
    outputs: tuple[Expected, ...]


def read_cases(folder: Path, definition: ModuleDefinition, names: Iterable[str] = ()) -> list[Case]:
    """The cases of a module, sorted.

    :param names: only these.
    :raises WrittenError: with all mistakes of a case's file. :raises DefinitionError: when there is no (such) case.
    """
    top = folder / TESTS
    found = {file.parent.name: file for file in sorted(top.glob(f"*/{FILE}"))}
    if not found:
        raise DefinitionError("the module has no cases", where=str(top), fix=f"write {TESTS}/first/{FILE}")
    for name in (wanted := list(names)):
        if name not in found:
            raise DefinitionError("the module has no such case", where=str(top), given=name, valid=sorted(found))
    return [_read(file, definition) for name, file in found.items() if not wanted or name in wanted]


def _read(file: Path, definition: ModuleDefinition) -> Case:
    reading = _Reading(read_yaml(file.read_text(encoding="utf-8"), file=str(file)), file.parent, definition)
    case = reading.case()
    reading.mistakes.check()
    return case


class _Reading(Members):
    def __init__(self, written: Written, folder: Path, definition: ModuleDefinition) -> None:
        super().__init__(written)
        self._folder = folder
        self._definition = definition

    def case(self) -> Case:
        top = self.mapping((), self.written.value)
        self.known((), top, ("description", "inputs", "params", "outputs"))
        inputs = self._inputs(top)
        outputs = self.mapping(("outputs",), top.get("outputs"))
        self.known(("outputs",), outputs, tuple(port.name for port in self._definition.outputs))
        return Case(
            name=self._folder.name,
            folder=self._folder,
            inputs=inputs,
            params=self.mapping(("params",), top.get("params")),
            outputs=tuple(self._expected(name, said) for name, said in outputs.items()),
        )

    def _inputs(self, top: Mapping[str, Any]) -> dict[str, str]:
        given = self.mapping(("inputs",), top.get("inputs"))
        self.known(("inputs",), given, tuple(port.name for port in self._definition.inputs))
        for port in self._definition.inputs:
            if not port.optional and port.name not in given:
                self.mistakes.add(("inputs",), f"the input {port.name!r} is required", of_key=True)
        return {name: self._path(("inputs", name), said) for name, said in given.items()}

    def _expected(self, name: str, said: Any) -> Expected:
        place = ("outputs", name)
        if isinstance(said, str):
            return Expected(name=name, equals=self._folder / self._path(place, said))
        members = self.mapping(place, said)
        self.known(place, members, ("equals", "tolerance"))
        equals, tolerance = members.get("equals"), members.get("tolerance")
        if tolerance is not None and (isinstance(tolerance, bool) or not isinstance(tolerance, (int, float))):
            self.mistakes.add((*place, "tolerance"), "a number", given=tolerance)
            tolerance = None
        found = None if equals is None else self._folder / self._path((*place, "equals"), equals)
        return Expected(name=name, equals=found, tolerance=tolerance)

    def _path(self, place: Place, said: Any) -> str:
        path = self.relative(place, said)
        if path and not (self._folder / path).exists():
            self.mistakes.add(place, f"there is no such file or folder in {self._folder}", given=path)
        return path
