"""What a DAG run's conf forces."""

from __future__ import annotations

import pytest

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.operators.force import forced_by

ALL = ("prepare", "train", "group.score", "report")


def forced(refresh, task_id="train", upstream=("prepare",)):
    return forced_by({"mlpipe": {"refresh": refresh}}, task_id, upstream=upstream, all_tasks=ALL)


@pytest.mark.parametrize(
    "conf", [None, {}, {"lr": 1}, {"mlpipe": {}}, {"mlpipe": {"refresh": []}}, {"mlpipe": {"refresh": None}}]
)
def test_a_conf_without_a_force_forces_nothing(conf):
    """Parameters alone change nothing here."""
    assert forced_by(conf, "train", upstream=(), all_tasks=ALL) is None


@pytest.mark.parametrize(
    ("refresh", "task_id", "upstream", "by"),
    [
        ("all", "report", (), "all"),
        (["train"], "train", ("prepare",), "train"),
        ("train", "train", ("prepare",), "train"),
        (["train"], "report", ("prepare", "train"), None),
        (["train+"], "report", ("prepare", "train"), "train+"),
        (["train+"], "train", ("prepare",), "train+"),
        (["train+"], "prepare", (), None),
        (["*.score"], "group.score", (), "*.score"),
        (["group.*+"], "report", ("group.score",), "group.*+"),
        (["prepare", "train+"], "report", ("prepare", "train"), "train+"),
    ],
)
def test_one_step_a_step_and_what_follows_or_all(refresh, task_id, upstream, by):
    """The entry that forces a step is returned, so that the reason can name it."""
    assert forced(refresh, task_id, upstream) == by


@pytest.mark.parametrize(
    ("ours", "shown"),
    [
        ("all", "'all'"),
        (["train"], "['train']"),
        ({"force": "all"}, "['force']"),
        ({"refresh": "all", "x": 1}, "['x']"),
    ],
)
def test_a_conf_of_another_form_is_refused(ours, shown):
    """Silence would look like a refresh that did nothing."""
    with pytest.raises(ConfigurationError) as error:
        forced_by({"mlpipe": ours}, "train", upstream=(), all_tasks=ALL)
    assert str(error.value).startswith("the DAG run's conf: member 'mlpipe' is not understood")
    assert f"given: {shown}" in str(error.value)
    assert '{"mlpipe": {"refresh": ["train+"]}}' in str(error.value)


@pytest.mark.parametrize("refresh", [5, {"train": True}, [1], [["train"]]])
def test_a_refresh_of_another_type_is_refused(refresh):
    """A list of names, one name, or "all"."""
    with pytest.raises(ConfigurationError, match="'refresh' is not understood"):
        forced(refresh)


def test_a_name_of_no_task_is_refused_with_those_there_are():
    """A typing mistake is an error of every step, not a quiet no."""
    with pytest.raises(ConfigurationError, match=r"names no task of this DAG. given: 'trian\+'. valid: 'group.score'"):
        forced(["trian+"])
