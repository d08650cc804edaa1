"""The inputs of a step while they are read, and the arguments that name them or add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_mlpipe.model.step import InputPath
from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.records import ArgumentText, DataNamed, Input, OuterInput, OutputOf, Source
from airflow_mlpipe.written.members import check_name
from airflow_mlpipe.written.places import Place


class Ports:
    """Input ports, in the order in which they are said.

    ``inputs`` is a mapping of port to data, or a list of data whose names the ports get.  Data that stand among the
    arguments are inputs, too.
    """

    def __init__(self, scope: Scope) -> None:
        self.found: list[Input] = []
        self._scope = scope

    def add_all(self, value: Any, place: Place) -> None:
        """Take the member ``inputs``."""
        if isinstance(value, Mapping):
            for name, one in value.items():
                self._add(str(name), one, (*place, name))
        elif isinstance(value, list):
            for index, one in enumerate(value):
                if (source := self._scope.source(one, (*place, index))) is not None:
                    self._append(Input(name=_name_of(source), sources=(source,)), (*place, index))
        elif value is not None:
            what = "inputs is a mapping of names to data, or a list of data"
            self._scope.mistakes.add(place, what, given=value, fix='inputs: {name: "${data.NAME}"}')

    def arguments(self, found: Sequence[Any], place: Place) -> tuple[ArgumentText, ...]:
        """The arguments; data among them become inputs."""
        arguments = [self._argument(one, (*place, index)) for index, one in enumerate(found)]
        return tuple(one for one in arguments if one is not None)

    def _argument(self, value: Any, place: Place) -> ArgumentText | None:
        argument = self._scope.argument(value, place)
        if not isinstance(argument, (OutputOf, DataNamed, OuterInput)):
            return argument
        there = next((port for port in self.found if port.sources == (argument,) and not port.many), None)
        if there is None:
            there = Input(name=_name_of(argument), sources=(argument,))
            self._append(there, place)
        return InputPath(there.name)

    def _add(self, name: str, value: Any, place: Place) -> None:
        if isinstance(value, list):
            if not value:
                self._scope.mistakes.add(place, "an input of no data", given=value)
            sources = [self._scope.source(one, (*place, index)) for index, one in enumerate(value)]
            if any(isinstance(source, DataNamed) for source in sources):
                fix = "give each an input of its own, or a glob as the path of the data"
                self._scope.mistakes.add(place, "a list is of outputs of steps", fix=fix)
            port = Input(name=name, sources=tuple(s for s in sources if s is not None), many=True)
        else:
            source = self._scope.source(value, place)
            port = Input(name=name, sources=(source,) if source is not None else ())
        self._append(port, place)

    def _append(self, port: Input, place: Place) -> None:
        check_name(port.name, place, self._scope.mistakes)
        if any(one.name == port.name for one in self.found):
            fix = "name them: inputs: {one: ..., other: ...}, and write ${inputs.one} among the arguments"
            self._scope.mistakes.add(place, f"two inputs are named {port.name!r}", fix=fix)
            return
        self.found.append(port)


def _name_of(source: Source) -> str:
    return source.output if isinstance(source, OutputOf) else source.name
