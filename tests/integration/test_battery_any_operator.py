"""The battery: reuse for operators that are not ours, through `pre_execute=reuse_unchanged(...)`."""

from __future__ import annotations

import sys

BASH = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow_mlpipe import DataReference, Datastore, Reuse, reuse_unchanged

lake = Datastore("lake", url="@LAKE@")
raw, out = DataReference(lake, "raw.csv", name="raw"), DataReference(lake, "out.csv", name="out")
with DAG("bash", schedule=None, params={"word": "a", "batch": 1, "other": 1}):
    first = BashOperator(
        task_id="first", bash_command="echo 'I run'; cp @ROOT@/raw.csv @ROOT@/out.csv; echo {{ params.word }}",
        pre_execute=reuse_unchanged(inputs=[raw], outputs=[out], params=["batch"], version="@VERSION@"),
    )
    second = BashOperator(task_id="second", bash_command="echo 'I run'; echo got {{ ti.xcom_pull('first') }}",
                          pre_execute=reuse_unchanged())
    first >> second
"""


def test_a_bash_operator_is_reused(run_dag, tmp_path):
    """Rendered fields, inputs, outputs, parameters and version count; its XCom comes back."""
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "raw.csv").write_text("1")
    source = BASH.replace("@LAKE@", lake.as_uri()).replace("@ROOT@", str(lake))
    text = source.replace("@VERSION@", "1")
    first = run_dag(text)
    assert first.executed == ["first", "second"], first.log[-3000:]
    assert first["first"].reasons == ["NEW"]
    again = run_dag(conf={"other": 2})
    assert again.reused == ["first", "second"]
    assert "I run" not in again["first"].log
    assert again["first"].xcoms["return_value"] == "a"
    assert again["second"].xcoms["return_value"] == "got a"
    assert "REUSED from bash/" in again["first"].log
    changed = run_dag(conf={"word": "b"})
    assert changed.executed == ["first", "second"]
    assert changed["second"].xcoms["return_value"] == "got b"
    assert any("bash_command" in reason for reason in changed["first"].reasons)
    last = {"word": "b", "batch": 2}
    changed = run_dag(conf=last)
    assert (changed.executed, changed.reused) == (["first"], ["second"])
    assert changed["first"].reasons == ["PARAM batch 1 -> 2"]
    (lake / "raw.csv").write_text("2")
    changed = run_dag(conf=last)
    assert changed.executed == ["first"]
    assert changed["first"].reasons[0].startswith("INPUT raw")
    (lake / "out.csv").write_text("tampered")
    healed = run_dag(conf=last)
    assert healed.executed == ["first"]
    assert healed["first"].reasons == ["OUTPUT_GONE out"]
    assert run_dag(source.replace("@VERSION@", "2"), conf=last).executed == ["first"]
    assert run_dag(conf=last | {"mlpipe": {"refresh": ["first"]}}).executed == ["first"]


def test_a_failed_operator_records_nothing(run_dag, tmp_path):
    """The next run executes it again; its lease is free at once."""
    source = f"""
from airflow.providers.standard.operators.bash import BashOperator
from airflow_mlpipe import reuse_unchanged

with DAG("failing", schedule=None):
    BashOperator(task_id="step", bash_command="test -e {tmp_path}/fine", pre_execute=reuse_unchanged())
"""
    assert run_dag(source)["step"].state == "failed"
    (tmp_path / "fine").touch()
    assert run_dag()["step"].decision == "executed"
    assert run_dag()["step"].decision == "reused"


TASKS = """
from airflow_mlpipe import reuse_unchanged
import helper

with DAG("tasks", schedule=None, params={"names": ["x", "y"]}):

    @task(pre_execute=reuse_unchanged(), multiple_outputs=True)
    def load(factor: int):
        print("I run: load")
        return {"rows": [1 * factor, 2 * factor], "name": helper.name()}

    @task(pre_execute=reuse_unchanged())
    def names(params=None):
        print("I run: names")
        return list(params["names"])

    @task(pre_execute=reuse_unchanged())
    def train(name, rows):
        print("I run: train", name)
        return f"{name}:{sum(rows)}"

    @task
    def gather(models):
        return sorted(models)

    loaded = load(2)
    gather(train.partial(rows=loaded["rows"]).expand(name=names()))
