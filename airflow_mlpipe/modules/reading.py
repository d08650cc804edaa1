"""Reading ``module.yaml``: every mistake of the file, with its line, and the definition when there is none."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.names import check_port
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.modules.definition import (
    API,
    FILE,
    ModuleDefinition,
    ModuleKind,
    environment_from_json,
    resources_from_json,
)
from airflow_mlpipe.modules.params import problem, schema_problem
from airflow_mlpipe.modules.reading_arguments import check_arguments
from airflow_mlpipe.modules.reading_ports import Ports
from airflow_mlpipe.modules.requests import check_module_name, parse_version
from airflow_mlpipe.written.mistakes import WrittenError
from airflow_mlpipe.written.places import Place, Written, read_yaml

_MEMBERS = (
    *("api", "name", "version", "description", "owner", "licence", "tags", "inputs", "outputs", "params", "script"),
    *(
        "function",
        "command",
        "steps",
        "arguments",
        "source",
        "include",
        "code",
        "environment",
        "resources",
        "deterministic",
    ),
)
_ENVIRONMENT = ("requirements", "packages", "python", "image", "variables", "pass_variables")
_RESOURCES = ("cpu", "memory", "gpu", "shm", "disk")
_MODES = ("closure", "directory")


def read_module(folder: Path) -> ModuleDefinition:
    """Read the module of a folder, and look whether the files that it names are there.

    :raises WrittenError: with all mistakes of its ``module.yaml``. :raises DefinitionError: when there is none.
    """
    file = folder / FILE
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(
            f"no module can be read here ({getattr(error, 'strerror', None) or error})",
            where=str(file),
            fix="airflow mlpipe module init writes one",
        ) from error
    return parse_module(text, file=str(file), folder=folder)


def parse_module(text: str, *, file: str, folder: Path | None = None) -> ModuleDefinition:
    """Read the text of a ``module.yaml``.

    :param file: its path, for people. :param folder: in which files are looked for; ``None``: in none.
    :raises WrittenError: with all its mistakes.
    """
    reading = _Reading(read_yaml(text, file=file), folder)
    definition = reading.definition()
    reading.mistakes.check()
    return definition


class _Reading(Ports):
    def __init__(self, written: Written, folder: Path | None) -> None:
        super().__init__(written)
        self.folder = folder

    # ---- the whole -----------------------------------------------------------------------------------------------

    def definition(self) -> ModuleDefinition:
        top = self.written.value
        if not isinstance(top, Mapping):
            self.mistakes.add((), "a module is a mapping of members", valid=_MEMBERS)
            raise WrittenError(self.written.file, self.mistakes.found)
        if (api := top.get("api")) != API:
            self.mistakes.add(("api",), "the version of the format", given=api, valid=(API,))
            raise WrittenError(self.written.file, self.mistakes.found)  # of another format nothing else can be said
        self.known((), top, _MEMBERS)
        kind = self._kind(top)
        source = self.relative(("source",), top.get("source", "."))
        inputs, outputs = self.inputs(top), self.outputs(top, kind)
        definition = ModuleDefinition(
            name=self._name(top),
            version=self._version(top),
            kind=kind,
            description=self.text(("description",), top.get("description", "")),
            owner=self.text(("owner",), top.get("owner", "")),
            licence=self.text(("licence",), top.get("licence", "")),
            tags=self.texts(("tags",), top.get("tags", [])),
            inputs=inputs,
            outputs=outputs,
            params=self._params(top),
            arguments=self._arguments(top),
            script=self._script(top),
            function=str(top.get("function") or "").partition(":")[2] or None,
            source=source or ".",
            include=self.texts(("include",), top.get("include", [])),
            code=self._code(top, kind),
            environment=self._environment(top.get("environment")),
            resources=self._resources(top.get("resources")),
            deterministic=self.flag(("deterministic",), top.get("deterministic", True)),
            steps=self._steps(top),
        )
        if kind == "pipeline":
            self._check_steps(definition)
        names = {side: tuple(self.mapping((side,), top.get(side))) for side in ("inputs", "outputs", "params")}
        check_arguments(definition, names, self.mistakes)
        self._files(definition)
        return definition

    def _kind(self, top: Mapping[str, Any]) -> ModuleKind:
        said = [member for member in ("script", "command", "function", "steps") if top.get(member) is not None]
        if len(said) != 1:
            what = "a module has one of script, command, function and steps"
            self.mistakes.add((said[1],) if len(said) > 1 else (), what, given=said or None, of_key=True)
        found = said[0] if said else "script"
        if found == "command" and "arguments" in top:
            self.mistakes.add(("arguments",), "a command has its arguments in itself", of_key=True)
        if found == "function" and "arguments" in top:
            self.mistakes.add(("arguments",), "a function gets its inputs and parameters by their names", of_key=True)
        if found == "steps":
            for member in ("arguments", "source", "include", "code", "environment", "resources", "deterministic"):
                if member in top:
                    self.mistakes.add((member,), "this belongs to a step of the pipeline", of_key=True)
        return "pipeline" if found == "steps" else cast("ModuleKind", found)

    def _name(self, top: Mapping[str, Any]) -> str:
        return self.take(("name",), top.get("name"), lambda v: check_module_name(v, where="name"), "")

    def _version(self, top: Mapping[str, Any]) -> str:
        # As it is written: the number 1.10 would be 1.1.
        text = self.written.places.texts.get(("version",), top.get("version"))
        self.take(("version",), text, parse_version, None)
        return str(text)

    # ---- parameters and program ----------------------------------------------------------------------------------

    def _params(self, top: Mapping[str, Any]) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for name, schema in self.mapping(("params",), top.get("params")).items():
            place = ("params", name)
            self.take(place, name, lambda v: check_port(v, where="params"), "", of_key=True)
            schema = {} if schema is None else schema
            if not isinstance(schema, Mapping):
                self.mistakes.add(
                    place, "a parameter is a JSON Schema", given=schema, valid="{type: integer, default: 1}"
                )
            elif (why := schema_problem(schema)) is not None:
                self.mistakes.add(place, f"not a JSON Schema ({why})")
            elif "default" in schema and (why := problem(schema, schema["default"])) is not None:
                self.mistakes.add((*place, "default"), f"its own schema refuses it ({why})")
            else:
                found[name] = dict(schema)
        return found

    def _arguments(self, top: Mapping[str, Any]) -> tuple[Any, ...]:
        member = "command" if top.get("command") is not None else "arguments"
        given = top.get(member, [])
        if not isinstance(given, list):
            fix = "for a shell, say so: [bash, -c, '...']" if member == "command" else None
            self.mistakes.add((member,), "a list, one item an argument; no shell reads it", given=given, fix=fix)
            return ()
        found = [self._argument((member, i), one) for i, one in enumerate(given)]
        if member == "command" and not found:
            self.mistakes.add((member,), "the command is empty")
        return tuple(found)

    def _argument(self, place: Place, one: Any, *, inner: bool = False) -> Any:
        if isinstance(one, list) and not inner:
            return tuple(self._argument((*place, i), part, inner=True) for i, part in enumerate(one))
        if isinstance(one, (str, int, float)):
            return one
        what = "an argument is text, a number or a bool, or a list of them that may be left out"
        self.mistakes.add(place, what, given=one)
        return ""

    def _script(self, top: Mapping[str, Any]) -> str | None:
        if top.get("function") is not None:
            text = self.text(("function",), top["function"])
            file, _, name = text.partition(":")
            if not file.endswith(".py") or not name.isidentifier():
                self.mistakes.add(
                    ("function",), "a function and its file", given=text, valid=("features.py:featurize",)
                )
            return self.relative(("function",), file)
        return None if top.get("script") is None else self.relative(("script",), top["script"])

    def _code(self, top: Mapping[str, Any], kind: ModuleKind) -> Any:
        said = top.get("code", "directory" if kind == "command" else "closure")
        if said not in _MODES:
            self.mistakes.add(("code",), "unknown code mode", given=said, valid=_MODES)
        return said

    def _steps(self, top: Mapping[str, Any]) -> Mapping[str, Any]:
        return dict(self.mapping(("steps",), top.get("steps")))

    def _check_steps(self, definition: ModuleDefinition) -> None:
        # By its name: what knows of several steps stands above what knows of one.
        reading = importlib.import_module("airflow_mlpipe.pipelines.reading.module_steps")
        names = tuple(port.name for port in definition.inputs)
        steps = reading.read_module_steps(definition.steps, self.mistakes, params=definition.params, inputs=names)
        for port in definition.outputs:
            reading.check_output(port.source, steps, ("outputs", port.name, "from"), self.mistakes)

    def _environment(self, said: Any) -> Environment | None:
        if said is None:
            return None
        members = self.mapping(("environment",), said)
        self.known(("environment",), members, _ENVIRONMENT)
        if isinstance(members.get("requirements"), str):
            self.relative(("environment", "requirements"), members["requirements"])
        python = self.written.places.texts.get(("environment", "python"))  # 3.10 is no number
        members = {k: v for k, v in members.items() if k in _ENVIRONMENT} | ({"python": python} if python else {})
        return self.take(("environment",), members, environment_from_json, None)

    def _resources(self, said: Any) -> Resources | None:
        if said is None:
            return None
        members = self.mapping(("resources",), said)
        self.known(("resources",), members, _RESOURCES)
        members = {k: v for k, v in members.items() if k in _RESOURCES}
        return self.take(("resources",), members, resources_from_json, None)

    # ---- files ---------------------------------------------------------------------------------------------------

    def _files(self, definition: ModuleDefinition) -> None:
        if self.folder is None:
            return
        source = self.folder / definition.source
        if not source.is_dir():
            self.mistakes.add(("source",), "there is no such folder", given=str(source))
        elif definition.script is not None and not (source / definition.script).is_file():
            valid = sorted(n for n in os.listdir(source) if n.endswith((".py", ".sh", ".R")))
            member = "function" if definition.kind == "function" else "script"
            self.mistakes.add((member,), f"there is no such file in {source}", given=definition.script, valid=valid)
        requirements = definition.environment.requirements if definition.environment else None
        if requirements is not None and not (self.folder / requirements).is_file():
            self.mistakes.add(("environment", "requirements"), "there is no such file", given=requirements)
