"""What is said of a module right before it runs: it may have been yanked or deprecated since the DAG was parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.modules.libraries import Libraries, yanked_error
from airflow_mlpipe.modules.requests import version_key
from airflow_mlpipe.modules.resolved import ResolvedModule

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores


def standing_of(module: ResolvedModule, stores: Stores, *, where: str) -> tuple[str, ...]:
    """Lines for the log; of a module on disk, none.

    A library that does not answer now stops nobody: what it said of the version when it was found holds.

    :raises DefinitionError: for a version that is yanked and not locked.
    """
    if module.folder is not None:
        return module.remarks
    try:
        listing = Libraries(stores).open(module.source).listing(module.definition.name)
    except StoreError as error:
        return (*module.remarks, f"the library {module.source} cannot be asked about this version: {error.what}")
    version = version_key(module.definition.version)
    if (mark := listing.yanked.get(version)) is not None:
        if not module.locked:
            raise yanked_error(module.request, module.definition.name, module.source, str(mark), where)
        return (f"the module {module.definition.label} is yanked: {mark}; it runs because mlpipe.lock pins it",)
    if (mark := listing.deprecated.get(version)) is not None:
        return (f"the module {module.definition.label} is deprecated: {mark}",)
    return ()
