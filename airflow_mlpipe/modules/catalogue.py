"""Every module that there is, and everything that is known of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.api import ModuleInfo
from airflow_mlpipe.modules.folders import all_in, installed, installed_folders
from airflow_mlpipe.modules.libraries import Libraries, chosen_version
from airflow_mlpipe.modules.library import Library
from airflow_mlpipe.modules.published import Listing, PublishedModule, digest_of
from airflow_mlpipe.modules.publishing import look_at
from airflow_mlpipe.modules.requests import Request, parse_version, version_key
from airflow_mlpipe.modules.resolved import BUNDLE, INSTALLED
from airflow_mlpipe.modules.resolving import choose_on_disk, missing

if TYPE_CHECKING:
    from airflow_mlpipe.modules.definition import ModuleDefinition

_HERE = "a module"


def of_folder(folder: Path, *, source: str = BUNDLE, place: str = "") -> ModuleInfo:
    """The module of a folder.  :raises DefinitionError: for its mistakes."""
    found = look_at(folder)
    code = found.content.digest
    return ModuleInfo(
        definition=found.definition,
        source=source,
        place=place or str(found.folder),
        code=code,
        digest=digest_of(found.definition, code),
        is_default=True,
        versions=(found.definition.version,),
        load_tree=found.content.trees.__getitem__,
        read_file=lambda path: (found.folder / path).read_bytes(),
    )


def of_library(library: Library, module: PublishedModule, listing: Listing) -> ModuleInfo:
    """A version of a library."""
    key = version_key(module.definition.version)
    alone = chosen_version(Request(text=module.definition.name, name=module.definition.name), listing)

    def read(path: str) -> bytes:
        digest = next(entry.digest for name, entry in library.contents.walk(module.code) if name == path)
        return library.contents.read_bytes(digest)

    return ModuleInfo(
        definition=module.definition,
        source=library.name,
        place=library.store.url,
        code=module.code,
        digest=module.digest,
        author=module.author,
        published=module.published,
        revision=module.revision,
        deprecated=listing.deprecated.get(key),
        yanked=listing.yanked.get(key),
        is_default=alone == key,
        versions=tuple(sorted(listing.versions, key=parse_version, reverse=True)),
        load_tree=library.contents.tree,
        read_file=read,
    )


def in_folders(folders: Iterable[str | Path]) -> Iterator[ModuleInfo]:
    """The modules below folders of modules.  :raises DefinitionError: for one with mistakes."""
    for top in folders:
        for folder, definition in all_in(str(top)):
            _raise(definition)
            yield of_folder(Path(folder))


def in_installed() -> Iterator[ModuleInfo]:
    """The modules of installed distributions; errors as :func:`in_folders`."""
    for owner, top in installed_folders():
        for folder, definition in all_in(top):
            _raise(definition)
            yield of_folder(Path(folder), source=INSTALLED, place=owner)


def _raise(definition: ModuleDefinition | DefinitionError) -> None:
    if isinstance(definition, DefinitionError):
        raise definition


def in_library(library: Library) -> Iterator[ModuleInfo]:
    """The modules of a library, each by what its name alone stands for; only yanked versions: by the highest."""
    for name, listing in library.all():
        version = chosen_version(Request(text=name, name=name), listing) or max(listing.versions, key=parse_version)
        if (module := library.get(name, version)) is not None:
            yield of_library(library, module, listing)


def find(request: Request, libraries: Libraries) -> ModuleInfo:
    """One module, yanked or not.  :raises DefinitionError: when there is none, or more than one library has it."""
    if request.path is not None:
        return of_folder(Path(request.path))
    known: list[str] = []
    if request.source in (None, INSTALLED):
        there = list(installed(request.name))
        if chosen := choose_on_disk(request, there, where=_HERE):
            return of_folder(Path(chosen.folder), source=INSTALLED, place=chosen.owner)
        known += [f"{one.definition.version} of {INSTALLED}" for one in there]
    found: list[ModuleInfo] = []
    for name in (request.source,) if request.source else libraries.names:
        library = libraries.open(name).library
        listing = library.listing(request.name)
        version = chosen_version(request, listing)
        if version is not None and (module := library.get(request.name, version)) is not None:
            found.append(of_library(library, module, listing))
        known += [f"{version} of {name}" for version in listing.versions]
    if not found:
        raise missing(request, known, where=_HERE)
    if len({one.digest for one in found}) > 1:
        told = [f"{one.source}:{request.name}@{one.definition.version}" for one in found]
        raise DefinitionError("more than one library has it", where=_HERE, given=request.text, valid=told)
    return found[0]
