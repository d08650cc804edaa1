"""The battery: failures, edits while a step runs, and several runs at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from support.battery import Pipeline, output_path

from tools.airflow_embedded import wait_for


@pytest.fixture
def pipeline(run_dag, tmp_path):
    """A pipeline that has not run yet."""
    return Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()


def records(pipeline):
    """The reuse records of the workspace."""
    return sorted((pipeline.run_dag.workspace / "records").rglob("*.json"))


def test_a_failure_after_a_partial_output_is_never_visible(pipeline):
    """No record, nothing for consumers; the next run executes it and is whole."""
    train = (pipeline.scripts / "train.py").read_text()
    (pipeline.scripts / "train.py").write_text(train + "raise SystemExit('broken after writing')\n")
    failed = pipeline.run()
    assert failed.states == {"prepare": "success", "train": "failed"}
    assert "model" not in failed["train"].xcoms
    assert len(records(pipeline)) == 1
    assert pipeline.run()["train"].state == "failed", "not reused"
    (pipeline.scripts / "train.py").write_text(train)
    fixed = pipeline.run()
    assert fixed.executed == ["train"]
    assert pipeline.model() == "rate=1 rows=a.csv - 1;b.csv - 22;deep/c.csv - 333"
    scratch = pipeline.run_dag.workspace.parent / "scratch"
    assert not list(scratch.iterdir()), "the folders of attempts are gone"


def test_a_failure_between_two_outputs_publishes_neither(run_dag):
    """One of two declared outputs is not enough; what is there is no one's."""
    source = """
from airflow_mlpipe import PipelineData, ScriptStep
with DAG("two", schedule=None):
    a, b = PipelineData("a", kind="file"), PipelineData("b", kind="file")
    ScriptStep(task_id="step", script_name="step.py", outputs=[a, b], arguments=[a, b])
"""
    run = run_dag(source, files={"step.py": "import sys; open(sys.argv[1], 'w').write('1')"})
    assert run["step"].state == "failed"
    assert not {"a", "b", "return_value"} & set(run["step"].xcoms)
    assert not list((run_dag.workspace / "records").rglob("*.json"))


def test_an_input_that_is_modified_during_the_run_is_not_published(pipeline):
    """The result belongs to neither version; the step fails, and the next run is right."""
    prepare = (pipeline.scripts / "prepare.py").read_text()
    (pipeline.scripts / "prepare.py").write_text(prepare + f"open({str(pipeline.raw / 'a.csv')!r}, 'w').write('9')\n")
    failed = pipeline.run()
    assert failed["prepare"].state == "failed"
    assert "the input changed while the step ran; its result is not published" in failed["prepare"].log
    assert "input 'raw'" in failed["prepare"].log
    assert "fix: run the step again when nobody writes its input" in failed["prepare"].log
    assert any(reason.startswith("INPUT_CHANGED_DURING_RUN") for reason in failed["prepare"].reasons)
    assert not records(pipeline)
    (pipeline.scripts / "prepare.py").write_text(prepare)
    assert pipeline.run().executed == ["prepare", "train"]
    assert "a.csv - 9" in pipeline.model()


def test_an_input_file_that_appears_during_the_run_is_seen(pipeline):
    """Not only edits: a new member is another folder."""
    prepare = (pipeline.scripts / "prepare.py").read_text()
    (pipeline.scripts / "prepare.py").write_text(prepare + f"open({str(pipeline.raw / 'new.csv')!r}, 'w').write('9')\n")
    assert pipeline.run()["prepare"].state == "failed"
    assert not records(pipeline)


def test_a_program_that_writes_to_its_input_from_upstream_is_refused(pipeline):
    """The next consumer gets the bytes that were published."""
    train = (pipeline.scripts / "train.py").read_text()
    (pipeline.scripts / "train.py").write_text(
        "import os, sys\nos.chmod(sys.argv[1], 0o755)\nos.chmod(sys.argv[1] + '/rows.txt', 0o644)\n"
        "open(sys.argv[1] + '/rows.txt', 'a').write('tampered')\n" + train
    )
    failed = pipeline.run()
    assert failed["train"].state == "failed"
    assert "an input was written to while the step ran" in failed["train"].log
    (pipeline.scripts / "train.py").write_text(train)
    assert pipeline.run().executed == ["train"]
    assert "tampered" not in pipeline.model()


def test_a_step_that_is_not_deterministic_keeps_its_first_result(run_dag):
    """A second execution with other bytes is told, and marked in the record."""
    source = """
from airflow_mlpipe import PipelineData, ScriptStep
with DAG("random", schedule=None):
    a = PipelineData("a", kind="file")
    ScriptStep(task_id="step", script_name="step.py", outputs=[a], arguments=[a])
"""
    files = {"step.py": "import os, sys; open(sys.argv[1], 'w').write(os.urandom(8).hex())"}
    first = run_dag(source, files=files)
    assert run_dag()["step"].xcoms["a"]["digest"] == first["step"].xcoms["a"]["digest"]
    forced = run_dag(conf={"mlpipe": {"refresh": "all"}})
    assert forced["step"].decision == "executed"
    assert "not deterministic" in forced["step"].log
    assert run_dag()["step"].xcoms["a"]["digest"] == forced["step"].xcoms["a"]["digest"]


