"""Which run parameters a template reads."""

from __future__ import annotations

import pytest

from airflow_mlpipe.operators.templates import Reads, reads, reads_all


@pytest.mark.parametrize(
    ("template", "params", "others"),
    [
        ("plain text", set(), set()),
        ("{{ params.lr }}", {"lr"}, set()),
        ("{{params['lr']}}", {"lr"}, set()),
        ('--x={{ params["a b"] }}', {"a b"}, set()),
        ("{{ params.lr * 2 }}-{{ params.seed }}", {"lr", "seed"}, set()),
        ("{{ params.model.name }}", {"model"}, set()),
        ("{% if params.big %}{{ ds }}{% endif %}", {"big"}, {"ds"}),
        ("{{ run_id }}", set(), {"run_id"}),
        ("{{ conn.db.password }}", set(), {"conn"}),
        ("{% for p in params %}{{ p }}{% endfor %}", None, set()),
        ("{{ params }}", None, set()),
        ("{{ params[name] }}", None, {"name"}),
        ("{{ params.lr }} {{ params }}", None, set()),
        ("{{ broken", set(), set()),
        ("{# params.lr #}", set(), set()),
    ],
)
def test_what_a_template_reads(template, params, others):
    """Names below `params`, the whole of it (`None`), and other names of the context."""
    assert reads(template) == Reads(None if params is None else frozenset(params), frozenset(others))


@pytest.mark.parametrize(
    ("template", "secret"), [("{{ conn.a.host }}", True), ("{{ var.value.x }}", False), ("{{ ds }}", False)]
)
def test_connections_may_be_secret(template, secret):
    """Their values never go into a key document."""
    assert reads(template).secret is secret


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("{{ var.value.token }}", {"token"}),
        ("{{ var.json['a b'].member }}", {"a b"}),
        ("{{ var.value.get('x', 1) }} {{ var.value.y }}", {"x", "y"}),
        ("{{ var.value }} {{ value.z }} {{ var.value[name] }}", set()),
    ],
)
def test_which_airflow_variables_a_template_reads(template, names):
    """Their names tell whether Airflow would hide them."""
    assert reads(template).variables == frozenset(names)


def test_several_values_together():
    """Values that are not text read nothing; one that takes the whole makes the whole read."""
    assert reads_all(["{{ params.a }}", 3, None, "{{ params.b }} {{ ds }}"]) == Reads(
        frozenset("ab"), frozenset({"ds"})
    )
    assert reads_all(["{{ params.a }}", "{{ params }}"]).params is None
    assert reads_all([]) == Reads()
