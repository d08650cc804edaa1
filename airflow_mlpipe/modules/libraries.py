"""The libraries of a deployment, and which version of which one answers a request.

A request that two of them could answer is an error, unless both have the same content: nobody gets another team's
module because it has the higher version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import ConfigurationError, DefinitionError, StoreUnavailableError
from airflow_mlpipe.modules.host import HostCache, KnownLibrary
from airflow_mlpipe.modules.library import Library
from airflow_mlpipe.modules.published import Listing, PublishedModule
from airflow_mlpipe.modules.requests import Request, version_key
from airflow_mlpipe.modules.resolved import BUNDLE, INSTALLED, ResolvedModule

if TYPE_CHECKING:
    from airflow_mlpipe.hooks.workspace import Stores

WORKSPACE = "workspace"
FOLDER = "modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A version of one library.  :param remarks: what there is to say of it."""

    library: KnownLibrary
    module: PublishedModule
    remarks: tuple[str, ...] = ()


class Libraries:
    """The libraries of a deployment.

    :param fresh: ask them, whatever this host remembers.
    """

    def __init__(self, stores: Stores, *, fresh: bool = False) -> None:
        self._stores = stores
        self._fresh = fresh
        self._opened: dict[str, KnownLibrary] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """As ``[mlpipe] module_libraries`` says them."""
        return self._stores.settings.module_libraries

    def open(self, name: str) -> KnownLibrary:
        """A library by its name, any datastore's.  :raises ConfigurationError: when there is no such datastore."""
        if name not in self._opened:
            contents = self._stores.contents("" if name == WORKSPACE else name)
            settings = self._stores.settings
            cache = HostCache(settings.cache / FOLDER, contents.store.url, settings.module_refresh_seconds)
            self._opened[name] = KnownLibrary(Library(name, contents), cache, fresh=self._fresh)
        return self._opened[name]

    def all(self) -> Iterator[KnownLibrary]:
        """Those that modules are looked for in."""
        yield from map(self.open, self.names)

    def find(self, request: Request, *, where: str) -> tuple[ResolvedModule | None, list[str]]:
        """The answer to a request, and else the versions that there are.

        :raises DefinitionError: when two libraries answer it, and when the version that it names is yanked.
        :raises ConfigurationError: for a source that is no datastore. :raises StoreError: when one cannot be asked.
        """
        answers: list[Answer] = []
        known: list[str] = []
        for name in (request.source,) if request.source else self.names:
            library = self._open_source(name, request, where)
            answer, versions = _ask(library, request, where)
            known += [f"{version} of {name}" for version in versions]
            if answer is not None:
                answers.append(answer)
        if not answers:
            return None, known
        _check_one(answers, request, where)
        return _resolved(request, answers[0]), known

    def _open_source(self, name: str, request: Request, where: str) -> KnownLibrary:
        try:
            return self.open(name)
        except ConfigurationError as error:
            if request.source is None:
                raise
            raise DefinitionError(
                "there is no such source of modules",
                where=f"{where}: module",
                given=request.text,
                valid=[BUNDLE, INSTALLED, *self.names, "any other datastore"],
            ) from error


def _ask(library: KnownLibrary, request: Request, where: str) -> tuple[Answer | None, Iterable[str]]:
    """What one library answers, and the versions that it has."""
    if request.exact is not None and (seen := library.cache.version(request.name, request.exact)) is not None:
        # Whether it is yanked the worker asks, each time before it runs.
        listing = library.cache.listing(request.name, old=True) or Listing()
        return _checked(library, seen, listing, request, where), (request.exact,)
    remarks: tuple[str, ...] = ()
    try:
        listing = library.listing(request.name)
    except StoreUnavailableError as error:
        old = library.cache.listing(request.name, old=True)
        if old is None:
            raise
        listing, remarks = old, (f"the library {library.name} does not answer ({error.what}): what was known is used",)
    version = chosen_version(request, listing)
    found = library.get(request.name, version) if version is not None else None
    if found is None:
        return None, listing.versions
    answer = _checked(library, found, listing, request, where)
    return replace(answer, remarks=(*remarks, *answer.remarks)), listing.versions


def chosen_version(request: Request, listing: Listing) -> str | None:
    """Which version of a listing a request means; yanked ones only if it names one.

    A name alone is the default that somebody set, else the highest.
    """
    if request.exact is not None:
        return next(iter(request.admits(listing.versions)), None)
    if request.range is None and listing.default is not None:
        return listing.default if listing.default in listing.versions else None
    return next(iter(request.admits(v for v in listing.versions if v not in listing.yanked)), None)


def _checked(library: KnownLibrary, found: PublishedModule, listing: Listing, request: Request, where: str) -> Answer:
    if (mark := listing.yanked.get(version_key(found.definition.version))) is not None:
        raise yanked_error(request, found.definition.name, library.name, str(mark), where)
    return Answer(library=library, module=found, remarks=said_of(listing, found))


def yanked_error(request: Request, name: str, library: str, why: str, where: str) -> DefinitionError:
    """The error for a version that must not be used."""
    return DefinitionError(
        f"the version is yanked: {why}",
        where=f"{where}: module",
        given=request.text,
        fix=f"take another version (airflow mlpipe module show {library}:{name} lists them)",
    )


def said_of(listing: Listing, found: PublishedModule) -> tuple[str, ...]:
    """Warnings about a version."""
    mark = listing.deprecated.get(version_key(found.definition.version))
    return () if mark is None else (f"the module {found.definition.label} is deprecated: {mark}",)


def _check_one(answers: list[Answer], request: Request, where: str) -> None:
    if len({answer.module.digest for answer in answers}) == 1:
        return
    found = [(answer.library.name, answer.module.definition) for answer in answers]
    told = [f"{name}:{definition.name}@{definition.version}" for name, definition in found]
    raise DefinitionError(
        "more than one library can answer this",
        where=f"{where}: module",
        given=request.text,
        valid=told,
        fix=f"say which: module={told[0]!r}",
    )


def _resolved(request: Request, answer: Answer) -> ResolvedModule:
    module = answer.module
    return ResolvedModule(
        request=request,
        definition=module.definition,
        source=answer.library.name,
        owner=f"library {answer.library.name}",
        code=module.code,
        digest=module.digest,
        remarks=answer.remarks,
    )
