"""The code of a module on this host, verified: what runs is what was published."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import CorruptedError, DefinitionError, MLPipeError, ObjectNotFoundError
from airflow_mlpipe.fingerprint.digest import check_digest
from airflow_mlpipe.fingerprint.ignore import Ignore
from airflow_mlpipe.modules.libraries import FOLDER, WORKSPACE
from airflow_mlpipe.modules.resolved import ResolvedModule

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores
    from airflow_mlpipe.store.contents import Contents


def code_folder(module: ResolvedModule, stores: Stores) -> Path:
    """The folder of a module, as it is on this host.

    :raises CorruptedError: when what the library has is not what was published.
    :raises ObjectNotFoundError: when the library does not have it any more.
    :raises DefinitionError: when an installed module is not what the lock file pins.
    """
    if module.folder is not None:
        return _checked(Path(module.folder), module, stores)
    assert module.code is not None
    folder = stores.cache / FOLDER / "code" / check_digest(module.code).replace(":", "_")
    if folder.is_dir():
        if stores.index.identify(folder).digest == module.code:
            return folder
        _remove(folder)  # somebody wrote to it
    try:
        bring(stores.contents("" if module.source == WORKSPACE else module.source), module.code, folder)
    except (CorruptedError, ObjectNotFoundError) as error:
        raise _said_of(error, module) from error
    if stores.index.identify(folder).digest != module.code:
        raise CorruptedError("the code does not have its digest on this disk", where=str(folder), given=module.label)
    return folder


def _checked(folder: Path, module: ResolvedModule, stores: Stores) -> Path:
    """A folder of this host, which has to be what the lock file says, if there is one."""
    if not module.locked:
        return folder
    found = stores.index.identify(folder, name_filter=Ignore(str(folder)).keeps, filter_key="module")
    if found.digest != module.code:
        raise DefinitionError(
            f"the installed module {module.definition.label} is not what the lock file pins",
            where=str(folder),
            given=module.owner,
            fix="install the version that was locked, or lock the DAG anew: airflow mlpipe module lock DAG",
        )
    return folder


def _said_of(error: CorruptedError | ObjectNotFoundError, module: ResolvedModule) -> MLPipeError:
    is_gone = isinstance(error, ObjectNotFoundError)
    return type(error)(
        f"the code of the module {module.definition.label} is {'gone' if is_gone else 'not what was published'}",
        where=f"library {module.source}",
        given=error.where,
        fix="publish the same version again from its source, which puts back what is missing",
    )


def bring(contents: Contents, digest: str, folder: Path) -> None:
    """Write a folder of a store to a path that is not there, whole or not at all.

    :raises StoreError: and its kinds.
    """
    temporary = folder.with_name(f"new-{token_hex(8)}")
    temporary.mkdir(parents=True)
    try:
        for path, entry in contents.walk(digest):
            target = temporary / path
            if entry.kind == "folder":
                target.mkdir()
            else:
                contents.fetch(entry.digest, target)
                target.chmod(0o755 if entry.executable else 0o644)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not folder.is_dir():  # else somebody else brought it meanwhile
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove(folder: Path) -> None:
    aside = folder.with_name(f"old-{token_hex(8)}")
    os.rename(folder, aside)
    shutil.rmtree(aside, ignore_errors=True)
