"""Making lock files, and saying what would move: each request of a DAG is answered anew, past its lock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError, MLPipeError, WorkspaceVersionError
from airflow_mlpipe.fingerprint.ignore import Ignore
from airflow_mlpipe.modules.locking import FILE, Locked, LockFile, read_lock, unlocked
from airflow_mlpipe.modules.resolved import BUNDLE, ResolvedModule
from airflow_mlpipe.modules.resolving import resolve_module

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores

RESOLVED = "resolved"
"""Attribute of a ModuleStep, and of a mapped one, that says what its module was resolved to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A request that stands for something else now.

    :param old: version and source in the lock file; ``None``: it is not in it. :param new: likewise, now; ``None``:
        nothing answers it any more, and ``why`` says so.
    """

    request: str
    old: str | None
    new: str | None
    why: str = ""

    def __str__(self) -> str:
        if self.new is None:
            return f"{self.request}: {self.old} is locked; {self.why}"
        return f"{self.request}: {self.old} -> {self.new}" if self.old else f"{self.request}: {self.new}"


def modules_of(dag: Any) -> Iterator[ResolvedModule]:
    """What the modules of a DAG were resolved to, each request once."""
    seen = set()
    for task in dag.tasks:
        found = getattr(task, RESOLVED, None)
        for one in (found, *getattr(task, "resolved_around", ())):
            if isinstance(one, ResolvedModule) and one.request.key not in seen:
                seen.add(one.request.key)
                yield one


def moves_of(dag: Any) -> list[Moved]:
    """The locked modules of a DAG for which something else stands now in their sources."""
    found = []
    with unlocked():
        for module in modules_of(dag):
            if not module.locked:
                continue
            old = f"{module.definition.version} of {module.source}"
            try:
                now = resolve_module(module.request.text, dag.fileloc, where=f"DAG {dag.dag_id!r}")
            except MLPipeError as error:
                found.append(Moved(request=module.request.key, old=old, new=None, why=str(error)))
                continue
            # Of an installed one the digest is known only when its folder is read; its definition has the version.
            same = now.definition.to_json() == module.definition.to_json() and now.source == module.source
            if not same or now.digest not in (None, module.digest):
                new = f"{now.definition.version} of {now.source}"
                found.append(Moved(request=module.request.key, old=old, new=new))
    return found


def lock_dags(dags: Iterable[Any], stores: Stores, *, write: bool) -> list[tuple[LockFile, list[Moved]]]:
    """Lock DAGs; see :func:`airflow_mlpipe.modules.lock`."""
    entries: dict[Path, dict[str, Locked]] = {}
    for dag in dags:
        path = Path(dag.fileloc).resolve().parent / FILE
        mine = entries.setdefault(path, {})
        with unlocked():
            for module in modules_of(dag):
                if module.request.path is not None:
                    continue
                now = resolve_module(module.request.text, dag.fileloc, where=f"DAG {dag.dag_id!r}")
                if now.source != BUNDLE:
                    mine[now.request.key] = _entry(now, stores)
    return [_update(path, mine, write) for path, mine in sorted(entries.items())]


def _entry(module: ResolvedModule, stores: Stores) -> Locked:
    code = module.code
    if code is None:
        assert module.folder is not None
        folder = Path(module.folder)
        code = stores.index.identify(folder, name_filter=Ignore(str(folder)).keeps, filter_key="module").digest
    return Locked(source=module.source, definition=module.definition, code=code)


def _readable(path: Path) -> LockFile:
    """What there is; nothing of a file that is none, or that somebody edited: it is to be written anew.

    :raises DefinitionError: for one that a newer version of this package wrote.
    """
    try:
        return read_lock(path)
    except DefinitionError as error:
        if isinstance(error.__cause__, WorkspaceVersionError):
            raise
        return LockFile(path=path)


def _update(path: Path, mine: dict[str, Locked], write: bool) -> tuple[LockFile, list[Moved]]:
    before = _readable(path)
    after = replace(before, entries={**before.entries, **mine})
    moved = []
    for key, entry in sorted(mine.items()):
        old = before.entries.get(key)
        if old is None or (old.digest, old.source) != (entry.digest, entry.source):
            was = None if old is None else f"{old.definition.version} of {old.source}"
            moved.append(Moved(request=key, old=was, new=f"{entry.definition.version} of {entry.source}"))
    if write and moved:
        after.write()
    return after, moved
