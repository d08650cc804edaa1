"""``airflow mlpipe import``: what it writes, says, and answers with."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from airflow_mlpipe.cli.imports import import_pipelines


@pytest.fixture
def run(tmp_path, capsys):
    """Call the command; exit code, stdout and stderr."""

    def call(path, **said):
        args = {"system": "azureml", "into": str(tmp_path / "dags"), "compute": [], "replace": False, "output": "table"}
        with pytest.raises(SystemExit) as ended:
            import_pipelines(Namespace(path=str(path), **{**args, **said}))
        return ended.value.code, *capsys.readouterr()

    return call


def test_every_finding_has_file_and_line(run, tmp_path):
    """As text for people, and the same as JSON."""
    (tmp_path / "p.yml").write_text("type: pipeline\njobs:\n  a:\n    command: date\n    compute: big\n")
    code, out, _ = run(tmp_path / "p.yml")
    assert code == 0
    assert f"{tmp_path}/p.yml: DAG p in {tmp_path}/dags/p.py" in out
    assert f"{tmp_path}/p.yml:5: jobs.a.compute: compute 'big' is not described" in out
    code, out, _ = run(tmp_path / "p.yml", output="json", replace=True, compute=["big=local"])
    (pipeline,) = json.loads(out)["pipelines"]
    assert (code, pipeline["dag_id"], pipeline["findings"]) == (0, "p", [])


def test_a_pipeline_that_cannot_be_made_is_exit_code_1(run, tmp_path):
    """The others of the folder are imported."""
    (tmp_path / "a.yml").write_text("type: pipeline\njobs: {one: {type: sweep}}\n")
    (tmp_path / "b.yml").write_text("type: pipeline\njobs: {one: {command: date}}\n")
    code, out, _ = run(tmp_path)
    assert code == 1
    assert "a.yml: not imported" in out
    assert "imported 1 of 2" in out


def test_a_path_that_is_not_there_is_exit_code_2(run, tmp_path):
    """The command line is wrong."""
    code, _, err = run(tmp_path / "none.yml")
    assert code == 2
    assert "there is no such file or folder" in err
