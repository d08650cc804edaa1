"""The battery: what steps leave, what they are given beside their inputs, and what nobody may see."""

from __future__ import annotations

import json

from support.battery import another_machine, output_path


def text_of(task, name):
    """The bytes of an output that is a file."""
    return output_path(task.xcoms[name]).read_text()


OPTIONAL = """
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("optional", schedule=None, params={"write": "yes"}):
    always = PipelineData("always", kind="file")
    maybe, folder = PipelineData("maybe", kind="file", optional=True), PipelineData("folder", optional=True)
    ScriptStep(task_id="make", script_name="make.py", outputs=[always, maybe, folder],
               arguments=["{{ params.write }}", always, maybe, folder])
    seen = PipelineData("seen", kind="file")
    ScriptStep(task_id="use", script_name="use.py", inputs=[always, maybe, folder], outputs=[seen],
               arguments=[seen, maybe])
"""
OPTIONAL_FILES = {
    "make.py": """\
        import sys
        write, always, maybe, folder = sys.argv[1:]
        open(always, "w").write("1")
        if write == "yes":
            open(maybe, "w").write("2")
            open(folder + "/x", "w").write("3")
        """,
    "use.py": """\
        import os, sys
        names = sorted(n for n in os.environ if n.startswith("MLPIPE_INPUT_"))
        open(sys.argv[1], "w").write(f"{names} {sys.argv[2] != ''}")
        """,
}


def test_an_optional_output_that_was_not_written_is_absent_for_consumers(run_dag):
    """No path, no variable; written or not are two results, and both are reused."""
    expected = {
        "yes": "['MLPIPE_INPUT_ALWAYS', 'MLPIPE_INPUT_FOLDER', 'MLPIPE_INPUT_MAYBE'] True",
        "no": "['MLPIPE_INPUT_ALWAYS'] False",
    }
    for write, text in expected.items():
        run = run_dag(OPTIONAL, conf={"write": write}, files=OPTIONAL_FILES)
        assert run.executed == ["make", "use"], run.states
        assert text_of(run["use"], "seen") == text
    absent = run["make"].xcoms["maybe"]
    assert absent == {"mlpipe": "absent/1", "name": "maybe"}
    for write, text in expected.items():
        run = run_dag(conf={"write": write})
        assert run.reused == ["make", "use"]
        assert text_of(run["use"], "seen") == text


KINDS = """
from airflow_mlpipe import Datastore, PipelineData, ScriptStep

lake = Datastore("lake", url="@LAKE@")
with DAG("kinds", schedule=None, params={"text": "1"}):
    plot = PipelineData("plot", kind="file", filename="plot.png", datastore=lake, path="plots/{dag}/{task}.png")
    table = PipelineData("table", datastore=lake, path="tables/latest")
    per_run = PipelineData("per_run", kind="file", path="reports/{run}.txt")
    empty = PipelineData("empty")
    ScriptStep(task_id="make", script_name="make.py", outputs=[plot, table, per_run, empty],
               arguments=["{{ params.text }}", plot, table, per_run])
    ScriptStep(task_id="use", script_name="use.py", inputs=[plot, table, empty], arguments=[plot, table, empty])
"""
KINDS_FILES = {
    "make.py": """\
        import os, sys
        text, plot, table, per_run = sys.argv[1:]
        open(plot, "w").write(text)
        os.makedirs(table + "/deep/empty")
        open(table + "/deep/" + text, "w").write(text)
        open(per_run, "w").write(text)
        """,
    "use.py": """\
        import os, sys
        plot, table, empty = sys.argv[1:]
        assert os.path.basename(plot) == "plot.png", plot
        assert os.path.isdir(table + "/deep/empty")
        assert os.listdir(empty) == []
        """,
}


def test_outputs_go_where_the_author_wants_them(run_dag, tmp_path):
    """Plain copies at destination paths, also for a reused step; old members of a copy go away."""
    lake = tmp_path / "lake"
    lake.mkdir()
    first = run_dag(KINDS.replace("@LAKE@", lake.as_uri()), files=KINDS_FILES)
    assert first.executed == ["make", "use"], first.log[-3000:]
    assert (lake / "plots/kinds/make.png").read_text() == "1"
    assert f"output plot is copied to {lake.as_uri()}/plots/kinds/make.png" in first["make"].log
    assert (lake / "tables/latest/deep/1").read_text() == "1"
    reports = run_dag.workspace / "outputs" / "reports"
    assert len(list(reports.glob("*.txt"))) == 1
    (lake / "plots/kinds/make.png").unlink()
    second = run_dag()
    assert second.reused == ["make", "use"]
    assert (lake / "plots/kinds/make.png").read_text() == "1", "made again for a reused step"
    assert len(list(reports.glob("*.txt"))) == 2, "a copy for each run"
    run_dag(conf={"text": "2"})
    assert sorted(p.name for p in (lake / "tables/latest/deep").iterdir() if p.is_file()) == ["2"]
    assert (lake / "plots/kinds/make.png").read_text() == "2"


