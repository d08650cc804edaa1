"""DataTransferStep in real DAG runs: journeys, reuse, edges, and what is told of them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from servers import s3  # noqa: F401 - a fixture

from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.operators.decide import Execute, Wait
from airflow_mlpipe.operators.plan import Plan, plan_dag
from airflow_mlpipe.operators.transferring import decide_in, lease_of

HEAD = """
from airflow_mlpipe import *
lake = Datastore("lake", url="file://{root}/lake")
shelf = Datastore("shelf", url="file://{root}/shelf")
"""
CHAIN = (
    HEAD
    + """
there = PipelineData("there", datastore=shelf, path="in/{{dag}}")
out = PipelineData("out", kind="file")
with DAG("chain", schedule=None, params={{"mode": "copy", "dry": False, "day": "one"}}):
    bring = DataTransferStep(
        task_id="bring", source=DataReference(lake, "raw/{{{{ params.day }}}}/"), destination=there,
        mode="{{{{ params.mode }}}}", dry_run="{{{{ params.dry }}}}", exclude=["*.tmp"],
    )
    ScriptStep(task_id="read", script_name="read.py", arguments=[there, out], inputs=[there], outputs=[out])
    DataTransferStep(task_id="carry", source=out, destination=DataReference(shelf, "reports/", name="carried"))
"""
)
READ = {
    "read.py": """
    import pathlib, sys
    folder, out = map(pathlib.Path, sys.argv[1:])
    out.write_text(repr(sorted((p.name, p.read_text()) for p in folder.rglob("*") if p.is_file())))
    """
}


@pytest.fixture
def root(tmp_path):
    """The datastores' folder, with data of two days."""
    for day, text in (("one", "1"), ("two", "2")):
        folder = tmp_path / "lake" / "raw" / day
        folder.mkdir(parents=True)
        (folder / "a.csv").write_text(text)
        (folder / "b.csv").write_text("same")
        (folder / "c.tmp").write_text("scratch")
    return tmp_path


@pytest.fixture
def chain(run_dag, root):
    """Runs the chain."""
    run_dag.write(READ)

    def run(source=CHAIN, **conf):
        return run_dag(source.format(root=root), conf=conf)

    return run


def test_data_come_to_a_step_and_what_it_makes_goes_on(chain, root):
    """The edges are those of the data, and the step sees what was transferred and nothing else."""
    run = chain()
    assert run.state == "success", run.log
    assert (root / "shelf" / "reports" / "out").read_text() == "[('a.csv', '1'), ('b.csv', 'same')]"
    assert run["bring"].xcoms["there"]["path"] == "in/chain"
    assert run["bring"].reasons[0].startswith("NEW")


def test_nothing_changed_is_a_reuse_that_says_so(chain):
    """In the log, in the summary, and for what comes after."""
    chain()
    again = chain()
    assert (again.reused, again.executed) == (["bring", "carry", "read"], [])
    assert "REUSED from chain/" in again["bring"].log
    assert "nothing changed: 2 files (5 B) are at file://" in again["bring"].log


def test_what_changed_is_the_reason_and_only_it_is_sent(chain, root):
    """And a step after it executes for the same reason."""
    chain()
    (root / "lake" / "raw" / "one" / "a.csv").write_text("1+")
    (root / "lake" / "raw" / "one" / "d.csv").write_text("d")
    run = chain()
    assert run["bring"].reasons == ["INPUT source +1 ~1 (a.csv, d.csv)"]
    assert "2 files to send (3 B), 1 there already" in run["bring"].log
    assert run["read"].decision == "executed"


def test_a_touched_source_is_a_reuse(chain, root):
    """Its bytes count, and not its times."""
    chain()
    (root / "lake" / "raw" / "one" / "a.csv").touch()
    assert chain().executed == []


def test_a_changed_destination_is_repaired_and_the_reason_says_so(chain, root):
    """With the number of files, as a result that is gone."""
    chain()
    (root / "shelf" / "in" / "chain" / "a.csv").write_text("x")
    run = chain()
    assert run["bring"].reasons == ["OUTPUT_GONE there 1 file to send (1 B), 1 there already"]
    assert (root / "shelf" / "in" / "chain" / "a.csv").read_text() == "1"
    assert run["read"].decision == "reused"  # the bytes are those that it read before


def test_another_source_and_another_mode_are_reasons(chain, root):
    """And with ``sync`` the destination is the source."""
    (root / "lake" / "raw" / "one" / "only").write_text("x")
    chain()
    run = chain(day="two", mode="sync")
    assert 'PARAM mode "copy" -> "sync"' in run["bring"].reasons
    assert any(reason.startswith("INPUT source") for reason in run["bring"].reasons)
    assert sorted(p.name for p in (root / "shelf" / "in" / "chain").iterdir()) == ["a.csv", "b.csv"]


def test_a_dry_run_changes_nothing_and_skips_what_comes_after(chain, root):
    """It says what would be done."""
    chain()
    (root / "lake" / "raw" / "one" / "a.csv").write_text("new")
    before = sorted(str(p) for p in root.rglob("*"))
    run = chain(dry=True)
    assert run.states == {"bring": "success", "carry": "skipped", "read": "skipped"}
    assert run["bring"].xcoms["return_value"] == {
        "dry_run": True,
        "send": 1,
        "bytes": 3,
        "unchanged": 1,
        "delete": 0,
        "remove_from_source": 0,
    }
    assert "would send: a.csv" in run["bring"].log
    assert sorted(str(p) for p in root.rglob("*")) == before


