"""What a program says of itself: its result and its metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlpipe.errors import StepError
from airflow_mlpipe.runtime.outcome import LONGEST_RESULT, read_metrics, read_result


@pytest.mark.parametrize(
    ("text", "value"), [('{"a": [1, 2.5]}', {"a": [1, 2.5]}), ("null", None), ("", None), (" 3 ", 3)]
)
def test_the_result_is_the_json_value(text: str, value: object, tmp_path: Path) -> None:
    """Any JSON value; an empty file is none."""
    (tmp_path / "r").write_text(text)
    assert read_result(tmp_path / "r", where="step") == value


def test_no_result_is_none(tmp_path: Path) -> None:
    """Most programs have none."""
    assert read_result(tmp_path / "r", where="step") is None


@pytest.mark.parametrize("text", ['{"a": 1,\n "b": }', "NaN", "[1] [2]"])
def test_a_result_that_is_no_json_is_an_error(text: str, tmp_path: Path) -> None:
    """NaN is none either: the databases that XComs go to refuse it."""
    (tmp_path / "r").write_text(text)
    with pytest.raises(StepError, match="demo/a: MLPIPE_RESULT: the result is not JSON"):
        read_result(tmp_path / "r", where="demo/a")


def test_the_error_says_where_in_the_text(tmp_path: Path) -> None:
    """Line and column."""
    (tmp_path / "r").write_text('{"a": 1,\n "b": }')
    with pytest.raises(StepError, match="line 2 column 7"):
        read_result(tmp_path / "r", where="step")


def test_a_long_result_is_refused(tmp_path: Path) -> None:
    """With the fix."""
    (tmp_path / "r").write_text(f'"{"x" * LONGEST_RESULT}"')
    with pytest.raises(StepError, match="write it to an output"):
        read_result(tmp_path / "r", where="step")


def test_the_last_value_of_a_metric_counts(tmp_path: Path) -> None:
    """Steps may come in any order; the file's order decides."""
    lines = ['{"name": "loss", "value": 2, "step": 1}', '{"name": "loss", "value": 0.5, "step": 2}', ""]
    (tmp_path / "m").write_text("\n".join(lines))
    assert read_metrics(tmp_path / "m", print) == {"loss": 0.5}


@pytest.mark.parametrize(
    "line", ["oops", "[]", '{"value": 1}', '{"name": "a", "value": "1"}', '{"name": "a", "value": NaN}']
)
def test_a_bad_metric_is_a_warning(line: str, tmp_path: Path) -> None:
    """It names the line; the good ones are kept."""
    (tmp_path / "m").write_text(f'{{"name": "ok", "value": 1}}\n{line}\n')
    said: list[str] = []
    assert read_metrics(tmp_path / "m", said.append) == {"ok": 1.0}
    assert len(said) == 1
    assert said[0].startswith("line 2 of MLPIPE_METRICS")
