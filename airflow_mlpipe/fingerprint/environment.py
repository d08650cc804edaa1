"""What a step's code runs in, as far as it may change the result: interpreter, packages, image, declared variables.

Variables that nobody declared do not count, because the step's process does not get them.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.model.environment import Environment

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=)?(\S+)")
_LOCAL = re.compile(
    r"(?:-e\s+|--editable[\s=]+)?"
    r"(?:[A-Za-z0-9][\w.-]*\s*(?:\[[^\]]*\]\s*)?@\s*)?"  # the name in ``name @ file:///wheel``
    r"(file://)?((?:\.{1,2}(?:/|\Z)|/)[^\s;\[#]*|\.(?=\[|\s|\Z))"
)
_IMAGE_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})\Z")


def environment_identity(
    environment: Environment,
    *,
    root: str,
    imports: frozenset[str],
    worker_variables: Mapping[str, str],
    cache_dir: Path | None = None,
) -> dict[str, Any]:
    """The environment's part of a key document, JSON values.

    :param root: folder that ``environment.requirements`` is relative to.
    :param imports: top-level modules that the code imports and does not contain; they say which of the worker's
        packages count. :param worker_variables: that ``pass_variables`` names are taken from.
    :param cache_dir: where answers about installed packages are remembered.
    :raises DefinitionError: for a requirements file that is missing, or names a file that is.
    """
    if environment.image is not None:
        found: dict[str, Any] = {"image": image_identity(environment.image)}
    else:
        found = {"python": _python(environment.python), "platform": f"{sys.platform}-{platform.machine()}"}
        if environment.requirements is not None:
            found["requirements"] = requirements_identity(os.path.join(root, environment.requirements))
        elif environment.packages:
            lines = "\n".join(environment.packages)
            found["requirements"] = {"packages": digest_bytes(lines.encode())}
        elif environment.python is None:
            # Here and not above: with requirements or an image the worker's packages are never asked for.
            from airflow_mlpipe.fingerprint.packages import packages_of

            found["packages"] = packages_of(imports, cache_dir)
    passed = {name: worker_variables.get(name) for name in environment.pass_variables}
    if variables := {**passed, **environment.variables}:
        found["variables"] = dict(sorted(variables.items()))
    return found


def image_identity(reference: str) -> str:
    """What counts of an image: its digest, if the reference has one, else the reference."""
    match = _IMAGE_DIGEST.search(reference)
    return match[1] if match else reference


def _python(wanted: str | None) -> str:
    if wanted is None:
        return f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"
    return f"cpython-{wanted}" if re.fullmatch(r"\d+(\.\d+)*", wanted) else wanted


def requirements_identity(file: str) -> dict[str, str]:
    """Digests of a requirements or lock file and of the local files that it names.

    The names are relative to the file's folder, so that a moved project is the same; of ``.txt`` and ``.in`` files,
    comments and blank lines do not count.

    :raises DefinitionError: for a file that is missing.
    """
    top = os.path.dirname(file)
    found: dict[str, str] = {}
    waiting = [file]
    while waiting:
        path = waiting.pop()
        name = os.path.relpath(path, top or ".")
        if name in found:
            continue
        lines = _lines(_read(path), path)
        found[name] = digest_bytes("\n".join(lines).encode())
        if not path.endswith(".toml"):
            for line in lines:
                waiting.extend(_included(line, path))
                found.update(_local(line, path, top))
    return dict(sorted(found.items()))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise DefinitionError(
            f"the requirements file cannot be read ({error.strerror})",
            where="Environment(requirements)",
            given=path,
            fix="give a path relative to the DAG file, or to the file that includes it",
        ) from error


def _lines(data: bytes, path: str) -> list[str]:
    lines = data.decode("utf-8", "backslashreplace").splitlines()
    if path.endswith(".toml"):
        return lines
    # A comment starts the line or follows white space (pip, Requirements File Format).
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return [line for line in stripped if line]


def _included(line: str, path: str) -> Iterator[str]:
    match = _INCLUDE.match(line)
    if match and "://" not in match[1]:
        yield os.path.normpath(os.path.join(os.path.dirname(path), match[1]))


def _local(line: str, path: str, top: str) -> Iterator[tuple[str, str]]:
    """A project or a wheel on this disk that a line names, by its content."""
    if not (match := _LOCAL.match(line)):
        return
    named = unquote(match[2]) if match[1] else match[2]
    target = os.path.normpath(os.path.join(os.path.dirname(path), named))
    if not os.path.exists(target):
        raise DefinitionError(
            "a requirement that is not there",
            where=path,
            given=line,
            fix="correct the path; it is relative to this file",
        )
    # Here and not above: few requirements files name local projects.
    from airflow_mlpipe.fingerprint.ignore import Ignore
    from airflow_mlpipe.fingerprint.local import LocalIndex

    keeps = Ignore(target).keeps if os.path.isdir(target) else None
    yield os.path.relpath(target, top or "."), LocalIndex(None).identify(Path(target), name_filter=keeps).digest
