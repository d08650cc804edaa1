"""``Experiment.submit``: what is sent to a deployment, and what happens while Airflow parses the file."""

from __future__ import annotations

import pytest
from support.rest_api import FakeDag, FakeStep, Frame

from airflow_mlpipe.azureml import (
    ActivityFailedException,
    DataPath,
    DataPathComputeBinding,
    Datastore,
    Experiment,
    Pipeline,
    PipelineParameter,
)
from airflow_mlpipe.azureml.unstarted import UNSTARTED
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment import UsageError


@pytest.fixture
def deployed(fake, monkeypatch):
    """A deployment with the DAG ``churn``, and the environment that names it."""
    fake.dags["churn"] = FakeDag(tasks={"s": []}, params={"rate": {"value": 0.1, "schema": {"type": "number"}}})
    monkeypatch.setenv("MLPIPE_API_URL", fake.url)
    monkeypatch.setenv("MLPIPE_API_USERNAME", "ml")
    monkeypatch.setenv("MLPIPE_API_PASSWORD", "correct horse")
    return fake


def show(fake, frames):
    fake.frames.clear()
    fake.frames.extend(frames)


def pipeline_of(workspace, step):
    return Pipeline(workspace, steps=[step("s", arguments=[PipelineParameter("rate", 0.1)])], dag_id="churn")


def test_a_deployed_dag_runs_there(deployed, workspace, step, capsys):
    """With the values of the parameters, and without sending the file."""
    show(deployed, [Frame("running"), Frame("success", [FakeStep("s", "success", {"decision": "reused"})])])
    run = Experiment(workspace, "x").submit(
        pipeline_of(workspace, step), pipeline_parameters={"rate": "0.3"}, regenerate_outputs=True
    )
    (body,) = deployed.asked("POST", "/dagRuns")
    assert body["conf"] == {"rate": 0.3, "mlpipe": {"refresh": "all"}}
    assert run.wait_for_completion(show_output=True) == "Finished"
    (found,) = run.find_step_run("s")
    assert (found.get_status(), found.is_reused) == ("Finished", True)
    assert "runs as it is deployed; this file is not sent" in capsys.readouterr().out


def test_a_failed_run_raises_with_the_last_lines(deployed, workspace, step, capsys):
    """v1's exception, after the end of the failed step's log."""
    show(deployed, [Frame("failed", [FakeStep("s", "failed")])])
    run = Experiment(workspace, "x").submit(pipeline_of(workspace, step))
    with pytest.raises(ActivityFailedException, match="failed: s"):
        run.wait_for_completion(show_output=False)
    assert "s failed; its last lines:\n  training" in capsys.readouterr().out
    with pytest.raises(ActivityFailedException, match="failed: s"):
        run.wait_for_completion()
    assert capsys.readouterr().out.count("\ns | training\n") == 1
    assert run.wait_for_completion(raise_on_error=False) == "Failed"


def test_a_timeout_only_stops_waiting(deployed, workspace, step, capsys):
    """As in v1: the run goes on, and the status is what it is."""
    show(deployed, [Frame("running")])
    run = Experiment(workspace, "x").submit(pipeline_of(workspace, step))
    assert run.wait_for_completion(timeout_seconds=0.01) == "Running"
    assert "the run goes on" in capsys.readouterr().out


def test_a_canceled_run_is_canceled(deployed, workspace, step):
    """Airflow has no such state; who cancelled is remembered here."""
    show(deployed, [Frame("running")])
    run = Experiment(workspace, "x").submit(pipeline_of(workspace, step))
    run.cancel()
    assert run.get_status() == "Canceled"


def test_a_paused_dag_is_not_run_elsewhere(deployed, workspace, step):
    """Only an unknown DAG runs on this machine."""
    deployed.dags["churn"].is_paused = True
    with pytest.raises(UsageError, match="paused"):
        Experiment(workspace, "x").submit(pipeline_of(workspace, step))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"rat": 1}, UsageError, r"unknown parameter.*'rate'"),
        ({"rate": "much"}, DefinitionError, "the parameter is a number"),
        ({"rate": True}, DefinitionError, "the parameter is a number"),
        ({"rate": [1]}, DefinitionError, "text, a number or a bool"),
    ],
)
def test_a_wrong_value_starts_nothing(deployed, workspace, step, given, error, message):
    """It is found before anything is asked for."""
    with pytest.raises(error, match=message):
        Experiment(workspace, "x").submit(pipeline_of(workspace, step), pipeline_parameters=given)
    assert not deployed.asked("POST", "/dagRuns")


def test_a_path_is_the_value_of_data(deployed, workspace, step):
    """A DataPath in the parameter's datastore; one of another datastore has no place in the DAG."""
    lake = Datastore(workspace, "lake")
    pair = (PipelineParameter("day", DataPath(lake, "1")), DataPathComputeBinding())
    pipeline = Pipeline(workspace, steps=[step("s", inputs=[pair])], dag_id="churn")
    deployed.dags["churn"].params = {"day": {"value": "1", "schema": {"type": "string"}}}
    Experiment(workspace, "x").submit(pipeline, pipeline_parameters={"day": DataPath(lake, "2")})
    (body,) = deployed.asked("POST", "/dagRuns")
    assert body["conf"] == {"day": "2"}
    other = DataPath(Datastore(workspace, "swamp"), "2")
    with pytest.raises(DefinitionError, match=r"another datastore.*'lake'"):
        Experiment(workspace, "x").submit(pipeline, pipeline_parameters={"day": other})


def test_only_pipelines_are_submitted(workspace):
    """A ScriptRunConfig of v1 is a pipeline of one step."""
    with pytest.raises(DefinitionError, match="Pipeline of one step"):
        Experiment(workspace, "x").submit(object())


def test_the_rest_of_a_script_neither_runs_nor_fails_while_it_is_parsed():
    """Whatever it asks of the run that was not started."""
    run = UNSTARTED
    run.wait_for_completion(show_output=True)
    best = run.find_step_run("train")[0].get_metrics()["accuracy"]
    told = f"{best:.3f} {round(best, 2)} {best * 2 + 1}"
    assert told == "not started " * 2 + "not started"
    assert not best > 0.8
    assert [step.id for step in run.get_steps()] == []
    assert (len(run), bool(run), float(best)) == (0, False, 0.0)