def _compete(number: int, workspace: str, cache: str, start, results) -> None:
    """One of several workers that come with one key at one moment: decide, and execute if told to."""
    os.environ["AIRFLOW__MLPIPE__WORKSPACE"], os.environ["AIRFLOW__MLPIPE__CACHE"] = workspace, cache
    from airflow_mlpipe.fingerprint.key import KeyDocument
    from airflow_mlpipe.hooks.workspace import open_workspace
    from airflow_mlpipe.model.records import Producer, ReuseRecord
    from airflow_mlpipe.model.reuse import Reuse
    from airflow_mlpipe.operators.decide import Execute, Question, Wait, decide

    store = open_workspace()
    who = Producer(dag_id="race", task_id="step", run_id=f"run-{number}")
    key = KeyDocument(step="test")
    question = Question(step=who, key=key, reuse=Reuse(), gone=lambda _: False)
    start.wait()
    executed = 0
    while isinstance(found := decide(store, question), (Wait, Execute)):
        if isinstance(found, Execute):
            with found.lease:
                executed += 1
                with (Path(cache) / "executions").open("a") as log:
                    log.write(f"{number}\n")
                store.records.publish(ReuseRecord(fingerprint=key.fingerprint, producer=who))
            break
    results.put((number, executed, store.records.get(key.fingerprint).producer.run_id))


@pytest.mark.parametrize("workers", [2, 10])
def test_workers_that_come_at_once_execute_once(run_dag, tmp_path, workers):
    """Each of several processes decides at the same moment: one executes, and all have its result."""
    (tmp_path / "cache").mkdir()
    # Not forked from this process: its threads (servers, clients) may hold a lock that the copy would wait for forever.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["airflow_mlpipe.hooks.workspace", "airflow_mlpipe.operators.decide"])
    start, results = context.Event(), context.Queue()
    arguments = ((tmp_path / "workspace").as_uri(), str(tmp_path / "cache"), start, results)
    processes = [context.Process(target=_compete, args=(number, *arguments)) for number in range(workers)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(timeout=120)
    assert [process.exitcode for process in processes] == [0] * workers
    answers = [results.get(timeout=10) for _ in processes]
    assert sum(executed for _, executed, _ in answers) == 1
    assert len({producer for _, _, producer in answers}) == 1
    assert len((tmp_path / "cache" / "executions").read_text().splitlines()) == 1


RUN = """
    import json, os, sys
    sys.path[:0] = json.loads(sys.argv[3])
    from pathlib import Path
    import pytest
    from support.dags import DagRunner
    patch = pytest.MonkeyPatch()
    # The least that a wait may be is longer than this test should take.
    import airflow_mlpipe.triggers.lease as lease
    lease.LEAST_SECONDS = 0.2
    runner = DagRunner(folder=Path(sys.argv[1]), workspace=Path(sys.argv[2]), monkeypatch=patch)
    if len(sys.argv) > 4:
        import threading
        while not Path(sys.argv[4]).exists():
            threading.Event().wait(0.05)
    run = runner()
    print(json.dumps({n: [t.state, t.decision, t.reasons, "WAITING for" in t.log, t.xcoms.get("model")]
                      for (n, _), t in run.tasks.items()}))
"""


def test_two_runs_at_once_execute_once(pipeline, tmp_path, airflow_home):
    """Two Airflow processes with databases of their own and one workspace: the second waits, and reuses."""
    marker = tmp_path / "training"
    (pipeline.scripts / "train.py").write_text(
        (pipeline.scripts / "train.py").read_text()
        + f"import pathlib, time\npathlib.Path({str(marker)!r}).open('a').write('x')\n"
        + f"deadline = time.monotonic() + 300\nwhile not pathlib.Path({str(tmp_path / 'go')!r}).exists() "
        + "and time.monotonic() < deadline:\n    time.sleep(0.05)\n"
    )
    pipeline.dag_id = "one"
    from support.battery import DAG_FILE

    source = DAG_FILE.replace("@LAKE@", pipeline.lake.as_uri()).replace("@DAG@", "at_once")
    pipeline.run_dag.parse(source.replace("@PREPARE@", "").replace("@TRAIN@", ""))
    path = json.dumps([str(Path(__file__).parent.parent), os.getcwd()])
    arguments = [sys.executable, "-c", dedent(RUN), str(pipeline.run_dag.folder), str(pipeline.run_dag.workspace), path]
    runs, logs = [], []
    for number, waits_for in enumerate(([], [str(marker)])):
        home = tmp_path / f"home-{number}"
        (home / "dags").mkdir(parents=True)
        # Making a database takes twenty seconds; this is one with the same tables.
        with sqlite3.connect(airflow_home / "airflow.db") as one, sqlite3.connect(home / "airflow.db") as copy:
            one.backup(copy)
        database = f"sqlite:///{home}/airflow.db"
        environment = os.environ | {"AIRFLOW_HOME": str(home), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database}
        logs.append(tmp_path / f"log-{number}")  # not a pipe: who writes more than somebody reads would wait
        with logs[-1].open("w") as log:
            runs.append(subprocess.Popen([*arguments, *waits_for], env=environment, stdout=log))
    try:
        wait_for(lambda: "WAITING for" in logs[1].read_text(), 300)
        (tmp_path / "go").touch()
        assert [run.wait(timeout=120) for run in runs] == [0, 0]
    finally:
        for run in runs:
            run.kill()
            run.wait()
    first, second = (json.loads(log.read_text().splitlines()[-1]) for log in logs)
    assert first["train"][:2] == ["success", "executed"]
    assert second["train"][:2] == ["success", "reused"]
    assert second["train"][3], "the log says whom it waited for"
    assert marker.read_text() == "x"
    assert output_path(second["train"][4]) == output_path(first["train"][4])