RESOURCES = """
from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep

lake = Datastore("lake", url="@LAKE@")
with DAG("resources", schedule=None):
    words, config = PipelineData("words"), DataReference(lake, "config.json", name="config")
    ScriptStep(task_id="make", script_name="make.py", outputs=[words], arguments=[words])
    out = PipelineData("out", kind="file")
    ScriptStep(task_id="use", script_name="use.py", resource_inputs=[words, config], outputs=[out], arguments=[out])
"""


def test_resource_inputs_lie_with_the_code(run_dag, tmp_path):
    """The program finds them in its folder under their names, and they count."""
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "config.json").write_text("1")
    files = {
        "make.py": "import sys; open(sys.argv[1] + '/a', 'w').write('word')",
        "use.py": "import sys; open(sys.argv[1], 'w').write(open('words/a').read() + open('config.json').read())",
    }
    first = run_dag(RESOURCES.replace("@LAKE@", lake.as_uri()), files=files)
    assert first.state == "success", first.log[-3000:]
    assert text_of(first["use"], "out") == "word1"
    assert run_dag().reused == ["make", "use"]
    (lake / "config.json").write_text("2")
    changed = run_dag()
    assert changed.executed == ["use"]
    assert changed["use"].reasons[0].startswith("INPUT config")
    assert text_of(changed["use"], "out") == "word2"


SECRETS = """
from airflow_mlpipe import PipelineData, ScriptStep
from airflow_mlpipe.model.environment import Secret

with DAG("secrets", schedule=None, params={"api_key": "none"}):
    out = PipelineData("out", kind="file")
    ScriptStep(task_id="step", script_name="step.py", outputs=[out],
               secrets={"token": Secret(variable="battery_token"), "db": Secret(connection="battery_db")},
               arguments=[out, "{{ conn.battery_db.password }}", "{{ var.value.battery_token }}"],
               parameters={"password": "{{ conn.battery_db.password }}"})
"""


def test_secrets_are_nowhere_but_in_the_programs_file(run_dag, monkeypatch, airflow_home):
    """Not in the workspace, XComs, rendered fields or the log; another value is not another step."""
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.sdk.log import redact
    from airflow.utils.session import create_session
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW_VAR_BATTERY_TOKEN", "tok-5ecret-value-1")
    monkeypatch.setenv("AIRFLOW_CONN_BATTERY_DB", "postgres://user:pa55-word-value-1@host/db")
    files = {
        "step.py": """\
            import hashlib, os, stat, sys
            path = os.environ["MLPIPE_SECRET_TOKEN"]
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            token, password = open(path).read(), open(os.environ["MLPIPE_SECRET_DB"]).read()
            assert token.startswith("tok-5ecret-value"), len(token)
            assert sys.argv[2:] == [password, token]
            assert not [v for v in os.environ.values() if token in v]
            print("the token is", token, "and", password)
            open(sys.argv[1], "w").write("done")
            """
    }
    run = run_dag(SECRETS, files=files, conf={"api_key": "k3y-value-1"})
    assert run.executed == ["step"], run["step"].log[-3000:]
    with create_session() as session:
        fields = session.scalars(
            select(RenderedTaskInstanceFields).where(RenderedTaskInstanceFields.dag_id == "secrets")
        ).all()
        rendered = json.dumps([f.rendered_fields for f in fields], default=str)
    everything = {
        "workspace": b"".join(p.read_bytes() for p in run_dag.workspace.rglob("*") if p.is_file()).decode("latin-1"),
        "cache": "".join(p.read_text("latin-1") for p in run_dag.workspace.parent.glob("cache/**/*") if p.is_file()),
        "XComs": json.dumps(dict(run["step"].xcoms)),
        "rendered fields": rendered,
        # `dag.test()` prints past the masker that a worker's log goes through; the masker must know the values.
        "log": redact(run["step"].log),
    }
    for value in ("tok-5ecret-value-1", "pa55-word-value-1", "k3y-value-1"):
        for place, text in everything.items():
            assert value not in text, f"{value} in {place}"
    assert "the token is" in run["step"].log
    monkeypatch.setenv("AIRFLOW_VAR_BATTERY_TOKEN", "tok-5ecret-value-2")
    monkeypatch.setenv("AIRFLOW_CONN_BATTERY_DB", "postgres://user:pa55-word-value-2@host/db")
    assert run_dag(conf={"api_key": "k3y-value-1"}).reused == ["step"]


