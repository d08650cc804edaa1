"""What of a rendered argument the key holds."""

from __future__ import annotations

import pytest

from airflow_mlpipe.model.step import InputPath, Template, Text
from airflow_mlpipe.operators.masking import typed_params
from airflow_mlpipe.operators.spec import _hashed, _hashed_value

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
        ("{{ var.value.batch_size }}", "32", "32"),
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


def test_beside_a_secret_everything_counts():
    """A structure with a member that Airflow hides, for its name or its value, is not left out as a whole."""
    from airflow.sdk.log import mask_secret

    mask_secret("hunter3-hunter3")
    model = {"tokenizer": "bert", "layers": [2, {"key": "hunter3-hunter3"}]}
    kept = {"tokenizer": "bert", "layers": [2, {"key": "***"}]}
    assert _hashed_value(model, model, frozenset(), RUN) == kept
    assert typed_params({"model": model}, {"model"}) == {"model": kept}
    assert typed_params({"password": "x", "depth": 3}, {"password", "depth"}) == {
        "password": Template("params.password"),
        "depth": 3,
    }
