"""Modules on this disk: in the DAG bundle, and in installed packages.

The folder ``modules`` beside the DAG file, and those beside it further up in the bundle, hold a folder for each module.
A distribution names its folder of modules by an entry point of the group ``airflow_mlpipe.modules``: a package
(``acme_ml.modules``), which is not imported.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.modules.definition import FILE, ModuleDefinition
from airflow_mlpipe.modules.reading import read_module
from airflow_mlpipe.modules.resolved import BUNDLE, INSTALLED

FOLDER = "modules"
GROUP = "airflow_mlpipe.modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDisk:
    """A module's folder.  :param source: ``bundle`` or ``installed``. :param owner: for people."""

    definition: ModuleDefinition
    folder: str
    source: str
    owner: str


def read_folder(folder: Path) -> ModuleDefinition:
    """The module of a folder, remembered by this process as long as its file stays the same; errors as reading."""
    file = folder / FILE
    try:
        status = file.stat()
    except OSError:
        return read_module(folder)  # it says what is wrong
    return _read(str(folder), status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)


@lru_cache(maxsize=1024)
def _read(folder: str, *_stat: int) -> ModuleDefinition:
    return read_module(Path(folder))


def bundle_tops(dag_file: str) -> list[str]:
    """The folder of a DAG file and those above it in its bundle, the nearest first.

    Airflow puts the bundle's own folder on Python's path, so the highest folder that is there is the last.
    """
    here = os.path.dirname(os.path.abspath(dag_file))
    above = [here]
    while (parent := os.path.dirname(above[-1])) != above[-1]:
        above.append(parent)
    on_path = {os.path.abspath(entry) for entry in sys.path if entry}
    last = max((index for index, folder in enumerate(above) if folder in on_path), default=0)
    return above[: last + 1]


def bundle_folders(dag_file: str) -> list[str]:
    """The folders of modules of a DAG file, the nearest first."""
    found = (os.path.join(folder, FOLDER) for folder in bundle_tops(dag_file))
    return [folder for folder in found if os.path.isdir(folder)]


def in_bundle(name: str, dag_file: str) -> Iterator[OnDisk]:
    """The modules of a name in the bundle of a DAG file.

    :raises DefinitionError: for one with mistakes.
    """
    for top in bundle_folders(dag_file):
        for folder, definition in _named(top, name):
            yield OnDisk(definition=definition, folder=folder, source=BUNDLE, owner=folder)


def installed(name: str) -> Iterator[OnDisk]:
    """The modules of a name in installed distributions.

    :raises DefinitionError: for one with mistakes. :raises ConfigurationError: for an entry point that leads nowhere.
    """
    for owner, top in _installed_folders():
        for folder, definition in _named(top, name):
            yield OnDisk(definition=definition, folder=folder, source=INSTALLED, owner=owner)


def all_in(top: str) -> Iterator[tuple[str, ModuleDefinition | DefinitionError]]:
    """Every module below a folder of modules, those with mistakes by what is wrong with them."""
    for folder in _folders(top):
        try:
            yield folder, read_folder(Path(folder))
        except DefinitionError as error:
            yield folder, error


def installed_folders() -> list[tuple[str, str]]:
    """Distribution and folder of modules, of each entry point; errors as :func:`installed`."""
    return list(_installed_folders())


def _folders(top: str) -> list[str]:
    if os.path.isfile(os.path.join(top, FILE)):
        return [top]
    with os.scandir(top) as entries:
        names = sorted(e.name for e in entries if not e.name.startswith((".", "__")) and e.is_dir())
    return [folder for n in names if os.path.isfile(os.path.join(folder := os.path.join(top, n), FILE))]


def _named(top: str, name: str) -> Iterator[tuple[str, ModuleDefinition]]:
    """The modules of a name: a file that does not begin a line with it is not looked at any further."""
    pattern = re.compile(rf"""^["']?name["']?\s*:\s*["']?{re.escape(name)}["']?\s*(?:#|$)""", re.MULTILINE)
    for folder in _folders(top):
        status = os.stat(os.path.join(folder, FILE))
        text = _text(folder, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
        if pattern.search(text) and (found := read_folder(Path(folder))).name == name:
            yield folder, found


@lru_cache(maxsize=1024)
def _text(folder: str, *_stat: int) -> str:
    """Of a module's file, read once for all the names that a DAG file asks for."""
    return Path(folder, FILE).read_text(encoding="utf-8", errors="replace")


@lru_cache(maxsize=1)
def _installed_folders() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((_owner(point), _folder_of(point)) for point in entry_points(group=GROUP)))


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _folder_of(point: EntryPoint) -> str:
    """Where the package of an entry point is, without importing it where that can be helped."""
    if point.dist is not None:
        folder = str(point.dist.locate_file(point.value.replace(".", "/")))
        if os.path.isdir(folder):
            return folder
    try:
        spec = find_spec(point.value)  # of an editable install; imports the packages above
    except ImportError:
        spec = None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise ConfigurationError(
            "an entry point of modules names no package",
            where=_owner(point),
            given=f"{point.name} = {point.value}",
            fix="name the package whose folder holds the modules' folders, or uninstall that distribution",
        )
    return places[0]
