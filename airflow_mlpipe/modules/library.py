"""A library: the modules that were published to a datastore.

A version's document is the last thing that publishing writes, in one piece and only if there is none: it exists
exactly when its code is there, and what it says never changes.  What is said of it later - deprecated, yanked, the
default - are small documents of their own, which anybody who may write to the datastore may write and remove.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar
from urllib.parse import unquote

from airflow_mlpipe.errors import CorruptedError, DefinitionError, ObjectNotFoundError
from airflow_mlpipe.model.documents import parse, tag, to_bytes
from airflow_mlpipe.modules.published import Listing, Mark, PublishedModule
from airflow_mlpipe.modules.requests import check_module_name, version_key
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.layout import MODULES, module_default_key, module_key, module_prefix
from airflow_mlpipe.store.reading import parallel

T = TypeVar("T")


class Library:
    """The modules of a datastore.

    :param name: as people say it: the datastore's, or ``workspace``.
    :param contents: where the code is; the documents are beside it.
    """

    def __init__(self, name: str, contents: Contents) -> None:
        self.name = name
        self.contents = contents

    @property
    def store(self) -> ObjectStore:
        """Where the documents are."""
        return self.contents.store

    def names(self) -> list[str]:
        """Of all its modules."""
        keys = (info.key.split("/") for info in self.store.list(MODULES))
        return sorted({unquote(parts[1]) for parts in keys if len(parts) == 4 and parts[2] == "versions"})

    def listing(self, name: str) -> Listing:
        """What there is of one name: one LIST, and a small read for each thing that was said of a version.

        :raises CorruptedError: for a document that somebody changed.
        """
        found: dict[str, list[str]] = {"versions": [], "deprecated": [], "yanked": []}
        prefix, default = f"{module_prefix(check_module_name(name, where='library'))}/", False
        for info in self.store.list(prefix.rstrip("/")):
            part, slash, file = info.key[len(prefix) :].partition("/")
            if slash and part in found and file.endswith(".json"):
                found[part].append(unquote(file.removesuffix(".json")))
            default = default or info.key == module_default_key(name)
        return Listing(
            versions=tuple(sorted(found["versions"])),
            deprecated=self._marks(name, "deprecated", found["deprecated"]),
            yanked=self._marks(name, "yanked", found["yanked"]),
            default=self._default(name) if default else None,
        )

    def _marks(self, name: str, part: str, versions: list[str]) -> dict[str, Mark]:
        def read(version: str) -> tuple[str, Mark | None]:
            return version, self._read(module_key(name, part, version), "module-mark", _mark)

        return {version: mark for version, mark in parallel(read, sorted(versions)) if mark is not None}

    def _default(self, name: str) -> str | None:
        return self._read(module_default_key(name), "module-default", lambda m, _: str(m["version"]))

    def get(self, name: str, version: str) -> PublishedModule | None:
        """A version.

        :raises CorruptedError: when somebody changed it. :raises WorkspaceVersionError: when a newer version wrote it.
        """
        key = module_key(name, "versions", version_key(version))
        found = self._read(key, "module", lambda m, where: PublishedModule.from_json(m, where=where))
        if found is not None:
            there = found.definition
            if (there.name, version_key(there.version)) != (name, version_key(version)):
                raise CorruptedError("the document of another module", where=self.store.uri(key), given=there.label)
        return found

    def _read(self, key: str, what: str, make: Callable[..., T]) -> T | None:
        try:
            data = self.store.get(key)
        except ObjectNotFoundError:
            return None
        # Not set aside when it is broken, as a document that can be computed again: whoever published it must know.
        where = self.store.uri(key)
        return make(parse(data, what, 1, where=where), where)

    def all(self) -> Iterator[tuple[str, Listing]]:
        """Every module by name; errors as :meth:`listing`."""
        yield from parallel(lambda name: (name, self.listing(name)), self.names())

    def create(self, module: PublishedModule) -> bool:
        """Write a version's document, if there is none; its code must be there."""
        key = module_key(module.definition.name, "versions", version_key(module.definition.version))
        return self.store.create(key, to_bytes(module.to_json()))

    # ---- what is said of a version -------------------------------------------------------------------------------

    def deprecate(self, name: str, version: str, mark: Mark | None) -> None:
        """Warn whoever uses a version, or (``None``) do not any more.

        :raises DefinitionError: when there is no such version.
        """
        self._say(name, "deprecated", version, mark)

    def yank(self, name: str, version: str, mark: Mark | None) -> None:
        """Refuse a version to whoever has not locked it, or (``None``) do not any more; errors as :meth:`deprecate`."""
        self._say(name, "yanked", version, mark)

    def _say(self, name: str, part: str, version: str, mark: Mark | None) -> None:
        self.check(name, version)
        key = module_key(name, part, version_key(version))
        if mark is None:
            self.store.delete([key])
        else:
            self.store.put(key, to_bytes(mark.to_json()))

    def set_default(self, name: str, version: str | None) -> None:
        """Say which version the name alone stands for; ``None``: the highest; errors as :meth:`deprecate`."""
        if version is None:
            self.store.delete([module_default_key(name)])
            return
        self.check(name, version)
        if self._read(module_key(name, "yanked", version_key(version)), "module-mark", _mark) is not None:
            raise DefinitionError(
                "a yanked version cannot be what the name alone stands for",
                where=f"module {name} of {self.name}",
                given=version,
                fix="take another one, or take back the yank: airflow mlpipe module yank MODULE@VERSION --undo",
            )
        document = tag("module-default", 1) | {"version": version_key(version)}
        self.store.put(module_default_key(name), to_bytes(document))

    def check(self, name: str, version: str) -> None:
        """A version is there.  :raises DefinitionError: when it is not."""
        if self.store.head(module_key(name, "versions", version_key(version))) is None:
            raise DefinitionError(
                "the library has no such version",
                where=f"module {name} of {self.name}",
                given=version,
                valid=self.listing(name).versions or "it has no module of this name",
            )


def _mark(members: object, where: str) -> Mark:
    return Mark.from_json(members, where=where)
