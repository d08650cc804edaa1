"""Whoever is killed while publishing leaves a library without the version, or with all of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from support.crash import kill_before
from support.modules import write_module

from airflow_mlpipe.modules.library import Library
from airflow_mlpipe.modules.publishing import publish
from airflow_mlpipe.store.contents import Contents
from airflow_mlpipe.store.local import LocalObjectStore


def library_in(folder: Path) -> Library:
    """One thread writes, so that the points at which it is killed are the same each time."""
    return Library("test", Contents(LocalObjectStore(folder), threads=1))


def killed(folder: Path, module: Path, change: int) -> bool:
    """Publish in a process that dies before its so-many-th change of the disk; whether it did."""
    child = os.fork()
    if child == 0:
        kill_before(change)
        try:
            publish(library_in(folder), module, author="child")
        finally:
            sys.stdout.flush()
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_kill_at_any_change_of_the_disk_leaves_the_old_state_or_the_new(tmp_path: Path):
    """The version is there exactly when all of its code is; and publishing again always ends with all of it."""
    module = write_module(tmp_path / "scale", helper__py="x = 1\n")
    (module / "sub").mkdir()
    (module / "sub" / "more.py").write_text("y = 2\n")
    states = []
    for change in range(500):
        library = library_in(tmp_path / f"library-{change}")
        if not killed(tmp_path / f"library-{change}", module, change):
            break
        found = library.get("scale", "1.0")
        states.append(found is not None)
        if found is not None:
            assert library.contents.missing(found.code, "folder") == ()
        again = publish(library, module, author="parent").module
        assert again.author == ("child" if found else "parent")
        assert library.contents.missing(again.code, "folder") == ()
    assert len(states) > 10
    assert False in states, "each was killed after the version was there"
    assert states == sorted(states), "a version that is there goes away again"
