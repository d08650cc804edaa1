"""Reading ``module.yaml``: every mistake of the file, with its line, and the definition when there is none."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import check_relative
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.modules.commands import SIDES
from airflow_mlpipe.modules.definition import API, FILE, ModuleDefinition, ModuleKind
from airflow_mlpipe.modules.params import problem, schema_problem
from airflow_mlpipe.modules.reading_arguments import check_arguments
from airflow_mlpipe.modules.reading_ports import read_inputs, read_outputs
from airflow_mlpipe.modules.requests import check_module_name, parse_version
from airflow_mlpipe.written.environment import read_environment
from airflow_mlpipe.written.members import Members, check_name, made
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Place, read_yaml
from airflow_mlpipe.written.resources import read_resources

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
    written = read_yaml(text, file=file)
    mistakes = written.mistakes()
    _check_format(written.value, mistakes)
    top = Members(written.value, (), mistakes, what="a module", known=_MEMBERS)
    definition = _Reading(top, folder).definition()
    mistakes.check()
    return definition


def _check_format(value: Any, mistakes: Mistakes) -> None:
    """Of another format nothing else can be said.  :raises WrittenError: for one."""
    if not isinstance(value, Mapping):
        mistakes.add((), "a module is a mapping of members", valid=_MEMBERS)
    elif (api := value.get("api")) != API:
        mistakes.add(("api",), "the version of the format", given=api, valid=(API,))
    mistakes.check()


class _Reading:
    def __init__(self, top: Members, folder: Path | None) -> None:
        self.top, self.mistakes, self.folder = top, top.mistakes, folder

    # ---- the whole -----------------------------------------------------------------------------------------------

    def definition(self) -> ModuleDefinition:
        top = self.top
        kind = self._kind()
        deterministic = top.boolean("deterministic")
        definition = ModuleDefinition(
            name=top.take("name", lambda said: check_module_name(said, where="name")) or "",
            version=self._version(),
            kind=kind,
            description=top.stripped("description"),
            owner=top.stripped("owner"),
            licence=top.stripped("licence"),
            tags=self._texts("tags"),
            inputs=read_inputs(top),
            outputs=read_outputs(top, kind),
            params=self._params(),
            arguments=self._arguments(),
            script=self._script(),
            function=str(top.raw("function") or "").partition(":")[2] or None,
            source=top.relative("source") or ".",
            include=self._texts("include"),
            code=self._code(kind),
            environment=self._environment(),
            resources=self._resources(),
            deterministic=deterministic is None or deterministic,
            steps=dict(top.mapping("steps")),
        )
        if kind == "pipeline":
            self._check_steps(definition)
        check_arguments(definition, {side: self._names(side) for side in SIDES}, self.mistakes)
        self._files(definition)
        return definition

    def _texts(self, member: str) -> tuple[str, ...]:
        return tuple(text.strip() for text in self.top.texts(member))

    def _names(self, side: str) -> tuple[str, ...]:
        said = self.top.raw(side)
        return tuple(said) if isinstance(said, Mapping) else ()

    def _kind(self) -> ModuleKind:
        top = self.top
        said = [member for member in ("script", "command", "function", "steps") if top.raw(member) is not None]
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

    def _version(self) -> str:
        # As it is written: the number 1.10 would be 1.1.
        text = self.mistakes.places.texts.get(("version",), self.top.raw("version"))
        self.top.take("version", lambda _: parse_version(text))
        return str(text)

    # ---- parameters and program ----------------------------------------------------------------------------------

    def _params(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for name, schema in self.top.mapping("params").items():
            place = ("params", name)
            check_name(name, place, self.mistakes, of_key=True)
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

    def _arguments(self) -> tuple[Any, ...]:
        member = "command" if self.top.raw("command") is not None else "arguments"
        given = self.top.raw(member)
        if not (given is None or isinstance(given, list)):
            fix = "for a shell, say so: [bash, -c, '...']" if member == "command" else None
            self.top.wrong(member, "a list, one item an argument; no shell reads it", fix=fix)
            return ()
        found = [self._argument((member, i), one) for i, one in enumerate(given or ())]
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

    def _script(self) -> str | None:
        if self.top.raw("function") is None:
            return self.top.relative("script")
        text = self.top.stripped("function")
        file, _, name = text.partition(":")
        if not file.endswith(".py") or not name.isidentifier():
            self.top.wrong("function", "a function and its file", given=text, valid=("features.py:featurize",))
        return self.top.made(("function",), lambda: check_relative(file, where="function"))

    def _code(self, kind: ModuleKind) -> Any:
        return self.top.choice("code", _MODES) or ("directory" if kind == "command" else "closure")

    def _check_steps(self, definition: ModuleDefinition) -> None:
        # By its name: what knows of several steps stands above what knows of one.
        reading = importlib.import_module("airflow_mlpipe.pipelines.reading.module_steps")
        names = tuple(port.name for port in definition.inputs)
        steps = reading.read_module_steps(definition.steps, self.mistakes, params=definition.params, inputs=names)
        for port in definition.outputs:
            reading.check_output(port.source, steps, ("outputs", port.name, "from"), self.mistakes)

    def _environment(self) -> Environment | None:
        said, at = self.top.raw("environment"), self.top.at("environment")
        found = None if said is None else read_environment(said, at, self.mistakes)
        if found is not None and (file := found.requirements) is not None:
            made((*at, "requirements"), self.mistakes, lambda: check_relative(file, where=FILE))
        return found

    def _resources(self) -> Resources | None:
        said = self.top.raw("resources")
        return None if said is None else read_resources(said, self.top.at("resources"), self.mistakes)

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