VOLATILE = """
from airflow_mlpipe import PipelineData, ScriptStep
from airflow_mlpipe.model.data import Volatile

with DAG("volatile", schedule=None):
    model = PipelineData("model", volatile=[@VOLATILE@])
    ScriptStep(task_id="train", script_name="train.py", outputs=[model], arguments=[model])
    out = PipelineData("out", kind="file")
    ScriptStep(task_id="score", script_name="score.py", inputs=[model], outputs=[out], arguments=[model, out])
"""


def test_volatile_parts_of_an_output_keep_its_consumers(run_dag):
    """A uuid in one file and a log that differs each time: declared, they do not count; undeclared, they do."""
    files = {
        "train.py": """\
            import os, sys, uuid
            root = sys.argv[1]
            os.makedirs(root + "/logs")
            open(root + "/MLmodel", "w").write(f"kind: tree\\nmodel_uuid: {uuid.uuid4()}\\n")
            open(root + "/logs/run.log", "w").write(str(uuid.uuid4()))
            open(root + "/weights", "w").write("1 2 3")
            """,
        "score.py": "import sys; open(sys.argv[2], 'w').write(open(sys.argv[1] + '/weights').read())",
    }
    declared = VOLATILE.replace("@VOLATILE@", "Volatile('MLmodel', r'model_uuid: \\S+'), Volatile('*.log')")
    first = run_dag(declared, files=files)
    assert first.executed == ["score", "train"], first.log[-3000:]
    again = run_dag(conf={"mlpipe": {"refresh": ["train"]}})
    assert (again.executed, again.reused) == (["train"], ["score"])
    assert again["train"].xcoms["model"]["identity"] == first["train"].xcoms["model"]["identity"]
    undeclared = run_dag(VOLATILE.replace("@VOLATILE@", ""))
    assert undeclared.executed == ["score", "train"]
    assert run_dag(conf={"mlpipe": {"refresh": ["train"]}}).executed == ["score", "train"]


RESULTS = """
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("results", schedule=None):
    ScriptStep(task_id="step", script_name="step.py", parameters={"a": [1, {"b": None}], "text": "ä"})
    ScriptStep(task_id="quiet", script_name="quiet.py", do_xcom_push=False)
"""


def test_results_metrics_and_parameters(run_dag, tmp_path):
    """JSON to XCom, metrics to the record, parameters from a file: executed and reused alike, on any machine."""
    files = {
        "step.py": """\
            import json, os
            given = json.load(open(os.environ["MLPIPE_PARAMS"]))
            json.dump({"given": given, "n": 1.5}, open(os.environ["MLPIPE_RESULT"], "w"))
            with open(os.environ["MLPIPE_METRICS"], "a") as metrics:
                for step in range(3):
                    metrics.write(json.dumps({"name": "loss", "value": 1 / (step + 1), "step": step}) + "\\n")
                metrics.write("no json\\n")
            """,
        "quiet.py": "import os; open(os.environ['MLPIPE_RESULT'], 'w').write('1')",
    }
    expected = {"given": {"a": [1, {"b": None}], "text": "ä"}, "n": 1.5}
    first = run_dag(RESULTS, files=files)
    assert first["step"].xcoms["return_value"] == expected
    assert "return_value" not in first["quiet"].xcoms
    assert "line 4 of MLPIPE_METRICS is left out" in first["step"].log
    another_machine(run_dag, tmp_path / "other")
    second = run_dag()
    assert second.reused == ["quiet", "step"]
    assert second["step"].xcoms["return_value"] == expected
    assert "return_value" not in second["quiet"].xcoms
    (record,) = [p for p in (run_dag.workspace / "records").rglob("*.json") if "loss" in p.read_text()]
    assert json.loads(record.read_text())["metrics"] == {"loss": 1 / 3}
