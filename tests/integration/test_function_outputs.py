"""What is said of a function's outputs by name: copies, datastores, assets, volatile parts, optional ones."""

from __future__ import annotations

import json

import pytest

FILE = "pipeline.py"

PIPELINE = """
    from __future__ import annotations
    import pendulum
    from airflow.sdk import dag
    from airflow_mlpipe import Datastore, Outputs, PipelineData, Volatile, step
    from pathlib import Path

    lake = Datastore("lake", url="@LAKE@")

    @step(
        outputs=[
            PipelineData("metrics", datastore=lake, path="reports/{task}.json", asset="fn/metrics"),
            PipelineData("log", volatile=[Volatile("log.txt", r"run \\d+")]),
            PipelineData("report", optional=True),
        ]
    )
    def fit(rate: int) -> Outputs(model=int, metrics=dict, log=Path, report=str):
        Path("log.txt").write_text("run 1")
        return Outputs(model=rate, metrics={"rate": 1}, log=Path("log.txt"))

    @step(outputs=[PipelineData("value", path="copies/{map}")])
    def doubled(x: int) -> int:
        return 2 * x

    @step
    def told(metrics: dict, report: str | None, log: Path) -> list:
        return [metrics["rate"], report, log.read_text()[:3]]

    @dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1))
    def outputs():
        fitted = fit(1)
        told(fitted.metrics, fitted.report, fitted.log)
        fit.override(task_id="again")(2)
        doubled.expand(x=[1, 2])

    outputs()
    """


@pytest.fixture
def lake(tmp_path):
    """The folder of the datastore."""
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


def asset_events():
    """How often the asset was updated."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return len(session.scalars(query.where(AssetModel.name == "fn/metrics")).all())


def test_outputs_have_the_options_that_are_said_by_name(run_dag, lake):
    """A copy at a path, bytes in a datastore, an asset's event, an identity without volatile parts, one left out."""
    text = PIPELINE.replace("@LAKE@", lake.as_uri())
    before = asset_events()
    run = run_dag(files={FILE: text})
    assert set(run.states.values()) == {"success"}, run.log
    assert run["told"].xcoms["return_value"] == [1, None, "run"]
    assert json.loads((lake / "reports" / "fit.json").read_text()) == {"rate": 1}
    assert run["fit"].xcoms["metrics"]["datastore"].startswith("lake=")
    assert run["fit"].xcoms["model"] == 1, "of which nothing is said, it stays a small value"
    copies = run_dag.workspace / "outputs" / "copies"
    assert [(copies / name).read_text() for name in ("0", "1")] == ["2", "4"]
    assert asset_events() == before + 2, "of fit and of again"

    changed = run_dag(files={FILE: text.replace('write_text("run 1")', 'write_text("run 2")')})
    assert changed.executed == ["again", "fit"], "the volatile part changed: what follows is reused"
    assert asset_events() == before + 2, "the same bytes update no asset"


def test_a_small_value_of_which_bytes_are_wanted_later_is_made_again_as_a_file(run_dag, lake):
    """The fingerprint does not change with options; the plan says it, and one execution mends it."""
    from airflow_mlpipe.operators.plan import plan_dag

    text = PIPELINE.replace("@LAKE@", lake.as_uri())
    run_dag(files={FILE: text.replace('@step(outputs=[PipelineData("value", path="copies/{map}")])', "@step")})
    run_dag.write({FILE: text})
    planned = [str(s.reasons[0]) for s in plan_dag(run_dag.parse()) if s.task_id == "doubled"]
    again = run_dag()
    assert again.executed == ["doubled[0]", "doubled[1]"]
    assert planned == ["OUTPUT_GONE value it is recorded as a small value"] * 2
    assert again["doubled", 0].reasons == planned[:1]
    assert run_dag().executed == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('PipelineData("log",', 'PipelineData("logs",', "declares no such output.*logs.*model.*metrics.*log.*report"),
        ('PipelineData("value",', 'PipelineData("result",', "declares no such output.*result"),
        (
            'PipelineData("report", opt',
            'PipelineData("report", kind="file", opt',
            "the type of what a function returns",
        ),
        ('PipelineData("value", path', 'PipelineData("value", optional=True, path', "one result is not optional"),
    ],
)
def test_a_mistake_in_the_outputs_is_an_error_at_parse(run_dag, lake, old, new, words):
    """It names the output, and those that the function declares."""
    text = PIPELINE.replace("@LAKE@", lake.as_uri())
    assert old in text
    run_dag.write({FILE: text.replace(old, new)})
    with pytest.raises(AssertionError, match=f"(?s){words}"):
        run_dag.parse()
