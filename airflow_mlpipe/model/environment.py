"""What a step's code runs in: Environment, and the secrets that it may read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.names import check_port

_OURS = ("MLPIPE_", "AIRFLOW_")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][^\n\r\0]*\Z")


@dataclass(frozen=True, slots=True)
class Environment:
    """What the code of a step runs in.  With no argument: the worker's own Python.

    :param requirements: a requirements or lock file, relative to the DAG file (``requirements.txt``,
        ``pylock.toml``), from which uv builds a virtual environment, once per host and content.
    :param packages: requirements by their text instead of a file (``("scikit-learn==1.5.2",)``), in any order.
    :param python: the Python version of that environment (``"3.12"``); by default the worker's.
    :param image: a container image instead, for computes that run containers.
    :param variables: environment variables of the step's process; their values are part of the fingerprint.
    :param pass_variables: names of the worker's environment variables that are handed on; their values count too.
    :raises DefinitionError: for image and requirements together, and for names that cannot be set.
    """

    requirements: str | None = None
    packages: tuple[str, ...] = ()
    python: str | None = None
    image: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    pass_variables: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        requirements: object = self.requirements
        if requirements is not None and not isinstance(requirements, str):
            raise DefinitionError(
                "requirements is the path of a file",
                where="Environment(requirements)",
                given=requirements,
                fix="give packages=[...], or the name of a requirements.txt beside the DAG file",
            )
        self._check_packages()
        if self.image is not None and (self.requirements is not None or self.python is not None or self.packages):
            raise DefinitionError(
                "an image brings its own Python",
                where="Environment",
                given=self.image,
                fix="give image=, or requirements=, packages= or python=",
            )
        pass_variables: object = self.pass_variables
        if isinstance(pass_variables, str):
            raise DefinitionError("pass_variables is a list of names", where="Environment", given=self.pass_variables)
        for name, value in self.variables.items():
            check_variable(name)
            if not isinstance(value, str):
                raise DefinitionError(
                    "the value of a variable is text", where=f"Environment(variables[{name!r}])", given=value
                )
        for name in self.pass_variables:
            check_variable(name)
        object.__setattr__(self, "variables", MappingProxyType(dict(sorted(self.variables.items()))))
        object.__setattr__(self, "pass_variables", tuple(sorted(self.pass_variables)))

    def _check_packages(self) -> None:
        packages: object = self.packages
        if isinstance(packages, str) or not isinstance(packages, Iterable):
            raise DefinitionError("packages is a list of requirements", where="Environment(packages)", given=packages)
        given: tuple[object, ...] = tuple(packages)
        if self.packages and self.requirements is not None:
            raise DefinitionError(
                "requirements is a file, packages a list: give one", where="Environment", given=self.requirements
            )
        for one in given:
            if not isinstance(one, str) or not _REQUIREMENT.match(one):
                raise DefinitionError(
                    "not a requirement", where="Environment(packages)", given=one, valid="like 'scikit-learn==1.5.2'"
                )
        object.__setattr__(self, "packages", tuple(sorted(set(self.packages))))

    @property
    def is_built(self) -> bool:
        """Whether uv builds an environment; else the code runs in an image, or in the worker's own Python."""
        return self.requirements is not None or bool(self.packages) or self.python is not None


def check_variable(name: str) -> str:
    """Return ``name`` if an author may set it in a step's process.

    :raises DefinitionError: for a name that is not one, or is ours or Airflow's to set.
    """
    check_port(name, where="Environment(variables)")
    if name.startswith(_OURS):
        raise DefinitionError(
            "this variable is set by the system",
            where="Environment(variables)",
            given=name,
            fix="choose a name of your own",
        )
    return name


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by reference: the program finds its value in a file, the fingerprint holds only the reference.

    Exactly one of the two:

    :param connection: an Airflow connection; ``field`` says which part (``password``, ``login``, ``uri`` or a key of
        its extras).
    :param variable: an Airflow variable.
    """

    connection: str | None = None
    variable: str | None = None
    field: str = "password"

    def __post_init__(self) -> None:
        if (self.connection is None) == (self.variable is None):
            raise DefinitionError("give exactly one of connection= and variable=", where="Secret")

    @property
    def reference(self) -> str:
        """The name that fingerprints and logs show."""
        return f"connection:{self.connection}.{self.field}" if self.connection else f"variable:{self.variable}"
