"""Checkpoints between two attempts on other machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_mlpipe.errors import CorruptedError
from airflow_mlpipe.runtime.checkpoints import Checkpoints
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.layout import checkpoints_key
from airflow_mlpipe.store.local import LocalObjectStore

FINGERPRINT = "mlp1:" + "0" * 64


@pytest.fixture
def contents(tmp_path: Path) -> Contents:
    """Of a workspace."""
    return Contents(LocalObjectStore(tmp_path / "workspace"))


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """What a program left."""
    folder = tmp_path / "left"
    (folder / "epoch" / "1").mkdir(parents=True)
    (folder / "epoch" / "1" / "weights").write_bytes(b"w" * 1000)
    (folder / "resume.sh").write_text("#!/bin/sh\n")
    (folder / "resume.sh").chmod(0o700)
    return folder


def test_the_next_attempt_finds_what_the_last_left(contents: Contents, left: Path, tmp_path: Path) -> None:
    """Files, folders and the right to execute; whoever the program is, it may write."""
    found = tmp_path / "found"
    found.mkdir()
    (found / "resume.sh").write_text("of an interrupted staging")
    assert Checkpoints(contents, FINGERPRINT).keep(left)
    assert Checkpoints(contents, FINGERPRINT).fetch(found) == 2
    assert (found / "epoch" / "1" / "weights").read_bytes() == b"w" * 1000
    assert os.stat(found / "resume.sh").st_mode & 0o777 == 0o777
    assert os.stat(found / "epoch").st_mode & 0o777 == 0o777


def test_a_program_that_left_nothing_changes_nothing(contents: Contents, left: Path, tmp_path: Path) -> None:
    """What an earlier one left stays; where there is none, nothing is fetched."""
    empty = tmp_path / "empty"
    empty.mkdir()
    ours = Checkpoints(contents, FINGERPRINT)
    assert ours.fetch(empty) == 0
    assert not ours.keep(empty)
    assert not ours.keep(tmp_path / "none")
    ours.keep(left)
    assert not ours.keep(empty)
    assert ours.fetch(empty) == 2


def test_others_do_not_see_them_and_forgotten_ones_are_gone(contents: Contents, left: Path, tmp_path: Path) -> None:
    """They are those of one fingerprint."""
    Checkpoints(contents, FINGERPRINT).keep(left)
    assert Checkpoints(contents, "mlp1:" + "1" * 64).fetch(tmp_path) == 0
    Checkpoints(contents, FINGERPRINT).forget()
    assert Checkpoints(contents, FINGERPRINT).fetch(tmp_path) == 0


def test_a_broken_document_is_said(contents: Contents, tmp_path: Path) -> None:
    """It is not taken for none."""
    contents.store.put(checkpoints_key(FINGERPRINT), b"{")
    with pytest.raises(CorruptedError):
        Checkpoints(contents, FINGERPRINT).fetch(tmp_path)


@pytest.mark.parametrize(("age", "kept"), [(0.0, 1), (7200.0, 0)])
def test_gc_keeps_what_young_checkpoints_refer_to(contents: Contents, left: Path, age: float, kept: int) -> None:
    """As it does the code of attempts that have not begun."""
    from airflow_mlpipe.store.reachable import _ordered

    Checkpoints(contents, FINGERPRINT).keep(left)
    info = contents.store.head(checkpoints_key(FINGERPRINT))
    assert info is not None
    assert len(_ordered(contents.store, frozenset(), now=info.modified + age, grace=3600.0)) == kept
