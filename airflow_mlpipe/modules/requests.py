"""What a DAG asks for: ``featurize@1.2``, ``featurize>=1,<2``, ``featurize``, ``team:featurize@1.2``, ``./featurize``.

``@`` is exactly this version; operators are those of PEP 440; a name alone is the default version.  What stands before
a colon is the source.  A path, which starts with a dot, is the folder of a module, relative to the DAG file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.names import check_datastore

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*\Z")
_REQUEST = re.compile(r"(?:(?P<source>[^:@<>=!~\s]+):)?(?P<name>[^:@<>=!~\s]*)\s*(?P<rest>.*)\Z", re.DOTALL)
_EXAMPLES = ("featurize@1.2", "featurize>=1,<2", "featurize", "team:featurize@1.2", "./folder")
LONGEST = 64


def check_module_name(name: object, *, where: str) -> str:
    """Return ``name`` if it can name a module.  :raises DefinitionError: with the rule."""
    if not isinstance(name, str) or not _NAME.match(name) or len(name) > LONGEST:
        raise DefinitionError(
            "not a module's name",
            where=where,
            given=name,
            valid=f"small letters, digits, - and _, starting with a letter, at most {LONGEST}",
        )
    return name


@lru_cache(maxsize=1024)
def parse_version(text: str, *, where: str = "version") -> Version:
    """A version of PEP 440 (``1.2``, ``1.2.0rc1``), which most of SemVer's are too.

    :raises DefinitionError: for anything else.
    """
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except (InvalidVersion, TypeError) as error:
        raise DefinitionError(
            "not a version", where=where, given=text, valid="of PEP 440: 1.2, 1.2.0, 2.0rc1, 1.2.0.post1"
        ) from error


def version_key(text: str) -> str:
    """The one spelling of a version: 1.2, 1.2.0 and v1.2 are one.  :raises DefinitionError: for what is none."""
    from packaging.utils import canonicalize_version

    return canonicalize_version(parse_version(text))


def same_version(one: str, other: str) -> bool:
    """Whether two texts are one version."""
    return parse_version(one) == parse_version(other)


@dataclass(frozen=True, kw_only=True)  # no slots: the specifiers are kept once parsed
class Request:
    """Which module a step wants.

    :param text: as the author wrote it. :param source: where it has to be from; ``None``: the first that has it.
    :param name: of the module; empty for a path. :param exact: a version, as it was written.
    :param range: specifiers of PEP 440. :param path: of the module's folder, instead of a name.
    """

    text: str
    source: str | None = None
    name: str = ""
    exact: str | None = None
    range: str | None = None
    path: str | None = None

    @property
    def key(self) -> str:
        """The one spelling of the request, by which a lock file knows it."""
        start = f"{self.source}:{self.name}" if self.source else self.name
        if self.exact is not None:
            return f"{start}@{version_key(self.exact)}"
        return f"{start}{self.specifiers}" if self.range is not None else start

    @cached_property
    def specifiers(self) -> SpecifierSet:
        """The range; of everything where none was said."""
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(self.range or "")

    def admits(self, versions: Iterable[str]) -> list[str]:
        """Those of some versions that the request allows, the highest first; pre-releases only where it has to be one.

        A pre-release is admitted when the request names one, and when there is nothing else.
        """
        known = {parse_version(text): text for text in versions}
        if self.exact is not None:
            wanted = parse_version(self.exact)
            return [known[wanted]] if wanted in known else []
        return [known[v] for v in sorted(self.specifiers.filter(known), reverse=True)]


def parse_request(text: object, *, where: str) -> Request:
    """Read what an author wrote for ``module``.  :raises DefinitionError: for what is no request."""
    if not isinstance(text, str) or not text.strip():
        raise DefinitionError("module says which module", where=where, given=text, valid=_EXAMPLES)
    text = text.strip()
    if text.startswith((".", "/")):
        return Request(text=text, path=text)
    match = _REQUEST.match(text)
    assert match is not None  # every part of it may be empty
    name = check_module_name(match["name"], where=f"{where}: module")
    source, rest = match["source"], match["rest"].strip()
    if source is not None:
        check_datastore(source, where=f"{where}: the source of a module")
    if rest.startswith("@"):
        version = rest[1:].strip()
        parse_version(version, where=f"{where}: module {text!r}")
        return Request(text=text, source=source, name=name, exact=version)
    if rest:
        return Request(text=text, source=source, name=name, range=_checked(rest, text, where))
    return Request(text=text, source=source, name=name)


def _checked(specifiers: str, text: str, where: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(specifiers)
    except InvalidSpecifier as error:
        raise DefinitionError(
            "not a range of versions", where=f"{where}: module", given=text, valid=_EXAMPLES
        ) from error
    return specifiers
