"""Publish a module: its code by digest, then, last and only if there is none, the document of its version.

A kill anywhere leaves the library without the version, or with all of it.  The same version with the same content is
published already; with other content it is refused, with what is different.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.errors import CorruptedError, DefinitionError, InputChangedError
from airflow_mlpipe.fingerprint.code import Source
from airflow_mlpipe.fingerprint.digest import digest_bytes
from airflow_mlpipe.fingerprint.ignore import Ignore
from airflow_mlpipe.fingerprint.local import LocalContent, LocalIndex
from airflow_mlpipe.modules.definition import FILE, ModuleDefinition
from airflow_mlpipe.modules.differences import Difference, definition_differences, file_differences
from airflow_mlpipe.modules.library import Library
from airflow_mlpipe.modules.published import PublishedModule
from airflow_mlpipe.modules.reading import read_module
from airflow_mlpipe.modules.revisions import author_of, revision_of


class ModuleConflictError(DefinitionError):
    """A version is published already, with other content.  :ivar differences: between the two."""

    def __init__(self, definition: ModuleDefinition, library: str, differences: Sequence[Difference]) -> None:
        self.differences = tuple(differences)
        super().__init__(
            f"the version {definition.version} is published already, with other content",
            where=f"module {definition.name} of {library}",
            fix="give it another version: what a version stands for never changes",
        )

    def _message(self) -> str:
        return "\n  ".join([super()._message(), *map(str, self.differences)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What became of a module.  :param is_new: ``False``: it was there already."""

    module: PublishedModule
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFolder:
    """A module on this disk, with all that publishing it would send."""

    folder: Path
    definition: ModuleDefinition
    content: LocalContent


def look_at(folder: Path, index: LocalIndex | None = None) -> ModuleFolder:
    """Read a module's folder.

    :raises DefinitionError: for its mistakes. :raises ConfigurationError: when it is too large to be code.
    :raises PathError: for a link that leaves it.
    """
    folder = Path(os.path.abspath(folder))
    definition = read_module(folder)
    text = (folder / FILE).read_bytes()
    root = os.path.realpath(folder)
    Source(root, None).all_files()  # it says whether they are too many
    content = (index or LocalIndex(None)).identify(folder, name_filter=Ignore(root).keeps, filter_key="module")
    entry = content.trees[content.digest].entry(FILE)
    if entry is None:
        raise DefinitionError(f"{FILE} is ignored", where=str(folder), fix="take it out of .mlpipeignore")
    if entry.digest != digest_bytes(text):
        raise InputChangedError("the module changed while it was read", where=str(folder), fix="publish it again")
    return ModuleFolder(folder=folder, definition=definition, content=content)


def publish(library: Library, folder: Path, *, author: str | None = None, dry_run: bool = False) -> Publication:
    """Publish the module of a folder.

    :param author: by default as git knows them. :param dry_run: only look whether it could be.
    :raises ModuleConflictError: when the version is there with other content.
    :raises DefinitionError, ConfigurationError, PathError: as :func:`look_at`. :raises StoreError: and its kinds.
    """
    found = look_at(folder)
    definition, code = found.definition, found.content.digest
    there = library.get(definition.name, definition.version)
    if there is not None:
        _check_same(library, there, found)
    module = there or PublishedModule(
        definition=definition,
        code=code,
        author=author or author_of(found.folder),
        published=time.time(),
        revision=revision_of(found.folder),
    )
    if dry_run:
        return Publication(module=module, is_new=there is None)
    library.contents.publish(found.folder, found.content)  # also of a version that is there: it heals what is damaged
    if there is not None or library.create(module):
        return Publication(module=module, is_new=there is None)
    winner = library.get(definition.name, definition.version)  # somebody published it meanwhile
    if winner is None:
        raise CorruptedError(
            "the version vanishes each time it is looked at", where=f"module {definition.label} of {library.name}"
        )
    _check_same(library, winner, found)
    return Publication(module=winner, is_new=False)


def _check_same(library: Library, there: PublishedModule, found: ModuleFolder) -> None:
    if there.definition.to_json() == found.definition.to_json() and there.code == found.content.digest:
        return
    files = file_differences(library.contents.tree, there.code, found.content.trees.__getitem__, found.content.digest)
    told = [*definition_differences(there.definition, found.definition), *files]
    raise ModuleConflictError(found.definition, library.name, told)
