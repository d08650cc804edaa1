"""What people do with modules, as functions: the commands ``airflow mlpipe module ...`` call these."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.definition import ModuleDefinition
from airflow_mlpipe.modules.differences import Difference, breaking, definition_differences, file_differences, same_step
from airflow_mlpipe.modules.libraries import Libraries
from airflow_mlpipe.modules.published import Mark, SourceRevision
from airflow_mlpipe.modules.publishing import Publication
from airflow_mlpipe.modules.publishing import publish as publish_folder
from airflow_mlpipe.modules.requests import Request, parse_request
from airflow_mlpipe.modules.resolved import BUNDLE, INSTALLED
from airflow_mlpipe.modules.revisions import user

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.modules.locking import LockFile
    from airflow_mlpipe.modules.lockmaking import Moved

_HERE = "a module"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleInfo:
    """A version of a module, with all that is known of it.

    :param source: ``bundle`` for a folder, ``installed``, or a library. :param place: the folder, the distribution or
        the library's URL. :param versions: all that the source has, the highest first.
    """

    definition: ModuleDefinition
    source: str
    place: str
    code: str
    digest: str
    author: str = ""
    published: float = 0.0
    revision: SourceRevision | None = None
    deprecated: Mark | None = None
    yanked: Mark | None = None
    is_default: bool = False
    versions: tuple[str, ...] = ()
    load_tree: Any = field(default=None, repr=False, compare=False)
    read_file: Any = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleDiff:
    """What is different between two modules.

    :param breaking: of that, what would break a DAG that uses the old one.
    :param same_step: whether steps of one reuse results of the other.
    """

    old: ModuleInfo
    new: ModuleInfo
    definition: tuple[Difference, ...]
    files: tuple[Difference, ...]
    breaking: tuple[str, ...]
    same_step: bool


def publish(
    folder: str | Path,
    *,
    library: str | None = None,
    author: str | None = None,
    dry_run: bool = False,
    stores: Stores | None = None,
) -> Publication:
    """Publish the module of a folder.

    :param library: a datastore, or ``workspace``; by default the first of ``[mlpipe] module_libraries``.
    :param dry_run: only say whether it could be published.
    :raises ModuleConflictError: when the version is published already, with other content.
    :raises DefinitionError: for mistakes in the module. :raises StoreError: and its kinds.
    """
    libraries = _libraries(stores)
    return publish_folder(
        libraries.open(library or libraries.names[0]).library, Path(folder), author=author, dry_run=dry_run
    )


def ls(
    *, library: str | None = None, folders: Iterable[str | Path] = (), stores: Stores | None = None
) -> Iterator[ModuleInfo]:
    """All modules, each with the version that its name alone stands for.

    :param library: of this one only. :param folders: also those of these folders.
    """
    from airflow_mlpipe.modules.catalogue import in_folders, in_installed, in_library

    libraries = _libraries(stores)
    yield from in_folders(folders)
    if library is None:
        yield from in_installed()
    for name in (library,) if library else libraries.names:
        yield from in_library(libraries.open(name).library)


def show(module: str, *, stores: Stores | None = None) -> ModuleInfo:
    """One module: ``featurize``, ``featurize@1.2``, ``team:featurize>=1``, or the path of a folder.

    A version that is yanked is shown, too.

    :raises DefinitionError: when there is none, or more than one library has it.
    """
    from airflow_mlpipe.modules.catalogue import find

    return find(parse_request(module, where=_HERE), _libraries(stores))


def diff(old: str, new: str, *, stores: Stores | None = None) -> ModuleDiff:
    """What is different between two modules, each named as for :func:`show`; errors as there."""
    was, now = show(old, stores=stores), show(new, stores=stores)
    files = file_differences(was.load_tree, was.code, now.load_tree, now.code)
    return ModuleDiff(
        old=was,
        new=now,
        definition=tuple(definition_differences(was.definition, now.definition)),
        files=tuple(files),
        breaking=tuple(breaking(was.definition, now.definition)),
        same_step=same_step(was.definition, now.definition, files),
    )


def deprecate(module: str, why: str = "", *, undo: bool = False, stores: Stores | None = None) -> ModuleInfo:
    """Warn whoever uses a version, ``featurize@1.2``.

    :param undo: do not any more. :raises DefinitionError: when there is no such version.
    """
    library, request = _of_library(module, stores)
    library.deprecate(request.name, str(request.exact), None if undo else _mark(why))
    return show(f"{library.name}:{request.name}@{request.exact}", stores=stores)


def yank(module: str, why: str = "", *, undo: bool = False, stores: Stores | None = None) -> ModuleInfo:
    """Refuse a version, ``featurize@1.2``, to whoever has not locked it; else as :func:`deprecate`."""
    library, request = _of_library(module, stores)
    library.yank(request.name, str(request.exact), None if undo else _mark(why))
    return show(f"{library.name}:{request.name}@{request.exact}", stores=stores)


def set_default(module: str, *, clear: bool = False, stores: Stores | None = None) -> ModuleInfo:
    """Let a name alone stand for a version, ``featurize@1.2``.

    :param clear: let it stand for the highest again. :raises DefinitionError: when there is no such version.
    """
    library, request = _of_library(module, stores, needs_version=not clear)
    library.set_default(request.name, None if clear else request.exact)
    return show(f"{library.name}:{request.name}" + ("" if clear else f"@{request.exact}"), stores=stores)


def lock(*dags: Any, stores: Stores | None = None, write: bool = True) -> list[tuple[LockFile, list[Moved]]]:
    """Write the lock files of DAGs, each beside its DAG's file; entries of other DAGs stay.

    :param write: ``False``: only say what would move.
    :returns: each lock file, and what moved in it.
    :raises DefinitionError: for a request that nothing answers.
    """
    from airflow_mlpipe.modules.lockmaking import lock_dags

    return lock_dags(dags, _stores(stores), write=write)


def _of_library(module: str, stores: Stores | None, *, needs_version: bool = True) -> tuple[Any, Request]:
    request = parse_request(module, where=_HERE)
    if request.path is not None or request.source in (BUNDLE, INSTALLED) or request.range is not None:
        raise DefinitionError(
            "this is about a version in a library", where=_HERE, given=module, valid=("featurize@1.2",)
        )
    if needs_version and request.exact is None:
        raise DefinitionError("say which version", where=_HERE, given=module, fix=f"write {module}@1.2")
    libraries = _libraries(stores)
    if request.source is not None:
        return libraries.open(request.source).library, request
    having = [one.library for one in libraries.all() if one.library.listing(request.name).versions]
    if len(having) > 1:
        told = [f"{library.name}:{module}" for library in having]
        raise DefinitionError("more than one library has a module of this name", where=_HERE, given=module, valid=told)
    if not having:
        raise DefinitionError(
            "no library has a module of this name",
            where=_HERE,
            given=module,
            valid=[f"libraries: {', '.join(libraries.names)}"],
        )
    return having[0], request


def _mark(why: str) -> Mark:
    return Mark(by=user(), why=why, since=time.time())


def _libraries(stores: Stores | None) -> Libraries:
    return Libraries(_stores(stores), fresh=True)


def _stores(stores: Stores | None) -> Stores:
    if stores is None:
        from airflow_mlpipe.hooks.workspace import Stores as Opened

        return Opened()
    return stores
