"""What this host remembers of libraries: documents of versions, which never change, and listings, which get old.

So a DAG file that asks for a version which this host has seen is parsed without a request, and one that asks for a
range with at most one small read for each library and refresh time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

from airflow_mlpipe.errors import CorruptedError, WorkspaceVersionError
from airflow_mlpipe.model.documents import parse, to_bytes
from airflow_mlpipe.modules.library import Library
from airflow_mlpipe.modules.published import Listing, PublishedModule
from airflow_mlpipe.modules.requests import version_key
from airflow_mlpipe.store.layout import quote_id


class HostCache:
    """What is remembered of one library.

    :param root: folder of this host. :param url: of the library's datastore: two of one name are two.
    :param refresh: seconds that a listing is believed.
    """

    def __init__(self, root: Path, url: str, refresh: float) -> None:
        self._folder = root / hashlib.sha256(url.encode()).hexdigest()[:16]
        self._refresh = refresh

    def version(self, name: str, version: str) -> PublishedModule | None:
        """A version that this host has seen."""
        path = self._path("versions", name, version_key(version))
        members = self._read(path, "module")
        return None if members is None else _tolerant(lambda: PublishedModule.from_json(members, where=str(path)))

    def keep_version(self, module: PublishedModule) -> None:
        """Remember a version."""
        definition = module.definition
        self._write(self._path("versions", definition.name, version_key(definition.version)), module.to_json())

    def listing(self, name: str, *, old: bool = False) -> Listing | None:
        """What a library had of a name, heard not longer ago than is believed.  :param old: or at any time."""
        path = self._path("listings", name, "listing")
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:
            return None
        if not old and not 0 <= age < self._refresh:
            return None
        members = self._read(path, "module-listing")
        return None if members is None else _tolerant(lambda: Listing.from_json(members, where=str(path)))

    def keep_listing(self, name: str, listing: Listing) -> None:
        """Remember a listing, as heard now."""
        self._write(self._path("listings", name, "listing"), listing.to_json())

    def _path(self, kind: str, name: str, file: str) -> Path:
        return self._folder / kind / quote_id(name) / f"{quote_id(file)}.json"

    @staticmethod
    def _read(path: Path, what: str) -> Mapping[str, Any] | None:
        try:
            return parse(path.read_bytes(), what, 1, where=str(path))
        except (OSError, CorruptedError, WorkspaceVersionError):
            return None  # it is asked for again

    @staticmethod
    def _write(path: Path, members: Mapping[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it saves a request later, and nothing depends on it
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{token_hex(8)}")
            temporary.write_bytes(to_bytes(members))
            os.replace(temporary, path)


def _tolerant(make: Any) -> Any:
    try:
        return make()
    except (CorruptedError, WorkspaceVersionError):
        return None


class KnownLibrary:
    """A library as this host knows it: asked only for what is not remembered.

    :param fresh: ask for every listing, whatever is remembered.
    """

    def __init__(self, library: Library, cache: HostCache, *, fresh: bool = False) -> None:
        self.library = library
        self.cache = cache
        self._fresh = fresh

    @property
    def name(self) -> str:
        """As people say it."""
        return self.library.name

    def listing(self, name: str) -> Listing:
        """What there is of a name.  :raises StoreError: and its kinds, when it has to be asked."""
        if not self._fresh and (known := self.cache.listing(name)) is not None:
            return known
        listing = self.library.listing(name)
        self.cache.keep_listing(name, listing)
        return listing

    def get(self, name: str, version: str) -> PublishedModule | None:
        """A version; errors as :meth:`Library.get`."""
        if (known := self.cache.version(name, version)) is not None:
            return known
        found = self.library.get(name, version)
        if found is not None:
            self.cache.keep_version(found)
        return found
