"""A transfer that is killed before each of its changes of the file system: what is left, and what is sent again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.transfers import NEW, OLD


def points(folder, mode, before):
    """Every kill, in the order of the changes."""
    command = [sys.executable, "-m", "support.transfers", "kill", str(folder), mode, before]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="tests")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def expected(mode, before):
    """What must be at the destination in the end."""
    return NEW if mode != "copy" or before == "new" else {**OLD, **NEW}


@pytest.fixture(scope="module", params=[("copy", "new"), ("sync", "old"), ("move", "new")], ids="-".join)
def played(request, tmp_path_factory):
    """A scenario: the mode, what was there before, and all points."""
    mode, before = request.param
    return mode, before, points(tmp_path_factory.mktemp("killed"), mode, before)


def test_a_killed_transfer_never_leaves_half_a_folder_that_looks_whole(played):
    """Whoever looks sees what was there before, all that is new, or that it is not whole."""
    mode, before, found = played
    wholes = ({} if before == "new" else OLD, expected(mode, before))
    assert len(found) > 20
    for point in found:
        assert not point["whole"] or point["there"] in wholes


def test_the_next_try_brings_the_rest_and_leaves_nothing_of_the_killed_one(played):
    """At every point."""
    mode, before, found = played
    for point in found:
        assert point["after"] == expected(mode, before)
        assert point["left"] == []


def test_what_was_written_down_as_arrived_is_not_sent_again(played):
    """The next try sends the others only."""
    _, before, found = played
    new = [path for path in NEW if before == "new" or OLD.get(path) != NEW[path]]
    for point in found:
        done = point["there"] == NEW and point["whole"]
        assert point["again"] <= (0 if done else len(new) - len(point["arrived"]))
    assert {len(point["arrived"]) for point in found} == set(range(len(new) + 1))


def test_a_killed_move_has_every_file_on_one_side_at_least(played):
    """The source loses nothing that is not verified at the destination."""
    mode, _, found = played
    for point in found:
        if mode == "move":
            assert {**point["source"], **point["there"]} == NEW
            assert point["whole"] or point["source"] == NEW
        else:
            assert point["source"] == NEW
