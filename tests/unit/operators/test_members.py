"""The reason for a changed upstream folder names its files."""

from __future__ import annotations

import dataclasses

import pytest
from support.fingerprint_keys import key

from airflow_mlpipe.fingerprint.identity import ContentIdentity
from airflow_mlpipe.fingerprint.local import LocalIndex
from airflow_mlpipe.fingerprint.reasons import explain
from airflow_mlpipe.operators.members import with_members
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.local import LocalObjectStore


@pytest.fixture
def contents(tmp_path):
    """Contents of a workspace."""
    return Contents(LocalObjectStore(tmp_path / "store"))


def document(contents, folder, files):
    """A key document whose input ``data`` is a published folder, known by its digest alone."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    found = LocalIndex(None).identify(folder)
    contents.publish(folder, found)
    identity = ContentIdentity(kind="folder", digest=found.digest, size=found.size, files=found.files)
    return dataclasses.replace(key(), inputs={"data": identity})


def test_changed_files_are_named(contents, tmp_path):
    """Added, removed and changed files of a folder from upstream stand in the reason."""
    old = document(contents, tmp_path / "a", {"x/same": "1", "x/changed": "1", "gone": "1"})
    new = document(contents, tmp_path / "b", {"x/same": "1", "x/changed": "2", "new": "1"})
    (reason,) = explain(*with_members(old, new, contents))
    assert all(part in str(reason) for part in ("+1", "-1", "~1", "x/changed", "gone", "new"))
    assert "same" not in str(reason)


def test_a_tree_that_is_gone_leaves_the_digests(contents, tmp_path):
    """Without the old tree the reason still says that the input differs."""
    old = document(contents, tmp_path / "a", {"x": "1"})
    new = document(contents, tmp_path / "b", {"x": "2"})
    contents.store.delete([info.key for info in contents.store.list("trees")])
    (reason,) = explain(*with_members(old, new, Contents(contents.store)))
    assert (reason.code, reason.subject) == ("INPUT", "data")


def test_fingerprints_do_not_change(contents, tmp_path):
    """What is looked up for the reason counts for nothing."""
    old = document(contents, tmp_path / "a", {"x": "1"})
    new = document(contents, tmp_path / "b", {"x": "2"})
    assert [d.fingerprint for d in with_members(old, new, contents)] == [old.fingerprint, new.fingerprint]
