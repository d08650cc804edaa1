"""The ports in a ``module.yaml``: a type each, or a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.model.names import check_port
from airflow_mlpipe.modules.definition import InputDeclaration, ModuleKind, OutputDeclaration
from airflow_mlpipe.modules.types import PortType
from airflow_mlpipe.written.members import Members
from airflow_mlpipe.written.places import Place

_INPUT = ("type", "kind", "optional", "many", "description")
_OUTPUT = ("type", "kind", "filename", "optional", "description", "from")


class Ports(Members):
    """Reads inputs and outputs."""

    def inputs(self, top: Mapping[str, Any]) -> tuple[InputDeclaration, ...]:
        """Those without mistakes."""
        return tuple(i for n, m in self._ports("inputs", top) if (i := self._input(n, m)) is not None)

    def outputs(self, top: Mapping[str, Any], kind: ModuleKind) -> tuple[OutputDeclaration, ...]:
        """Those without mistakes."""
        return tuple(o for n, m in self._ports("outputs", top) if (o := self._output(n, m, kind)) is not None)

    def _ports(self, side: str, top: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        found: list[tuple[str, Mapping[str, Any]]] = []
        for name, said in self.mapping((side,), top.get(side)).items():
            place = (side, name)
            self.take(place, name, lambda v: check_port(v, where=side), "", of_key=True)
            if isinstance(said, str):
                found.append((name, {"type": said}))
            elif said is None:
                found.append((name, {}))
            elif isinstance(said, Mapping):
                self.known(place, said, _INPUT if side == "inputs" else _OUTPUT)
                found.append((name, said))
            else:
                self.mistakes.add(place, "a port is a type, or a mapping", given=said)
        return found

    def _type(self, place: Place, said: Mapping[str, Any], kind: Any) -> PortType | None:
        where = (*place, "type") if "type" in said else place
        return self.take(where, said.get("type", "any"), lambda v: PortType(v, kind), None)

    def _input(self, name: str, said: Mapping[str, Any]) -> InputDeclaration | None:
        place = ("inputs", name)
        if (found := self._type(place, said, said.get("kind"))) is None:
            return None
        return InputDeclaration(
            name=name,
            type=found,
            optional=self.flag((*place, "optional"), said.get("optional", False)),
            many=self.flag((*place, "many"), said.get("many", False)),
            description=self.text((*place, "description"), said.get("description", "")),
        )

    def _output(self, name: str, said: Mapping[str, Any], kind: ModuleKind) -> OutputDeclaration | None:
        place = ("outputs", name)
        filename = said.get("filename")
        if filename is not None:
            filename = self.relative((*place, "filename"), filename)
            if "/" in filename:
                self.mistakes.add((*place, "filename"), "one name, not a path", given=filename)
        is_file = filename is not None or str(said.get("type", "")).partition(".")[0] == "file"
        # Of what a function returns, its type decides whether it is a file.
        undecided = kind in ("pipeline", "function")
        wanted = said.get("kind", None if undecided else "file" if is_file else "folder")
        if kind == "function" and (filename is not None or "kind" in said):
            self.mistakes.add(place, "the type of what a function returns decides whether it is a file, and its name")
        if (found := self._type(place, said, wanted)) is None:
            return None
        if filename is not None and found.kind != "file":
            self.mistakes.add((*place, "filename"), "a folder has no filename", given=filename)
        if (kind == "pipeline") != ("from" in said):
            what = "says which inner output it is" if kind == "pipeline" else "is for a module of steps"
            self.mistakes.add((*place, "from"), f"from {what}", fix="from: ${steps.NAME.outputs.NAME}")
        return OutputDeclaration(
            name=name,
            type=found,
            filename=filename,
            optional=self.flag((*place, "optional"), said.get("optional", False)),
            description=self.text((*place, "description"), said.get("description", "")),
            source=self.text((*place, "from"), said["from"]) if "from" in said else None,
        )
