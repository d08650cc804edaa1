"""Values on their way through a file, whatever materializer they have."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from airflow_mlpipe.errors import StepError
from airflow_mlpipe.values import registry
from airflow_mlpipe.values.load import load_value
from airflow_mlpipe.values.materializer import DETAILS, Saved
from airflow_mlpipe.values.save import Inline, save_value


def through(value: Any, folder, annotation: Any = Any) -> Any:
    """Saved, told as JSON, and loaded."""
    saved = save_value(value, folder)
    assert isinstance(saved, Saved)
    return load_value(folder / saved.name, Saved.from_json(json.loads(json.dumps(saved.to_json()))), annotation)


def test_a_value_of_a_derived_type_is_not_taken_for_another_form(tmp_path):
    """A consumer without an annotation gets the model, and not the booster in it; of a series no frame."""
    import xgboost

    class Prices(pd.Series):
        pass

    model = xgboost.XGBClassifier(n_estimators=1).fit(np.arange(4.0)[:, None], [0, 1, 0, 1])
    assert type(through(model, tmp_path)) is xgboost.XGBClassifier
    assert type(through({"m": [model]}, tmp_path)["m"][0]) is xgboost.XGBClassifier
    assert type(through(Prices([1.0, 2.0]), tmp_path)) is pd.Series


def test_an_array_that_another_library_cannot_hold_is_an_error(tmp_path):
    """Numbers are its own, text is none: the error says which data type it is."""
    import jax

    assert isinstance(through(np.ones(2, "f4"), tmp_path, jax.Array), jax.Array)
    with pytest.raises(StepError, match="array of <U1"):
        through(np.array(["a"]), tmp_path, jax.Array)


class Talkative:
    """A materializer that says too much, or what is no JSON."""

    format, suffix, types, forms = "talk/1", ".txt", ("builtins.complex",), ("builtins.complex",)

    def __init__(self, details: Any, preview: Any) -> None:
        self._details, self._preview = details, preview

    def save(self, value, path):
        path.write_text("x")
        return self._details

    def load(self, path, form, details):
        return 1j

    def preview(self, value):
        return self._preview


@pytest.mark.parametrize(
    ("details", "preview", "words"),
    [
        ({"a": float("nan")}, {}, "details of the materializer are no JSON"),
        ({}, {"a": object()}, "preview of the materializer are no JSON"),
        ({"a": "x" * DETAILS}, {}, f"and may be {DETAILS}"),
    ],
)
def test_what_a_materializer_says_of_a_value_must_be_small_json(tmp_path, monkeypatch, details, preview, words):
    """The producer fails, with the name of what is at fault."""
    monkeypatch.setattr(registry, "of_type", lambda kind: Talkative(details, preview))
    with pytest.raises(StepError, match=words) as error:
        save_value(np.ones(1), tmp_path)
    assert "value" in str(error.value)


def test_a_small_plain_value_has_no_file(tmp_path):
    """It is carried along."""
    assert save_value({"a": 1}, tmp_path) == Inline(document={"a": 1}, plain=True)
    assert list(tmp_path.iterdir()) == []


def test_a_value_of_many_members_holds_no_file_open_for_each(tmp_path):
    """A worker may have a thousand files open, and a dict more arrays and tables than that."""
    import psutil

    members = {f"array_{i}": np.arange(3) for i in range(50)} | {"table": pd.DataFrame({"x": [1]})}
    before = psutil.Process().num_fds()
    held = through(members, tmp_path)
    assert psutil.Process().num_fds() == before
    assert not held["array_0"].flags.writeable
