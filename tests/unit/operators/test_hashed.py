"""What of a rendered argument the key holds."""

from __future__ import annotations

import pytest

from airflow_mlpipe.model.step import InputPath, Template, Text
from airflow_mlpipe.operators.hashed import Hashing
from airflow_mlpipe.operators.masking import without_secrets

RUN = {"lr": 0.1, "build": "b1", "depth": 3}


def hashing(salt=b"one workspace", **more):
    """The rules of a step that ignores ``build``."""
    return Hashing(ignored=frozenset({"build"}), run={**RUN, **more}, salt=lambda: salt)


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
    assert hashing().argument(Text(template, value)).value == expected


def test_a_port_stands_for_itself():
    """An argument that names data has nothing to leave out."""
    assert hashing().argument(InputPath("build")) == InputPath("build")


def test_a_secret_written_into_the_dag_file_is_in_no_part():
    """A literal that Airflow masks is in its own template too, and neither is kept."""
    from airflow.sdk.log import mask_secret

    mask_secret("hunter2-hunter2")
    argument = hashing().argument(Text("--token=hunter2-hunter2", "--token=hunter2-hunter2"))
    assert "hunter2" not in repr(argument)


def test_beside_a_secret_everything_counts():
    """Of a structure with a member that Airflow knows as a secret only that member is left out."""
    from airflow.sdk.log import mask_secret

    mask_secret("hunter3-hunter3")
    model = {"name": "bert", "layers": [2, {"key": "hunter3-hunter3"}]}
    kept = {"name": "bert", "layers": [2, {"key": "***"}]}
    assert hashing().value(model, model) == kept
    assert hashing(model=model).params({"model"}) == {"model": kept}


def forms(value, salt=b"one workspace"):
    """Every form in which a text with a secret's name reaches a key."""
    rules = hashing(salt, password=value)
    return repr(
        (
            rules.argument(Text("--p={{ params.password }}", f"--p={value}")),
            rules.value("{{ params.password }}", value, "password"),
            rules.value(value, value, "api_token"),
            rules.value({"deep": [{"token": value}]}, {"deep": [{"token": value}]}),
            rules.params({"password", "depth"}),
            without_secrets({"HF_TOKEN": value}, lambda: salt),
        )
    )


def test_a_text_with_a_secrets_name_counts_and_cannot_be_read():
    """Another password is another key; none of them stands in it; another workspace has other digests."""
    assert "correct" not in forms("correct horse")
    assert "'depth': 3" in forms("correct horse")
    assert forms("correct horse") == forms("correct horse")
    assert len({forms("correct horse"), forms("battery staple"), forms("correct horse", b"another")}) == 3


def test_a_name_with_token_in_it_still_counts():
    """Airflow takes "tokenizer" for a secret's name; a changed tokenizer must not be a hit all the same."""
    found = {repr(hashing(tokenizer=t).params({"tokenizer"})) for t in ("bert", "gpt")}
    assert len(found) == 2
