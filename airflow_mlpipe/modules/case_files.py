"""The examples in a module's folder: what goes in, and what has to come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.definition import TESTS, InputDeclaration, ModuleDefinition, OutputDeclaration
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.places import read_yaml

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
    written = read_yaml(file.read_text(encoding="utf-8"), file=str(file))
    mistakes = written.mistakes()
    known = ("description", "inputs", "params", "outputs")
    top = Members({} if written.value is None else written.value, (), mistakes, what="a case", known=known)
    case = _Reading(top, file.parent, definition).case()
    mistakes.check()
    return case


class _Reading:
    def __init__(self, top: Members, folder: Path, definition: ModuleDefinition) -> None:
        self._top = top
        self._folder = folder
        self._definition = definition

    def case(self) -> Case:
        outputs = self._ports("outputs", self._definition.outputs)
        return Case(
            name=self._folder.name,
            folder=self._folder,
            inputs=self._inputs(),
            params=self._top.mapping("params"),
            outputs=tuple(self._expected(name, outputs) for name in outputs.value),
        )

    def _ports(self, side: str, ports: Iterable[InputDeclaration | OutputDeclaration]) -> Members:
        known = tuple(port.name for port in ports)
        said, at = self._top.mapping(side), self._top.at(side)
        return Members(said, at, self._top.mistakes, what="the module", known=known)

    def _inputs(self) -> dict[str, str]:
        inputs = self._ports("inputs", self._definition.inputs)
        given = [name for name in inputs.value if inputs.raw(name) is not None]
        for port in self._definition.inputs:
            if not port.optional and port.name not in given:
                inputs.mistakes.add(inputs.place, f"the input {port.name!r} is required", of_key=True)
        return {name: path for name in given if (path := self._path(name, inputs)) is not None}

    def _expected(self, name: str, outputs: Members) -> Expected:
        said, place = outputs.raw(name), outputs.at(name)
        if isinstance(said, str):
            return Expected(name=name, equals=self._file(name, outputs))
        known = ("equals", "tolerance")
        output = Members({} if said is None else said, place, outputs.mistakes, what="an output", known=known)
        return Expected(name=name, equals=self._file("equals", output), tolerance=output.number("tolerance"))

    def _file(self, name: str, members: Members) -> Path | None:
        path = self._path(name, members)
        return None if path is None else self._folder / path

    def _path(self, name: str, members: Members) -> str | None:
        path = members.relative(name)
        if path and not (self._folder / path).exists():
            members.wrong(name, f"there is no such file or folder in {self._folder}", given=path)
        return path
