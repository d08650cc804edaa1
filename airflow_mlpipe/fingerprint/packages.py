"""Which installed distributions some imports need, with what those require: their versions are part of the environment.

Looking through an installation takes a second where many packages are; the answer is kept, in the process and on disk,
under the state of the folders that hold packages: installing or removing one changes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from airflow_mlpipe.fingerprint.statcache import write_atomically

_METADATA = (".dist-info", ".egg-info", ".egg-link")
State = tuple[tuple[str, str], ...]

_answers: dict[tuple[State, frozenset[str]], dict[str, str]] = {}


def packages_of(imports: frozenset[str], cache: Path | None) -> dict[str, str]:
    """Versions by normalised distribution name, sorted.

    A module that belongs to no distribution is there as ``module:<name>`` with the version ``""``: that it is not
    known is part of the answer.

    :param imports: top-level module names; those of the standard library need nothing.
    """
    wanted = frozenset(imports) - sys.stdlib_module_names - {"__main__", "__future__"}
    if not wanted:
        return {}
    state = _state()
    key = (state, wanted)
    if key not in _answers:
        _answers[key] = _remembered(cache, state, wanted)
    return dict(_answers[key])


def _remembered(cache: Path | None, state: State, wanted: frozenset[str]) -> dict[str, str]:
    if cache is None:
        return _resolve(state, wanted)
    asked = json.dumps([sys.version, state, sorted(wanted)])
    file = cache / "packages" / f"{hashlib.sha256(asked.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads(file.read_bytes())
        return {str(name): str(version) for name, version in found.items()}
    answer = _resolve(state, wanted)
    with contextlib.suppress(OSError):
        write_atomically(file, json.dumps(answer).encode())
    return answer


def _state() -> State:
    """What changes when a package is installed: times of site-packages; of other folders, the metadata in them."""
    found: list[tuple[str, str]] = []
    for path in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError):
            if os.path.basename(path) in ("site-packages", "dist-packages"):
                found.append((path, str(os.stat(path).st_mtime_ns)))
            elif os.path.isdir(path) and path != _STDLIB:
                found.extend((path, name) for name in sorted(os.listdir(path)) if name.endswith(_METADATA))
    return tuple(found)


_STDLIB = os.path.dirname(os.__file__)


@lru_cache(maxsize=4)
def _index(state: State) -> tuple[dict[str, set[str]], dict[str, metadata.Distribution]]:
    """Distributions by module, and by name.  ``state`` is there for the cache."""
    modules: defaultdict[str, set[str]] = defaultdict(set)
    distributions: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        name = canonicalize_name(distribution.metadata["Name"] or "")
        if name and name not in distributions:  # the first on the path is the one that is imported
            distributions[name] = distribution
            for module in _modules(distribution):
                modules[module].add(name)
    return dict(modules), distributions


def _modules(distribution: metadata.Distribution) -> Iterator[str]:
    listed = distribution.read_text("top_level.txt")
    if listed is not None:
        yield from listed.split()
        return
    tops = {line.split(",", 1)[0].split("/", 1)[0] for line in (distribution.read_text("RECORD") or "").splitlines()}
    for top in tops:
        name = top.split(".", 1)[0]
        if not top.endswith(_METADATA) and name.isidentifier():
            yield name


def _resolve(state: State, wanted: Iterable[str]) -> dict[str, str]:
    modules, distributions = _index(state)
    found: dict[str, str] = {}
    waiting: list[tuple[str, str]] = []
    for module in sorted(wanted):
        if owners := modules.get(module):
            waiting.extend((owner, "") for owner in owners)
        else:
            found[f"module:{module}"] = ""
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in distributions:
            continue
        seen.add((name, extra))
        found[name] = distributions[name].version
        waiting.extend(_required(distributions[name], extra))
    return dict(sorted(found.items()))


def _required(distribution: metadata.Distribution, extra: str) -> Iterator[tuple[str, str]]:
    """Distributions, each with one of its extras or none, that a distribution requires here."""
    for text in distribution.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:  # old metadata that no installer would have followed either
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            name = canonicalize_name(requirement.name)
            yield name, ""
            yield from ((name, wanted) for wanted in requirement.extras)
