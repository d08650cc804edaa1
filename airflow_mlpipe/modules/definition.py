"""What a module is: its interface, its program and what that needs, as one frozen value.

Made from a ``module.yaml`` or from a published document; the same value gives the same bytes.  Its code is not in it,
but beside it: a folder by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_mlpipe.errors import CorruptedError, DefinitionError
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.resources import Gpu, Resources
from airflow_mlpipe.model.step import CodeMode
from airflow_mlpipe.modules.types import PortType

API = "mlpipe/module/v1"
FILE = "module.yaml"
TESTS = "tests"
NO_CODE = (f"/{FILE}", f"/{TESTS}/")
"""Of a module's folder, what is no code of its step: two versions with equal code stay equal."""

ModuleKind = Literal["script", "command", "function", "pipeline"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDeclaration:
    """An input port.  :param many: whether it takes a list, which the program finds as a folder."""

    name: str
    type: PortType = field(default_factory=PortType)
    optional: bool = False
    many: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDeclaration:
    """An output port.

    :param filename: of a file, the name that programs see.
    :param source: of a pipeline, the inner output that it is: ``${steps.train.outputs.model}``.
    """

    name: str
    type: PortType = field(default_factory=lambda: PortType(kind="folder"))
    filename: str | None = None
    optional: bool = False
    description: str = ""
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDefinition:
    """A module.

    :param params: JSON Schema by parameter; one without ``default`` is required.
    :param arguments: as written, with placeholders; a list in it is left out where something optional in it is not
        there. :param script: of kind ``script`` and ``function``: the file. :param function: its name in that file.
    :param source: folder of the code, relative to the module's.
    :param deterministic: whether equal inputs give equal results; if not, steps of it are not reused.
    :param steps: of kind ``pipeline``, as written.
    """

    name: str
    version: str
    kind: ModuleKind
    description: str = ""
    owner: str = ""
    licence: str = ""
    tags: tuple[str, ...] = ()
    inputs: tuple[InputDeclaration, ...] = ()
    outputs: tuple[OutputDeclaration, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    arguments: tuple[Any, ...] = ()
    script: str | None = None
    function: str | None = None
    source: str = "."
    include: tuple[str, ...] = ()
    code: CodeMode = "closure"
    environment: Environment | None = None
    resources: Resources | None = None
    deterministic: bool = True
    steps: Mapping[str, Any] = field(default_factory=dict)

    def input(self, name: str) -> InputDeclaration | None:
        """The input of a name."""
        return next((port for port in self.inputs if port.name == name), None)

    def output(self, name: str) -> OutputDeclaration | None:
        """The output of a name."""
        return next((port for port in self.outputs if port.name == name), None)

    @property
    def label(self) -> str:
        """``featurize 1.2``, for people."""
        return f"{self.name} {self.version}"

    def to_json(self) -> dict[str, Any]:
        """The definition in documents: every member, so that two that differ look different."""
        return {
            "name": self.name,
            "version": self.version,
            "kind": self.kind,
            "description": self.description,
            "owner": self.owner,
            "licence": self.licence,
            "tags": list(self.tags),
            "inputs": {p.name: _input_to_json(p) for p in self.inputs},
            "outputs": {p.name: _output_to_json(p) for p in self.outputs},
            "params": {name: dict(schema) for name, schema in self.params.items()},
            "arguments": [list(a) if isinstance(a, tuple) else a for a in self.arguments],
            "script": self.script,
            "function": self.function,
            "source": self.source,
            "include": list(self.include),
            "code": self.code,
            "environment": None if self.environment is None else environment_to_json(self.environment),
            "resources": None if self.resources is None else resources_to_json(self.resources),
            "deterministic": self.deterministic,
            "steps": dict(self.steps),
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any], *, where: str) -> ModuleDefinition:
        """Read :meth:`to_json` back.  :raises CorruptedError: when it is something else."""
        try:
            return cls(
                name=members["name"],
                version=members["version"],
                kind=members["kind"],
                description=members["description"],
                owner=members["owner"],
                licence=members["licence"],
                tags=tuple(members["tags"]),
                inputs=tuple(_input_from_json(n, m) for n, m in members["inputs"].items()),
                outputs=tuple(_output_from_json(n, m) for n, m in members["outputs"].items()),
                params=members["params"],
                arguments=tuple(tuple(a) if isinstance(a, list) else a for a in members["arguments"]),
                script=members["script"],
                function=members["function"],
                source=members["source"],
                include=tuple(members["include"]),
                code=members["code"],
                environment=None if (e := members["environment"]) is None else environment_from_json(e),
                resources=None if (r := members["resources"]) is None else resources_from_json(r),
                deterministic=members["deterministic"],
                steps=members["steps"],
            )
        except (KeyError, TypeError, AttributeError, DefinitionError) as error:
            raise CorruptedError(f"not the definition of a module ({error!r})", where=where) from error


def _input_to_json(port: InputDeclaration) -> dict[str, Any]:
    return {
        "type": port.type.name,
        "kind": port.type.kind,
        "optional": port.optional,
        "many": port.many,
        "description": port.description,
    }


def _input_from_json(name: str, members: Mapping[str, Any]) -> InputDeclaration:
    return InputDeclaration(
        name=name,
        type=PortType(members["type"], members["kind"]),
        optional=members["optional"],
        many=members["many"],
        description=members["description"],
    )


def _output_to_json(port: OutputDeclaration) -> dict[str, Any]:
    return {
        "type": port.type.name,
        "kind": port.type.kind,
        "filename": port.filename,
        "optional": port.optional,
        "description": port.description,
        "from": port.source,
    }


def _output_from_json(name: str, members: Mapping[str, Any]) -> OutputDeclaration:
    return OutputDeclaration(
        name=name,
        type=PortType(members["type"], members["kind"]),
        filename=members["filename"],
        optional=members["optional"],
        description=members["description"],
        source=members["from"],
    )


def environment_to_json(environment: Environment) -> dict[str, Any]:
    """What is said of an environment."""
    return {
        "requirements": environment.requirements,
        "packages": list(environment.packages),
        "python": environment.python,
        "image": environment.image,
        "variables": dict(environment.variables),
        "pass_variables": list(environment.pass_variables),
    }


def environment_from_json(members: Mapping[str, Any]) -> Environment:
    """Read :func:`environment_to_json` back; members may be missing.  :raises DefinitionError: for a wrong value."""
    said: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in members.items() if value is not None
    }
    return Environment(**said)


def resources_to_json(resources: Resources) -> dict[str, Any]:
    """What is said of resources."""
    gpu = resources.gpu
    return {
        "cpu": resources.cpu,
        "memory": resources.memory,
        "gpu": {"count": gpu.count, "kind": gpu.kind, "memory": gpu.memory} if isinstance(gpu, Gpu) else None,
        "shm": resources.shm,
        "disk": resources.disk,
    }


def resources_from_json(members: Mapping[str, Any]) -> Resources:
    """Read :func:`resources_to_json` back; members may be missing.  :raises DefinitionError: for a wrong value."""
    gpu = members.get("gpu")
    return Resources(**{**members, "gpu": Gpu(**gpu) if isinstance(gpu, Mapping) else gpu})