def test_force_sends_everything_again(chain):
    """Whatever is there."""
    chain()
    run = chain(mlpipe={"refresh": ["bring"]})
    assert run["bring"].reasons[0].startswith("FORCED")
    assert "2 files to send (5 B), 0 there already" in run["bring"].log


def test_a_plan_knows_what_a_transfer_would_do(chain, root, run_dag):
    """As of any other step."""
    chain()
    dag = run_dag.parse()
    assert [step.outcome for step in plan_dag(dag)] == ["reuse"] * 3
    (root / "lake" / "raw" / "one" / "a.csv").write_text("new")
    bring, *after = plan_dag(dag)
    assert (bring.outcome, [str(r) for r in bring.reasons]) == ("execute", ["INPUT source ~1 (a.csv)"])
    assert {step.outcome for step in after} == {"depends"}


def test_what_was_sent_is_among_the_metrics_of_its_record(chain):
    """Files and bytes."""
    run = chain()
    record = Stores().workspace.records.get(run["bring"].fingerprint)
    assert record.metrics["files_sent"] == 2
    assert record.metrics["bytes_sent"] == 5
    assert record.outputs[0].digest.startswith("tree:")


MOVE = (
    HEAD
    + """
with DAG("move", schedule=None):
    step = DataTransferStep(
        task_id="move", source=DataReference(lake, "raw/one/"), destination=DataReference(shelf, "kept", name="kept"),
        mode="move",
    )
    DataTransferStep(
        task_id="next", source=step.outputs["kept"], destination=DataReference(shelf, "next", name="next"),
    )
"""
)


def test_a_move_is_done_once(chain, root):
    """The second run finds nothing to move, and reuses."""
    first = chain(MOVE)
    assert first.executed == ["move", "next"]
    assert not [p for p in (root / "lake" / "raw" / "one").rglob("*") if p.is_file()]
    assert chain(MOVE).reused == ["move", "next"]
    (root / "lake" / "raw" / "one" / "late.csv").write_text("late")
    third = chain(MOVE)
    assert third.executed == ["move", "next"]
    assert (root / "shelf" / "next" / "late.csv").read_text() == "late"
    (root / "shelf" / "kept" / "late.csv").unlink()
    log = chain(MOVE)["move"].log
    assert "WARNING: what was moved here before is gone, or changed, and the source has it no more: late.csv" in log


WRONG = (
    HEAD
    + """
out = PipelineData("out")
with DAG("wrong", schedule=None):
    CommandStep(task_id="make", command=["touch", out], outputs=[out])
    DataTransferStep(task_id="take", source=out, destination=DataReference(shelf, "x"), mode="move")
"""
)


def test_what_a_step_published_cannot_be_moved_away(chain):
    """It belongs to the workspace; no retry would help."""
    run = chain(WRONG)
    assert run["take"].state == "failed"
    assert "write mode='copy'" in run["take"].log


def test_a_missing_source_fails_with_what_was_looked_at(chain):
    """And names the step."""
    run = chain(day="never")
    assert run["bring"].state == "failed"
    assert "the data are not there" in run["bring"].log


def test_a_reference_that_nobody_published_is_not_believed(run_dag, root):
    """XCom is written by people, too: a place that a reference spells out must be one that a step recorded."""
    forged = {
        "mlpipe": "reference/1",
        "name": "x",
        "kind": "folder",
        "digest": "listing:0",
        "identity": "listing:0",
        "datastore": f"evil=file://{root}",
        "uri": "file:///",
        "size": 0,
        "files": 0,
        "path": "lake",
    }
    source = f"""
    from airflow_mlpipe import *
    with DAG("forged", schedule=None):
        @task
        def make():
            return {json.dumps(forged)}
        DataTransferStep(
            task_id="take", source=make(), destination=DataReference(Datastore("s", url="file://{root}/shelf"), "x"),
        )
    """
    run = run_dag(source)
    assert run["take"].state == "failed"
    assert "outside of this deployment" in run["take"].log


def test_a_second_transfer_to_a_destination_waits_for_the_first(chain, root, run_dag):
    """Whatever the two bring."""
    chain()
    (root / "lake" / "raw" / "one" / "a.csv").write_text("new")
    dag, stores = run_dag.parse(), Stores()
    who, other = (Producer(dag_id=name, task_id="bring", run_id="r") for name in ("chain", "other"))
    looked = Plan(dag, {}, stores).fingerprinted(dag.get_task("bring"), who)
    instance = SimpleNamespace(dag_id="chain", task_id="bring", run_id="r", map_index=-1, try_number=1)
    context = {"ti": instance, "dag_run": SimpleNamespace(conf={}), "task": dag.get_task("bring"), "dag": dag}
    lease = stores.workspace.leases.acquire(lease_of(looked.found), other)
    decision = decide_in(looked, context, stores, lease_of(looked.found))
    assert isinstance(decision, Wait)
    assert decision.busy.owner == other
    lease.release()
    assert isinstance(decide_in(looked, context, stores, lease_of(looked.found)), Execute)


def test_a_bucket_is_a_destination_like_any_other(run_dag, root, s3, monkeypatch):  # noqa: F811
    """Through an Airflow connection, and a step reads from there."""
    url = s3.config().url
    extra = {"url": url, "endpoint_url": s3.endpoint, "region": "us-east-1"}
    connection = {"conn_type": "mlpipe_datastore", "login": "testing", "password": "testing", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_BUCKET", json.dumps(connection))
    run_dag.write(READ)
    source = CHAIN.format(root=root).replace(f'Datastore("shelf", url="file://{root}/shelf")', 'Datastore("bucket")')
    first = run_dag(source)
    assert first.state == "success", first.log
    assert run_dag(source).executed == []
    assert first["carry"].xcoms["carried"]["uri"].startswith("s3://")
