"""The ports in a ``module.yaml``: a type each, or a mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.modules.definition import InputDeclaration, ModuleKind, OutputDeclaration
from airflow_mlpipe.modules.types import PortType
from airflow_mlpipe.written.members import Members, check_name

_INPUT = ("type", "kind", "optional", "many", "description")
_OUTPUT = ("type", "kind", "filename", "optional", "description", "from")


def read_inputs(top: Members) -> tuple[InputDeclaration, ...]:
    """Those without mistakes."""
    ports = _ports(top, "inputs", "an input", _INPUT)
    return tuple(port for name, said in ports.items() if (port := _input(name, said)) is not None)


def read_outputs(top: Members, kind: ModuleKind) -> tuple[OutputDeclaration, ...]:
    """Those without mistakes."""
    ports = _ports(top, "outputs", "an output", _OUTPUT)
    return tuple(port for name, said in ports.items() if (port := _output(name, said, kind)) is not None)


def _ports(top: Members, side: str, what: str, known: tuple[str, ...]) -> dict[str, Members]:
    found: dict[str, Members] = {}
    for name, said in top.mapping(side).items():
        place = (*top.at(side), name)
        check_name(name, place, top.mistakes, of_key=True)
        if not (said is None or isinstance(said, (str, Mapping))):
            top.mistakes.add(place, "a port is a type, or a mapping", given=said)
            continue
        members = {"type": said} if isinstance(said, str) else said or {}
        found[name] = Members(members, place, top.mistakes, what=what, known=known)
    return found


def _type(port: Members, kind: Any) -> PortType | None:
    if "type" in port:
        return port.take("type", lambda said: PortType(said, kind))
    return port.made(port.place, lambda: PortType("any", kind))


def _input(name: str, port: Members) -> InputDeclaration | None:
    if (found := _type(port, port.raw("kind"))) is None:
        return None
    return InputDeclaration(
        name=name,
        type=found,
        optional=port.boolean("optional") or False,
        many=port.boolean("many") or False,
        description=port.stripped("description"),
    )


def _output(name: str, port: Members, kind: ModuleKind) -> OutputDeclaration | None:
    named = port.raw("filename") is not None
    filename = port.relative("filename")
    if filename is not None and "/" in filename:
        port.wrong("filename", "one name, not a path", given=filename)
    is_file = named or str(port.raw("type", "")).partition(".")[0] == "file"
    # Of what a function returns, its type decides whether it is a file.
    undecided = kind in ("pipeline", "function")
    wanted = port.raw("kind", None if undecided else "file" if is_file else "folder")
    if kind == "function" and (named or "kind" in port):
        what = "the type of what a function returns decides whether it is a file, and its name"
        port.mistakes.add(port.place, what)
    if (found := _type(port, wanted)) is None:
        return None
    if named and found.kind != "file":
        port.wrong("filename", "a folder has no filename", given=filename)
    if (kind == "pipeline") != (port.raw("from") is not None):
        what = "says which inner output it is" if kind == "pipeline" else "is for a module of steps"
        port.wrong("from", f"from {what}", given=None, fix="from: ${steps.NAME.outputs.NAME}")
    return OutputDeclaration(
        name=name,
        type=found,
        filename=filename,
        optional=port.boolean("optional") or False,
        description=port.stripped("description"),
        source=port.stripped("from") if port.raw("from") is not None else None,
    )
