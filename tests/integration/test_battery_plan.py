"""The battery: what a plan says is what a run does."""

from __future__ import annotations

import pytest
from support.battery import Pipeline

from airflow_mlpipe.operators.plan import plan_dag


@pytest.fixture
def pipeline(run_dag, tmp_path):
    """A pipeline that has not run yet."""
    return Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()


def plan(pipeline, **conf):
    """The planned steps by id, of the DAG file as it is."""
    return {step.task_id: step for step in plan_dag(pipeline.run_dag.parse(), conf)}


def snapshot(folder):
    """Every file of a folder and its bytes."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_after_a_run(pipeline):
    """Everything would be reused, with the time that it saves; asking changes nothing."""
    pipeline.run()
    assert {s.outcome for s in plan_dag(pipeline.run_dag.parse(), {"rate": 5}) if s.task_id == "train"} == {"execute"}
    before = snapshot(pipeline.run_dag.workspace)
    planned = plan(pipeline)
    assert [planned[s].outcome for s in ("prepare", "train")] == ["reuse", "reuse"]
    assert planned["prepare"].saved > 0
    assert snapshot(pipeline.run_dag.workspace) == before, "a plan writes nothing"


def test_a_change_at_the_start(pipeline):
    """The changed step would execute; the next one depends on its bytes, and says on whose."""
    pipeline.run()
    (pipeline.raw / "b.csv").write_text("22  # the same row")
    planned = plan(pipeline)
    assert planned["prepare"].outcome == "execute"
    assert [str(r) for r in planned["prepare"].reasons] == ["INPUT raw ~1 (b.csv)"]
    assert planned["train"].outcome == "depends"
    assert planned["train"].waits_for == ("prepare",)


def test_a_parameter_and_a_force_in_the_conf(pipeline):
    """What a run with this conf would do."""
    pipeline.run()
    planned = plan(pipeline, rate=3)
    assert (planned["prepare"].outcome, planned["train"].outcome) == ("reuse", "execute")
    assert str(planned["train"].reasons[0]) == "PARAM rate 1 -> 3"
    forced = plan(pipeline, mlpipe={"refresh": ["prepare+"]})
    assert [str(forced[s].reasons[0]) for s in ("prepare", "train")] == ["FORCED by prepare+"] * 2
    assert pipeline.run(rate=3).executed == ["train"]
    assert plan(pipeline, rate=3)["train"].outcome == "reuse"
    assert plan(pipeline, rate="3")["train"].outcome == "execute", "3 is not text"


def test_a_deleted_output(pipeline):
    """The plan looks at the store."""
    from support.battery import output_path

    output_path(pipeline.run()["train"].xcoms["model"]).unlink()
    planned = plan(pipeline)
    assert planned["train"].outcome == "execute"
    assert [str(r) for r in planned["train"].reasons] == ["OUTPUT_GONE model"]


def test_a_missing_input_is_told_and_not_raised(pipeline):
    """One step's trouble does not hide the others' plans."""
    pipeline.run()
    pipeline.raw.rename(pipeline.lake / "away")
    planned = plan(pipeline)
    assert planned["prepare"].outcome == "execute"
    assert "the data are not there" in str(planned["prepare"].reasons[0])


def test_other_operators_are_unknown_and_mapped_steps_are_planned_by_instance(run_dag):
    """The plan says which, and why; steps after them depend."""
    dag = run_dag.parse(
        """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow_mlpipe import PipelineData, ScriptStep

out = PipelineData("out")
open(__file__.replace("pipeline.py", "step.py"), "a").close()
with DAG("mixed", schedule=None):
    EmptyOperator(task_id="start")
    ScriptStep.partial(task_id="mapped", script_name="step.py", outputs=[out]).expand(arguments=[["1"], ["2"]])
    ScriptStep(task_id="after", script_name="step.py", inputs=[out])
"""
    )
    planned = {(step.task_id, step.map_index): step for step in plan_dag(dag)}
    assert planned["start", -1].outcome == "unknown"
    assert "not a step" in str(planned["start", -1].reasons[0])
    for index in (0, 1):
        assert planned["mapped", index].outcome == "execute"
        assert [r.code for r in planned["mapped", index].reasons] == ["NEW"]
    assert (planned["after", -1].outcome, planned["after", -1].waits_for) == ("depends", ("mapped",))


def test_a_conf_that_is_not_understood(pipeline):
    """The same error as in a run."""
    pipeline.run()
    planned = plan(pipeline, mlpipe={"refresh": ["tarin"]})
    assert "names no task of this DAG" in str(planned["train"].reasons[0])


def test_an_invalid_parameter_is_airflows_error(run_dag):
    """A value that Airflow would refuse in a run is refused here."""
    from airflow.sdk.exceptions import ParamValidationError

    dag = run_dag.parse(
        """
from airflow_mlpipe import CommandStep
with DAG("strict", schedule=None, params={"n": Param(1, type="integer")}):
    CommandStep(task_id="step", command=["true", "{{ params.n }}"])
"""
    )
    with pytest.raises(ParamValidationError):
        plan_dag(dag, {"n": "many"})
