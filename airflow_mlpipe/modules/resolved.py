"""A module that was found: what it is, where it is from, and what there is to say of it."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlpipe.modules.definition import ModuleDefinition
from airflow_mlpipe.modules.requests import Request

BUNDLE = "bundle"
INSTALLED = "installed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModule:
    """What a request came to.

    :param source: ``bundle``, ``installed``, or the library's datastore. :param folder: of one that is on disk.
    :param code: of one in a library, the digest of its folder. :param digest: of definition and code together.
    :param owner: for people: the folder, the distribution or the library that it is from.
    :param locked: whether a lock file says so. :param remarks: for the log: it is deprecated, it is not refreshed.
    """

    request: Request
    definition: ModuleDefinition
    source: str
    owner: str
    folder: str | None = None
    code: str | None = None
    digest: str | None = None
    locked: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """``featurize 1.2 of workspace``."""
        return f"{self.definition.label} of {self.source}"
