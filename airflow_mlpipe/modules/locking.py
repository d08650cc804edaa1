"""``mlpipe.lock``: which version and content each request of a folder's DAGs stands for, whole.

A DAG whose modules are locked is parsed without a library, and runs the same bytes until somebody locks it anew.  Every
entry has its own digest: who edits one by hand is told.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from airflow_mlpipe.errors import CorruptedError, DefinitionError, WorkspaceVersionError
from airflow_mlpipe.model.documents import check_tag, tag
from airflow_mlpipe.modules.definition import ModuleDefinition
from airflow_mlpipe.modules.folders import bundle_tops
from airflow_mlpipe.modules.published import digest_of
from airflow_mlpipe.modules.requests import Request
from airflow_mlpipe.modules.resolved import ResolvedModule

FILE = "mlpipe.lock"
_VERSION = 1
_UNLOCKED: ContextVar[bool] = ContextVar("mlpipe_unlocked", default=False)


@contextlib.contextmanager
def unlocked() -> Iterator[None]:
    """Look past the lock files: to make one, and to see what would move."""
    token = _UNLOCKED.set(True)
    try:
        yield
    finally:
        _UNLOCKED.reset(token)


def is_unlocked() -> bool:
    """Whether :func:`unlocked` is in force."""
    return _UNLOCKED.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One entry.  :param source: ``installed`` or a library. :param code: digest of the module's folder."""

    source: str
    definition: ModuleDefinition
    code: str

    @property
    def digest(self) -> str:
        """Of definition and code."""
        return digest_of(self.definition, self.code)

    def to_json(self) -> dict[str, Any]:
        """The entry in the file."""
        return {
            "source": self.source,
            "version": self.definition.version,
            "digest": self.digest,
            "code": self.code,
            "definition": self.definition.to_json(),
        }

    def resolved(self, request: Request) -> ResolvedModule:
        """The entry as the answer to a request."""
        return ResolvedModule(
            request=request,
            definition=self.definition,
            source=self.source,
            owner=f"{FILE} ({self.source})",
            code=self.code,
            digest=self.digest,
            locked=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFile:
    """A lock file.  :param entries: by :attr:`Request.key`."""

    path: Path
    entries: Mapping[str, Locked] = field(default_factory=dict)

    def to_text(self) -> str:
        """The file, the same text for the same entries."""
        members = {key: entry.to_json() for key, entry in sorted(self.entries.items())}
        document = tag("lock", _VERSION) | {"modules": members}
        return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    def write(self) -> None:
        """Write it, whole or not at all."""
        temporary = self.path.with_name(f".{self.path.name}.new")
        temporary.write_text(self.to_text(), encoding="utf-8")
        os.replace(temporary, self.path)


def lock_of(dag_file: str) -> LockFile | None:
    """The lock file of a DAG file: beside it, or the nearest further up in its bundle.

    :raises DefinitionError: for one that cannot be read, or that somebody edited.
    """
    if is_unlocked():
        return None
    for folder in bundle_tops(dag_file):
        path = os.path.join(folder, FILE)
        try:
            status = os.stat(path)
        except OSError:
            continue
        return _read(path, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
    return None


def read_lock(path: Path) -> LockFile:
    """A lock file; empty if there is none; errors as :func:`lock_of`."""
    if not path.is_file():
        return LockFile(path=path)
    fix = "airflow mlpipe module lock DAG writes it anew"
    try:
        members = check_tag(json.loads(path.read_text(encoding="utf-8")), "lock", _VERSION, where=str(path))
        return LockFile(path=path, entries={key: _entry(key, m, str(path)) for key, m in members["modules"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, DefinitionError):
            raise
        raise DefinitionError(f"not a lock file ({error})", where=str(path), fix=fix) from error
    except (CorruptedError, WorkspaceVersionError) as error:
        raise DefinitionError(error.what, where=str(path), given=error.given, fix=error.fix or fix) from error


@lru_cache(maxsize=64)
def _read(path: str, *_stat: int) -> LockFile:
    return read_lock(Path(path))


def _entry(key: str, members: Mapping[str, Any], where: str) -> Locked:
    found = Locked(
        source=members["source"],
        definition=ModuleDefinition.from_json(members["definition"], where=where),
        code=members["code"],
    )
    if (found.digest, found.definition.version) != (members["digest"], members["version"]):
        raise DefinitionError(
            f"the entry {key!r} does not have the digest that it says: somebody edited it",
            where=where,
            fix="airflow mlpipe module lock DAG writes it anew",
        )
    return found
