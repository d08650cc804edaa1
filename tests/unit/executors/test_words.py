"""Ends and errors in words."""

from __future__ import annotations

import pytest

from airflow_mlpipe.executors.seen import Seen
from airflow_mlpipe.executors.words import end_in_words, explain


def ended(**parts) -> Seen:
    return Seen(id="0123456789abcdef", task_instance="t", state="exited", **parts)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (ended(exit_code=0), None),
        (ended(exit_code=137, out_of_memory=True, memory_limit=2**30), "more memory than its limit of 1024 MiB"),
        (ended(exit_code=137, out_of_memory=True), "more memory than there is"),
        (ended(exit_code=137), "container 0123456789ab was killed (exit code 137)"),
        (ended(exit_code=137, memory_limit=2**24), "killed (exit code 137); its limit of memory is 16 MiB"),
        (ended(exit_code=1), "ended with exit code 1 before it had told the task's state; what it printed"),
        (ended(exit_code=1, error="no such device"), "before it had told the task's state: no such device"),
    ],
)
def test_an_end_says_what_it_was(seen, words):
    """Exit code 0 is no failure of the container, whatever became of the task."""
    found = end_in_words(seen)
    assert found is None if words is None else words in found


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ('could not select device driver "" with capabilities: [[gpu]]', "NVIDIA Container Toolkit is not installed"),
        ("No such image: x:1", "the image is not on the engine"),
        ("invalid mount config: bind source path does not exist: /x", "is not on the engine's machine"),
        ('exec: "python": executable file not found in $PATH', "the image has no program python"),
        ("something else", "something else"),
        ("", "ValueError"),
    ],
)
def test_an_error_says_what_it_means(said, words):
    """And what the engine said is kept."""
    found = explain(ValueError(said))
    assert words in found
    assert said in found
