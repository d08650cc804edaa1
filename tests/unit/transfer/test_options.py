"""What an author may say of a transfer."""

from __future__ import annotations

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.transfer.options import TransferOptions, bytes_per_second, check_options

DEFAULTS = {
    "mode": "copy",
    "include": (),
    "exclude": (),
    "bandwidth": None,
    "concurrency": 16,
    "dry_run": False,
    "where": "step 't'",
}


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        (1000, 1000.0),
        ("800", 800.0),
        ("50 MiB/s", 50 * 2**20),
        ("12.5MB", 12_500_000.0),
        ("1k", 1000.0),
        ("2 GiB", 2 * 2**30),
        ("3 gb/s", 3e9),
        (None, None),
        ("", None),
    ],
)
def test_a_rate_is_a_number_or_a_text_with_a_unit(given, rate):
    """Decimal and binary units, with and without B and /s."""
    assert bytes_per_second(given, where="t") == rate


@pytest.mark.parametrize("given", [0, -1, "fast", "5 mph", True, float("nan"), float("inf"), "1e9", [5]])
def test_what_is_no_rate_is_refused(given):
    """With what would be one."""
    with pytest.raises(DefinitionError, match="50 MiB/s"):
        bytes_per_second(given, where="t")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"mode": "mirror"}, "'copy', 'sync', 'move'"),
        ({"include": "*.csv"}, r"write \['\*.csv'\]"),
        ({"include": ["!a"]}, "exclude="),
        ({"exclude": ["# a"]}, "not a pattern"),
        ({"exclude": [""]}, "not a pattern"),
        ({"exclude": [3]}, "not a pattern"),
        ({"concurrency": 0}, "1 to 256"),
        ({"concurrency": 2.5}, "1 to 256"),
        ({"concurrency": True}, "1 to 256"),
        ({"dry_run": "perhaps"}, "neither yes nor no"),
        ({"dry_run": 1}, "neither yes nor no"),
    ],
)
def test_a_wrong_option_is_named_with_what_would_be_right(wrong, says):
    """Each option has its message."""
    with pytest.raises(DefinitionError, match=says):
        check_options(**(DEFAULTS | wrong))


def test_options_that_templates_rendered_are_read_as_what_they_say():
    """Templates give text."""
    found = check_options(**(DEFAULTS | {"concurrency": "4", "dry_run": "True", "bandwidth": "1 MiB/s"}))
    assert found == TransferOptions(concurrency=4, dry_run=True, bandwidth=2.0**20)
