"""What of a rendered argument the key holds."""

from __future__ import annotations

import pytest

from airflow_mlpipe.model.step import InputPath, Template, Text
from airflow_mlpipe.operators.spec import _hashed

RUN = {"lr": 0.1, "build": "b1", "depth": 3}


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("plain", "plain", "plain"),
        ("{{ params.lr }}", "0.1", "0.1"),
        ("{{ params.build }}", "b1", Template("{{ params.build }}")),
        ("--x={{ params.build }}-{{ params.lr }}", "--x=b1-0.1", Template("--x={{ params.build }}-{{ params.lr }}")),
        ("{{ params | tojson }}", "...", Template("{{ params | tojson }}")),
        ("{{ params.build }} {{ ds }}", "b1 2026-01-01", "b1 2026-01-01"),
        ("{{ conn.db.password }}", "anything", Template("{{ conn.db.password }}")),
        ("{{ var.value.token }}", "anything", Template("{{ var.value.token }}")),
    ],
)
def test_what_stands_for_an_argument(template, value, expected):
    """Its value; the template where an ignored parameter or a secret is in it."""
    assert _hashed(Text(template, value), frozenset({"build"}), RUN).value == expected


def test_a_port_stands_for_itself():
    """An argument that names data has nothing to leave out."""
    assert _hashed(InputPath("raw"), frozenset({"raw"}), RUN) == InputPath("raw")


def test_a_secret_written_into_the_dag_file_is_in_no_part():
    """A literal that Airflow masks is in its own template too, and neither is kept."""
    from airflow.sdk.log import mask_secret

    mask_secret("hunter2-hunter2")
    argument = _hashed(Text("--token=hunter2-hunter2", "--token=hunter2-hunter2"), frozenset(), RUN)
    assert "hunter2" not in repr(argument)
