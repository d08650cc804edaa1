"""From a request to a module, in the order of the sources: the bundle, the lock file, installed packages, libraries.

While a DAG file is parsed, what is on disk costs some ``stat`` calls, and what the lock file pins costs reading that.
Only what is in neither is asked of a library, through what this host remembers of it (``host``).  A version that is not
there is an error; nothing is looked for in the place of what was asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.folders import OnDisk, in_bundle, installed, read_folder
from airflow_mlpipe.modules.locking import FILE as LOCK
from airflow_mlpipe.modules.locking import Locked, LockFile, lock_of
from airflow_mlpipe.modules.requests import Request, parse_request, parse_version
from airflow_mlpipe.modules.resolved import BUNDLE, INSTALLED, ResolvedModule


def resolve_module(module: object, dag_file: str, *, where: str) -> ResolvedModule:
    """Find what an author asks for.

    :param dag_file: that it is asked for in. :param where: the step, for errors.
    :raises DefinitionError: for what is no request, a module with mistakes, one that is nowhere, a name that means two,
        and a lock file that does not have it.
    """
    request = parse_request(module, where=where)
    if request.path is not None:
        return _at_path(request, dag_file, where)
    known: list[str] = []
    if request.source in (None, BUNDLE):
        found = list(in_bundle(request.name, dag_file))
        if chosen := choose_on_disk(request, found, where=where):
            return of_disk(request, chosen)
        known += [f"{one.definition.version} of {BUNDLE}" for one in found]
    if request.source != BUNDLE and (lock := lock_of(dag_file)) is not None:
        return _locked(request, lock, where)
    if request.source in (None, INSTALLED):
        found = list(installed(request.name))
        if chosen := choose_on_disk(request, found, where=where):
            return of_disk(request, chosen)
        known += [f"{one.definition.version} of {INSTALLED}" for one in found]
    if request.source not in (BUNDLE, INSTALLED):
        # Imported here and not above: a DAG whose modules are on disk needs no store.
        from airflow_mlpipe.hooks.workspace import Stores
        from airflow_mlpipe.modules.libraries import Libraries
        from airflow_mlpipe.modules.locking import is_unlocked

        answer, versions = Libraries(Stores(), fresh=is_unlocked()).find(request, where=where)
        if answer is not None:
            return answer
        known += versions
    raise missing(request, known, where=where)


def _at_path(request: Request, dag_file: str, where: str) -> ResolvedModule:
    assert request.path is not None
    folder = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(dag_file)), request.path))
    if not os.path.isdir(folder):
        raise DefinitionError(
            "there is no such folder", where=f"{where}: module", given=request.path, fix=f"create {folder}"
        )
    found = OnDisk(definition=read_folder(Path(folder)), folder=folder, source=BUNDLE, owner=folder)
    return of_disk(request, found)


def _locked(request: Request, lock: LockFile, where: str) -> ResolvedModule:
    entry = lock.entries.get(request.key)
    if entry is None:
        raise DefinitionError(
            f"{lock.path} has no entry for this module",
            where=f"{where}: module",
            given=request.text,
            valid=sorted(lock.entries) or "it is empty",
            fix="airflow mlpipe module lock DAG adds it",
        )
    found = entry.resolved(request)
    return _installed(request, entry, found, where) if entry.source == INSTALLED else found


def _installed(request: Request, entry: Locked, found: ResolvedModule, where: str) -> ResolvedModule:
    """A locked module of a package, which has to be installed in the version that was locked."""
    there = [one for one in installed(request.name) if one.definition.to_json() == entry.definition.to_json()]
    if not there:
        raise DefinitionError(
            f"{LOCK} pins the module {entry.definition.label} of an installed package, and that is not installed",
            where=f"{where}: module",
            given=request.text,
            valid=[f"{one.definition.version} of {one.owner}" for one in installed(request.name)] or None,
            fix="install what was locked, or lock the DAG anew: airflow mlpipe module lock DAG",
        )
    return ResolvedModule(
        request=request,
        definition=found.definition,
        source=INSTALLED,
        owner=there[0].owner,
        folder=there[0].folder,
        code=found.code,
        digest=found.digest,
        locked=True,
    )


def of_disk(request: Request, found: OnDisk) -> ResolvedModule:
    """A module's folder as the answer to a request."""
    return ResolvedModule(
        request=request, definition=found.definition, source=found.source, owner=found.owner, folder=found.folder
    )


def choose_on_disk(request: Request, found: Iterable[OnDisk], *, where: str) -> OnDisk | None:
    """The highest version that the request admits.  :raises DefinitionError: when two folders have that version."""
    by_version: dict[str, list[OnDisk]] = {}
    for one in found:
        by_version.setdefault(str(parse_version(one.definition.version)), []).append(one)
    admitted = request.admits(by_version)
    if not admitted:
        return None
    candidates = by_version[admitted[0]]
    if len(candidates) > 1:
        raise DefinitionError(
            f"two modules have the name {request.name!r} and the version {admitted[0]}",
            where=where,
            given=[one.folder for one in candidates],
            fix="rename one of them, or give it another version",
        )
    return candidates[0]


def missing(request: Request, known: Iterable[str], *, where: str) -> DefinitionError:
    """The error for a module that is nowhere."""
    known = tuple(known)
    return DefinitionError(
        "no source has such a version of the module" if known else "no source has a module of this name",
        where=f"{where}: module",
        given=request.text,
        valid=known or None,
        fix=None if known else "airflow mlpipe module ls shows what there is",
    )
