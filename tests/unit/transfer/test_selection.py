"""Which files take part."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_mlpipe.transfer.selection import Selection

names = st.sampled_from(["a", "b.csv", "c.tmp", "raw", "tmp", "x y"])
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
patterns = st.sampled_from(
    ["*.csv", "/a", "a", "raw/", "raw/*.csv", "tmp/**", "**/a", "x y", "*", "raw/**/b.csv", "?", "[ab]*", "/raw/*"]
)
lists = st.lists(patterns, max_size=3)


@given(paths, lists, lists)
def test_exclude_wins_over_include(path, include, exclude):
    """What a pattern of exclude matches is never taken, whatever include says."""
    if exclude and not Selection((), exclude).takes(path):
        assert not Selection(include, exclude).takes(path)


@given(paths, lists, lists, patterns)
def test_more_patterns_of_exclude_take_less_and_more_of_include_take_more(path, include, exclude, more):
    """Both are monotonous; the first pattern of include is the one that restricts."""
    if Selection(include, [*exclude, more]).takes(path):
        assert Selection(include, exclude).takes(path)
    if include and Selection(include, exclude).takes(path):
        assert Selection([*include, more], exclude).takes(path)


@given(paths, lists, lists)
def test_a_file_is_taken_if_include_matches_and_exclude_does_not(path, include, exclude):
    """The two lists are independent of each other."""
    included = not include or Selection(include, ()).takes(path)
    excluded = bool(exclude) and not Selection((), exclude).takes(path)
    assert Selection(include, exclude).takes(path) == (included and not excluded)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """An empty git repository."""
    folder = tmp_path_factory.mktemp("git")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


@settings(max_examples=25, deadline=None)
@given(st.lists(paths, min_size=1, max_size=8), st.lists(patterns, min_size=1, max_size=3))
def test_patterns_mean_what_git_means_by_them(repository, files, exclude):
    """Git itself is asked which of the paths its ignore file matches."""
    (repository / ".gitignore").write_text("\n".join(exclude))
    asked = "\0".join(files)
    command = ["git", "check-ignore", "--no-index", "-z", "--stdin"]
    said = subprocess.run(command, cwd=repository, input=asked, capture_output=True, text=True, check=False).stdout
    ignored = set(said.split("\0")) - {""}
    assert {path for path in files if not Selection((), exclude).takes(path)} == ignored & set(files)
