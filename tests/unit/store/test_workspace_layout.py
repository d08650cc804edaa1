"""Where answers are kept: keys that are one to one with ids and stay in their folder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import fingerprint

from airflow_mlpipe.errors import PathError
from airflow_mlpipe.store import layout
from airflow_mlpipe.store.base import check_key

# Long ones, and ones made of what could be mistaken for an encoding, come up often enough to matter.
ids = st.text(max_size=40) | st.text(alphabet="%~./2E7-_aé\x00\\ ", max_size=300) | st.text(min_size=150, max_size=260)


@given(ids, ids)
def test_two_ids_never_share_a_key_part(one, other):
    """Two different ids have two different key parts."""
    assert (layout.quote_id(one) == layout.quote_id(other)) == (one == other)


@given(ids)
def test_a_key_part_is_one_safe_part(value):
    """Whatever the id, its key part is one part of a key, and short enough for a file name."""
    part = layout.quote_id(value)
    assert check_key(part) == part
    assert "/" not in part
    assert not part.startswith(".")
    assert len(part.encode()) <= 200


@given(st.tuples(ids, ids, ids, st.integers(-1, 5000)), st.tuples(ids, ids, ids, st.integers(-1, 5000)))
def test_two_task_instances_never_share_a_run_key(one, other):
    """The key of a run is one to one with the ids of its task instance, and below runs/."""
    assert (layout.run_key(*one) == layout.run_key(*other)) == (one == other)
    assert layout.run_key(*one).startswith(layout.runs_prefix(one[0], one[1], one[2]) + "/")
    assert check_key(layout.run_key(*one)).startswith("runs/")


def test_common_ids_stay_readable():
    """Ids as people write them are their own key parts."""
    assert layout.quote_id("train_model-2.retry") == "train_model-2.retry"


def test_ids_that_differ_only_after_the_limit_differ():
    """Two ids of 250 characters with one prefix have two keys."""
    assert layout.quote_id("a" * 250) != layout.quote_id("a" * 249 + "b")


def test_a_fingerprint_is_spread_over_folders_and_has_no_colon():
    """A fingerprint's key starts with its first two hex digits and holds no colon."""
    mark = fingerprint("x")
    assert layout.record_key(mark) == f"records/{mark[5:7]}/mlp1-{mark[5:]}.json"


def test_a_fingerprint_is_read_back_from_its_key():
    """Listing a folder tells the fingerprints in it."""
    mark = fingerprint("x")
    assert layout.stem_fingerprint(layout.fingerprint_stem(mark).split("/")[1]) == mark
    assert layout.stem_fingerprint("mlp1-short") is None


@pytest.mark.parametrize(
    "value",
    ["", "mlp1", "mlp1:", "mlp1:" + "A" * 64, "mlp1:" + "a" * 63, "../..:" + "a" * 64, "mlp1:" + "a" * 64 + "\n"],
)
def test_what_is_no_fingerprint_has_no_key(value):
    """A value that is no fingerprint is refused, never made into a key."""
    with pytest.raises(PathError):
        layout.record_key(value)


def test_an_attempt_of_an_uncacheable_step_stays_in_its_folder():
    """The name that stands for the fingerprint of an uncacheable step is quoted like any id."""
    assert layout.attempt_prefix("../x", "..") == "attempts/%2E.%2Fx/%2E."
