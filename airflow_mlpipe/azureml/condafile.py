"""A conda file as requirements: its pip section, and its packages by the names that they have on a Python index."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from airflow_mlpipe.azureml.environment import sort_out
from airflow_mlpipe.errors import DefinitionError


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaFile:
    """What a conda file asks for.

    :param packages: sorted requirements. :param python: version, if it is said.
    :param options: of pip. :param dropped: packages of Azure ML's own.
    """

    packages: tuple[str, ...]
    python: str | None = None
    options: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def read_conda(path: str) -> CondaFile:
    """Read a file.  :raises DefinitionError: when it is not there, or no conda file."""
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            document = yaml.safe_load(file)
    except (OSError, yaml.YAMLError) as error:
        raise DefinitionError(f"the conda file cannot be read ({error})", where=path) from error
    return parse_conda(document, where=path)


def parse_conda(document: Any, *, where: str) -> CondaFile:
    """A conda file's content.  :raises DefinitionError: when it is none."""
    given = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(given, list):
        raise DefinitionError("not a conda file", where=where, valid="a mapping with a list of dependencies")
    packages: list[str] = []
    python = None
    for item in given:
        if isinstance(item, dict):
            packages += [str(p) for p in item.get("pip") or ()]
        elif match := re.fullmatch(r"python\s*[=~<>!]*=?\s*(\d+(?:\.\d+)*).*", str(item)):
            python = match[1]
        else:
            packages.append(str(item))
    found = sort_out(packages)
    return CondaFile(packages=found.kept, python=python, options=found.options, dropped=found.dropped)
