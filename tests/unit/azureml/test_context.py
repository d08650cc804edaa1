"""``Run.get_context()`` in a step's program."""

from __future__ import annotations

import json

import pytest

from airflow_mlpipe.azureml import Run
from airflow_mlpipe.errors import DefinitionError


@pytest.fixture
def metrics(tmp_path, monkeypatch):
    """The file of a step's metrics."""
    path = tmp_path / "metrics.jsonl"
    monkeypatch.setenv("MLPIPE_METRICS", str(path))
    return path


def logged(path):
    return [(one["name"], one["value"]) for one in map(json.loads, path.read_text().splitlines())]


def test_numbers_are_metrics(metrics):
    """Also those of NumPy, of the parent run, and of lists, rows and tables."""
    import numpy

    run = Run.get_context()
    run.log("a", 1)
    run.parent.log("b", numpy.float32(0.5))
    run.log_list("c", [1, 2])
    run.log_row("d", x=3, y=4)
    run.log_table("e", {"x": [5, 6]})
    expected = [("a", 1), ("b", 0.5), ("c", 1), ("c", 2), ("d.x", 3), ("d.y", 4), ("e.x", 5), ("e.x", 6)]
    assert logged(metrics) == expected


def test_what_is_no_number_is_printed(metrics, capsys):
    """A text and a NaN are no metrics."""
    Run.get_context().log("best", "svm")
    Run.get_context().log("loss", float("nan"))
    assert not metrics.exists()
    assert "best: svm" in capsys.readouterr().out


def test_inputs_and_outputs_are_found_by_name(monkeypatch):
    """The paths of the step's ports."""
    monkeypatch.setenv("AZURE_ML_INPUT_raw", "/in/raw")
    monkeypatch.setenv("AZURE_ML_OUTPUT_model", "/out/model")
    run = Run.get_context()
    assert run.input_datasets["raw"] == "/in/raw"
    assert list(run.output_datasets) == ["model"]


def test_a_secret_is_read_from_its_file(tmp_path, monkeypatch):
    """Of ``secrets=`` of the step; another one is an error."""
    (tmp_path / "token").write_text("s3cret")
    monkeypatch.setenv("MLPIPE_SECRET_API_TOKEN", str(tmp_path / "token"))
    assert Run.get_context().get_secret("api-token") == "s3cret"
    with pytest.raises(DefinitionError, match="no such secret"):
        Run.get_context().get_secret("other")


def test_files_are_outputs():
    """Nothing is uploaded to a run."""
    with pytest.raises(DefinitionError, match="write it into an output"):
        Run.get_context().upload_file("model.pkl", "outputs/model.pkl")
