"""``${...}`` in texts: what is a reference, what is a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.references import Reference, Unknown, parts_of, template_of, written
from airflow_mlpipe.written.mistakes import Mistakes
from airflow_mlpipe.written.places import Places


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ("plain",)),
        ("", ()),
        ("${params.a}", (Reference("params", "a"),)),
        ("x${ params.a }y", ("x", Reference("params", "a"), "y")),
        ("${steps.g.train.outputs.model}", (Reference("output", "model", "g.train"),)),
        ("${steps.a.outputs.b.outputs.c}", (Reference("output", "c", "a.outputs.b"),)),
        ("$${HOME}", ("${HOME}",)),
        ("$$${HOME}", ("$${HOME}",)),
        ("${HOME}", (Unknown("${HOME}"),)),
        ("${", (Unknown("${"),)),
        ("$5 {a}", ("$5 {a}",)),
        ("{{ ds }}", ("{{ ds }}",)),
        ("${{ params.a }}", (Unknown("${{ params.a }}"),)),
        ("${{", (Unknown("${"), "{")),
    ],
)
def test_a_text_is_cut_into_references_and_texts(text: str, parts: tuple[object, ...]) -> None:
    """Everything that is no reference stays as it is."""
    assert parts_of(text) == parts


PIECES = [*"${} ap._", "{{ params.p }}", "{{ params.q }}", "${", "$${", "${params.p}"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_every_text_can_be_written(text: str) -> None:
    """Written and read again it is the same, whatever dollars and braces are in it."""
    mistakes = Mistakes("", Places())
    scope = Scope(mistakes=mistakes, params={"p": template_of("p")})
    assert scope.text(written(text, {"p"}), ()) == text
    assert not mistakes.found


def test_a_template_is_a_reference_only_for_a_parameter_of_the_pipeline() -> None:
    """Another name comes from the run's conf, and stays Jinja."""
    assert written("{{ params.p }} {{ params.q }} {{params.p}}", {"p"}) == "${params.p} {{ params.q }} {{params.p}}"
