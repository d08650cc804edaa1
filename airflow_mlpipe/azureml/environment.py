"""Environment and CondaDependencies of v1: packages, an image, variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.azureml.warn import ignored, warn
from airflow_mlpipe.azureml.where import calling_file
from airflow_mlpipe.errors import DefinitionError

_AZURES = re.compile(r"azureml(-|\Z)|azure-ml(-|\Z)")
_NO_PACKAGES = ("pip", "python", "setuptools", "wheel")


class CondaDependencies:
    """Packages of an environment.  uv installs all of them from a Python index; conda has no part in it."""

    def __init__(self, conda_dependencies_file_path: str | None = None) -> None:
        self.file = conda_dependencies_file_path
        self.pip: list[str] = []
        self.conda: list[str] = []
        self.python: str | None = None

    @classmethod
    def create(
        cls,
        pip_indexurl: str | None = None,
        pip_packages: Sequence[str] | None = None,
        conda_packages: Sequence[str] | None = None,
        python_version: str | None = None,
        pin_sdk_version: bool = True,
        **others: Any,
    ) -> CondaDependencies:
        """Packages by their names and versions."""
        ignored("CondaDependencies.create", {"pip_indexurl": pip_indexurl, **others}, why="uv has its own settings")
        found = cls()
        found.pip += list(pip_packages or ())
        found.conda += list(conda_packages or ())
        found.python = python_version
        return found

    def add_pip_package(self, pip_package: str) -> None:
        """Add one."""
        self.pip.append(pip_package)

    def add_conda_package(self, conda_package: str) -> None:
        """Add one."""
        self.conda.append(conda_package)

    def set_python_version(self, version: str) -> None:
        """The Python of the environment."""
        self.python = version

    def add_channel(self, channel: str) -> None:
        """Nothing: packages come from a Python index."""
        warn(f"conda channel {channel!r}: packages come from the Python index that uv is configured with")

    set_pip_option = add_channel

    @property
    def packages(self) -> tuple[str, ...]:
        """Requirements for uv, sorted, those of Azure ML itself left out."""
        return requirements([*self.conda, *self.pip])


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """A list of packages, sorted out.

    :param kept: as pip spells them, sorted. :param options: of pip, that have no place in a list.
    :param dropped: Azure ML's own.
    """

    kept: tuple[str, ...]
    options: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def sort_out(given: Iterable[str]) -> Packages:
    """Packages as pip spells them: conda's ``a=1.2`` is ``a==1.2``.

    :raises DefinitionError: for what is no text.
    """
    kept, options, dropped = set(), set(), set()
    for spelling in given:
        if not isinstance(spelling, str):
            raise DefinitionError("a package is text", where="CondaDependencies", given=spelling)
        text = re.sub(r"^[\w.-]+::", "", spelling.strip())
        text = re.sub(r"^([A-Za-z0-9_.-]+)=([^=<>!~].*?)(=[^=]*)?$", r"\1==\2", text)
        name = re.split(r"[\s=<>!~\[;@]", text, maxsplit=1)[0].lower()
        if text.startswith("-"):
            options.add(text)
        elif _AZURES.match(name):
            dropped.add(name)
        elif name and name not in _NO_PACKAGES:
            kept.add(text)
    return Packages(kept=tuple(sorted(kept)), options=tuple(sorted(options)), dropped=tuple(sorted(dropped)))


def requirements(given: Iterable[str]) -> tuple[str, ...]:
    """:func:`sort_out`, with warnings of what is left out."""
    found = sort_out(given)
    if found.dropped:
        warn(f"packages of Azure ML are not installed: {', '.join(found.dropped)}")
    for option in found.options:
        warn(f"an option of pip has no place in a list of packages: {option}; name a requirements file instead")
    return found.kept


@dataclass(slots=True)
class PythonSection:
    """The Python of an environment.

    :param user_managed_dependencies: whether the packages are there already: then the compute's own Python is used.
    """

    conda_dependencies: CondaDependencies = field(default_factory=CondaDependencies)
    user_managed_dependencies: bool = False
    interpreter_path: str = "python"
    conda_dependencies_file: str | None = None
    base_conda_environment: str | None = None


@dataclass(slots=True)
class DockerSection:
    """The image of an environment."""

    enabled: bool = True
    base_image: str | None = None
    base_dockerfile: str | None = None
    base_image_registry: Any = None
    shm_size: str | None = None
    arguments: Sequence[str] = ()
    shared_volumes: bool = True
    gpu_support: bool = False


class Environment:
    """What a step runs in.

    :param name: for people; it has no part in the identity.
    """

    def __init__(self, name: str = "environment", **others: Any) -> None:
        self.name = name
        self.version: str | None = None
        self.python = PythonSection()
        self.docker = DockerSection()
        self.environment_variables: Mapping[str, str] = {}
        self.requirements_file: str | None = None
        ignored(f"Environment({name!r})", others, why="set python, docker and environment_variables")

    @classmethod
    def from_pip_requirements(cls, name: str, file_path: str, pip_version: str | None = None) -> Environment:
        """Packages of a requirements file, relative to the script."""
        found = cls(name)
        found.requirements_file = file_path
        return found

    @classmethod
    def from_conda_specification(cls, name: str, file_path: str) -> Environment:
        """Packages of a conda file, relative to the script; its pip and its Python packages are installed by uv."""
        found = cls(name)
        found.python.conda_dependencies = CondaDependencies(file_path)
        return found

    @classmethod
    def from_docker_image(cls, name: str, image: str, **others: Any) -> Environment:
        """An image that brings everything."""
        ignored("Environment.from_docker_image", others, why="the image is used as it is")
        found = cls(name)
        found.docker.base_image = image
        found.python.user_managed_dependencies = True
        return found

    @classmethod
    def from_dockerfile(cls, name: str, dockerfile: str, **others: Any) -> Environment:
        """An image to build.  :raises DefinitionError: always: images are not built here."""
        raise DefinitionError(
            "images are not built here",
            where=f"Environment.from_dockerfile({name!r})",
            fix="build and push the image, and name it with Environment.from_docker_image(name, image)",
        )

    @classmethod
    def get(cls, workspace: object, name: str, version: str | None = None) -> Environment:
        """An environment that this script registered; of any other (curated ones are Azure's) the name alone.

        A step in such a one runs in the worker's Python, with a warning.
        """
        if (found := registered().get(name)) is not None:
            return found
        warn(
            f"Environment.get({name!r}): no registry of environments, so its steps run in the worker's Python; "
            "say what is in it with Environment.from_pip_requirements(name, file) or from_docker_image(name, image)"
        )
        return cls(name)

    def register(self, workspace: object = None) -> Environment:
        """Remember it for the rest of the script."""
        _REGISTERED.setdefault(calling_file(), {})[self.name] = self
        return self

    def clone(self, new_name: str) -> Environment:
        """A copy under another name."""
        from copy import deepcopy

        copied = deepcopy(self)
        copied.name = new_name
        return copied

    def build(self, *others: Any, **more: Any) -> Environment:
        """Nothing: an environment is built when the first step needs it."""
        return self

    build_local = build

    def wait_for_completion(self, *others: Any, **more: Any) -> None:
        """Nothing to wait for."""

    def __repr__(self) -> str:
        return f"Environment({self.name!r})"


_REGISTERED: dict[str, dict[str, Environment]] = {}


def registered() -> dict[str, Environment]:
    """The environments that this script registered; those of other DAG files of this process are not its own."""
    return dict(_REGISTERED.get(calling_file(), {}))
