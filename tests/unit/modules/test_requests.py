"""What authors ask for: names, versions and ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.libraries import chosen_version
from airflow_mlpipe.modules.published import Listing, Mark
from airflow_mlpipe.modules.requests import parse_request, version_key

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
SUFFIXES = st.sampled_from(["", "", "", "rc1", "a2", ".post1", ".dev3", "+cpu"])
VERSIONS = st.builds(lambda number, suffix: number + suffix, NUMBERS, SUFFIXES)
RANGES = st.lists(
    st.builds(lambda op, number: op + number, st.sampled_from([">=", "<=", "<", ">", "!=", "=="]), NUMBERS),
    min_size=1,
    max_size=3,
).map(",".join)


@given(st.lists(VERSIONS, max_size=8, unique_by=version_key), VERSIONS)
def test_a_version_is_itself_or_an_error(there: list[str], wanted: str):
    """``@`` never admits another version, whatever there is."""
    found = parse_request(f"name@{wanted}", where="here").admits(there)
    assert found == [v for v in there if Version(v) == Version(wanted)]


@given(st.lists(VERSIONS, max_size=8, unique_by=version_key), RANGES)
def test_a_range_admits_what_pep_440_says_the_highest_first(there: list[str], text: str):
    """Every admitted version is in the range, no final one in it is left out, and the order is that of PEP 440."""
    found = [Version(v) for v in parse_request(f"name{text}", where="here").admits(there)]
    range_ = SpecifierSet(text)
    assert found == sorted(found, reverse=True)
    assert all(range_.contains(v, prereleases=True) for v in found)
    finals = {Version(v) for v in there if not Version(v).is_prerelease and v in range_}
    assert finals <= set(found)
    assert not finals or not any(v.is_prerelease for v in found) or range_.prereleases


@given(VERSIONS)
def test_a_version_has_one_key(version: str):
    """However it is spelled: with zeros at its end, with a ``v``."""
    base = Version(version)
    spellings = {version, str(base), f"v{version}"} | (
        {f"{version}.0"} if version.replace(".", "").isdigit() else set()
    )
    assert len({version_key(one) for one in spellings}) == 1
    assert len({parse_request(f"name@{one}", where="here").key for one in spellings}) == 1


@given(
    st.lists(VERSIONS, max_size=6, unique_by=version_key),
    st.sets(st.integers(0, 5)),
    st.none() | st.integers(0, 5),
    RANGES | st.just(""),
)
def test_a_yanked_version_is_found_by_no_range(there: list[str], yanked: set[int], default: int | None, text: str):
    """Neither by a range nor by a name, unless somebody made it the default."""
    keys = [version_key(v) for v in there]
    marks = {key: Mark(by="x", why="", since=0.0) for index, key in enumerate(keys) if index in yanked}
    alone = keys[default] if default is not None and default < len(keys) else None
    listing = Listing(versions=tuple(keys), yanked=marks, default=alone)
    found = chosen_version(parse_request(f"name{text}", where="here"), listing)
    if not text and alone is not None:
        assert found == alone
    else:
        assert found is None or found not in marks


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("featurize", (None, "featurize", None, None)),
        ("featurize@1.2", (None, "featurize", "1.2", None)),
        (" featurize >= 1, <2 ", (None, "featurize", None, ">= 1, <2")),
        ("featurize==1.2.*", (None, "featurize", None, "==1.2.*")),
        ("featurize~=1.2", (None, "featurize", None, "~=1.2")),
        ("team:featurize@1.2", ("team", "featurize", "1.2", None)),
        ("org.lib:batch-score", ("org.lib", "batch-score", None, None)),
    ],
)
def test_requests_are_read(text: str, parts: tuple[str | None, ...]):
    """Source, name, exact version, range."""
    found = parse_request(text, where="here")
    assert (found.source, found.name, found.exact, found.range) == parts


@pytest.mark.parametrize("text", ["./featurize", "../shared/x", "/srv/modules/x"])
def test_a_path_is_a_folder(text: str):
    """What starts with a dot or a slash has no version."""
    assert parse_request(text, where="here").path == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        3,
        "Featurize",
        "feat urize",
        "featurize@",
        "featurize@x",
        "featurize>=",
        "a:b:c@1",
        "featurize=1",
        "1x",
        "-a",
        "a" * 65,
    ],
)
def test_what_is_no_request_is_refused(text: object):
    """With an example of one."""
    with pytest.raises(DefinitionError):
        parse_request(text, where="here")


def test_ranges_have_one_key():
    """The order and the spaces of a range do not matter to a lock file."""
    assert parse_request("a>=1,<2", where="").key == parse_request("a <2 , >=1", where="").key