"""
HELPER = "def name():\n    return 'digits'\n"


def test_decorated_tasks_mapped_and_with_several_outputs(run_dag):
    """Each key of `multiple_outputs`, lengths for `expand`, each mapped instance, and the code of the function."""
    first = run_dag(TASKS, files={"helper.py": HELPER})
    assert first.state == "success", first.log[-3000:]
    assert first["gather"].xcoms["return_value"] == ["x:6", "y:6"]
    again = run_dag()
    assert again.state == "success", again.log[-3000:]
    assert again.reused == ["load", "names", "train[0]", "train[1]"]
    assert "I run" not in "".join(t.log for t in again.tasks.values())
    assert again["load"].xcoms["rows"] == [2, 4]
    assert again["load"].xcoms["name"] == "digits"
    assert again["load"].xcoms["return_value"] == {"rows": [2, 4], "name": "digits"}
    assert again["gather"].xcoms["return_value"] == ["x:6", "y:6"]
    other = run_dag(TASKS.replace("load(2)", "load(3)"))
    assert other["gather"].xcoms["return_value"] == ["x:9", "y:9"]
    assert other.reused == ["names"]
    edited = run_dag(TASKS.replace("{sum(rows)}", "{max(rows)}"))
    assert edited.executed == ["train[0]", "train[1]"]
    assert edited["gather"].xcoms["return_value"] == ["x:4", "y:4"]
    assert any("train()" in reason for reason in edited["train", 0].reasons)
    sys.modules.pop("helper")  # a worker's process is a new one each time
    helped = run_dag(TASKS, files={"helper.py": HELPER.replace("digits", "letters")})
    assert "load" in helped.executed
    assert helped["load"].xcoms["name"] == "letters"


def test_a_task_that_takes_a_steps_output(run_dag):
    """A hook's fingerprint holds what a reference stands for, not where it lies."""
    source = """
from airflow_mlpipe import PipelineData, ScriptStep, reuse_unchanged

with DAG("mixed", schedule=None, params={"n": 1}):
    out = PipelineData("out", kind="file")
    make = ScriptStep(task_id="make", script_name="make.py", outputs=[out], arguments=[out, "{{ params.n }}"])

    @task(pre_execute=reuse_unchanged())
    def measure(reference):
        return reference["size"]

    measure(make.outputs["out"])
"""
    files = {"make.py": "import sys; open(sys.argv[1], 'w').write('x' * (int(sys.argv[2]) // 10))"}
    assert run_dag(source, files=files).executed == ["make", "measure"]
    changed = run_dag(conf={"n": 2})
    assert (changed.executed, changed.reused) == (["make"], ["measure"]), "the same bytes"
    changed = run_dag(conf={"n": 10})
    assert changed.executed == ["make", "measure"]
    assert changed["measure"].xcoms["return_value"] == 1


def test_what_cannot_be_compared_always_executes_and_says_why(run_dag):
    """A value without a canonical form, and a result that JSON does not bring back."""
    source = """
from airflow_mlpipe import reuse_unchanged
from datetime import date

class Odd:
    def __repr__(self):
        return "Odd()"

with DAG("odd", schedule=None):

    @task(pre_execute=reuse_unchanged())
    def takes(value):
        return 1

    takes(Odd())
"""
    for _ in range(2):
        run = run_dag(source)
        assert run["takes"].decision == "executed", run.log[-3000:]
        (reason,) = run["takes"].reasons
        assert reason.startswith("UNCACHEABLE ")
        assert "Odd" in reason


def test_secrets_of_another_operator_are_not_recorded(run_dag, monkeypatch):
    """A rendered field that holds a secret counts by its place; its value is nowhere in the workspace."""
    monkeypatch.setenv("AIRFLOW_CONN_BATTERY_BASH", "postgres://user:pa55-of-bash@host/db")
    source = """
from airflow.providers.standard.operators.bash import BashOperator
from airflow_mlpipe import reuse_unchanged

with DAG("secretive", schedule=None):
    BashOperator(task_id="step", bash_command="echo '{{ conn.battery_bash.password }}' | wc -c", do_xcom_push=False,
                 pre_execute=reuse_unchanged())
"""
    assert run_dag(source)["step"].decision == "executed"
    assert run_dag()["step"].decision == "reused"
    for path in run_dag.workspace.rglob("*"):
        assert not path.is_file() or b"pa55-of-bash" not in path.read_bytes(), path
