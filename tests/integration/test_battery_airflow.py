"""The battery: a reused step is, for everything around it in Airflow, what an executed one is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from support.battery import output_path

PROGRAMS = {
    "split.py": """\
        import json, os, sys
        print("I run: split")
        json.dump(json.loads(sys.argv[1]), open(os.environ["MLPIPE_RESULT"], "w"))
        """,
    "write.py": """\
        import sys
        print("I run: write")
        open(sys.argv[1], "w").write(" ".join(sys.argv[2:]))
        """,
    "gather.py": """\
        import os, sys
        print("I run: gather")
        source, target = sys.argv[1:]
        names = sorted(os.listdir(source))
        open(target, "w").write("|".join(open(os.path.join(source, n)).read() for n in names))
        """,
    "fail.py": "import sys; sys.exit('I fail')",
}


def text_of(task, name):
    """The bytes of an output that is a file."""
    return output_path(task.xcoms[name]).read_text()


MAPPED = """
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("mapped", schedule=None, params={"words": [["a"], ["b"], ["c"]]}):
    piece, all_of_it = PipelineData("piece", kind="file", filename="piece.txt"), PipelineData("all", kind="file")
    each = PipelineData("each", kind="file")
    split = ScriptStep(task_id="split", script_name="split.py", arguments=["{{ params.words | tojson }}"])
    write = ScriptStep.partial(task_id="write", script_name="write.py", outputs=[piece]).expand_kwargs(
        split.output.map(lambda words: {"arguments": [{"output": "piece"}, *words]}))
    more = ScriptStep.partial(task_id="more", script_name="gather.py", outputs=[each],
                              arguments=["{{ '.' }}", each]).expand(inputs=write.output)
    ScriptStep(task_id="gather", script_name="gather.py", inputs=[piece], outputs=[all_of_it],
               arguments=[piece, all_of_it])
"""


def test_mapped_instances_decide_each_for_itself(run_dag):
    """Lengths of a reused step are there, one new value executes one instance, fan-in gathers in order."""
    first = run_dag(MAPPED, files=PROGRAMS)
    assert first.state == "success", first.log[-3000:]
    assert {"write[0]", "write[1]", "write[2]", "gather", "split"} <= set(first.executed)
    assert text_of(first["gather"], "all") == "a|b|c"
    second = run_dag()
    assert not second.executed
    assert {"write[0]", "write[1]", "write[2]", "gather", "split"} <= set(second.reused)
    assert text_of(second["gather"], "all") == "a|b|c"
    assert second["write", 1].step["origin"] == f"mapped/{first.run_id}/write[1]"
    third = run_dag(conf={"words": [["a"], ["new"], ["c"], ["d"]]})
    assert {"split", "write[1]", "write[3]", "gather"} <= set(third.executed)
    assert {"write[0]", "write[2]"} <= set(third.reused)
    assert text_of(third["gather"], "all") == "a|new|c|d"
    assert third["gather"].reasons == ["INPUT piece +1 ~1 (00001, 00003)"] or third["gather"].reasons[0].startswith(
        "INPUT piece"
    )
    order = run_dag(conf={"words": [["c"], ["a"], ["b"]]})
    assert {"write[0]", "write[1]", "write[2]"} <= set(order.reused), "values that moved to another index"
    assert text_of(order["gather"], "all") == "c|a|b"


EXPAND = """
from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep

with DAG("expand", schedule=None):
    made, copied, pair = (PipelineData(n, kind="file") for n in ("made", "copied", "pair"))
    write = ScriptStep.partial(task_id="write", script_name="write.py", outputs=[made]).expand(
        arguments=[[made, "x"], [made, "y"]])
    copy = ScriptStep.partial(task_id="copy", script_name="copy.py", outputs=[copied],
                              arguments=[made, copied]).expand(inputs=write.output)

    @task
    def plan():
        return [["1"], ["2"], ["3"]]

    ScriptStep.partial(task_id="planned", script_name="split.py").expand(arguments=plan())
    ScriptStep(task_id="both", script_name="gather.py", inputs={"all": [copied, made]}, outputs=[pair],
               arguments=[{"input": "all"}, pair])
"""


def test_every_form_of_expand_runs_and_is_reused(run_dag):
    """Literal lists with data, another step's outputs, a task's list; a list of mapped outputs gathers them all."""
    files = PROGRAMS | {"copy.py": "import shutil, sys\nprint('I run: copy')\nshutil.copy(*sys.argv[1:])\n"}
    first = run_dag(EXPAND, files=files)
    assert first.state == "success", str(first.states)
    assert [text_of(first["copy", i], "copied") for i in (0, 1)] == ["x", "y"]
    assert [first["planned", i].xcoms["return_value"] for i in (0, 1, 2)] == [1, 2, 3]
    assert text_of(first["both"], "pair") == "x|y|x|y"
    second = run_dag()
    assert second.state == "success"
    assert not second.executed
    assert second.reused == first.executed
    assert [second["planned", i].xcoms["return_value"] for i in (0, 1, 2)] == [1, 2, 3]


GROUPS = """
from airflow.sdk import task_group
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("groups", schedule=None, params={"rates": [1, 2]}):

    @task
    def rates(params=None):
        return params["rates"]

    @task
    def settings():
        return {"depth": 3}

    @task_group
    def train(rate):
        made = PipelineData("made", kind="file")
        scored = PipelineData("scored", kind="file")
        ScriptStep(task_id="fit", script_name="write.py", arguments=[made, "model", rate], outputs=[made])
        ScriptStep(task_id="score", script_name="score.py", inputs=[made], arguments=[made, scored], outputs=[scored],
                   parameters={"settings": settings()})
        return scored

    best = PipelineData("best", kind="file")
    ScriptStep(task_id="choose", script_name="gather.py", inputs={"all": train.expand(rate=rates())},
               arguments=[{"input": "all"}, best],
               outputs=[best])
"""


def test_a_mapped_task_group(run_dag):
    """Each instance of the group has its own edges and decisions; values of tasks are parameters with their types."""
    files = PROGRAMS | {
        "score.py": """\
            import json, os, sys
            given = json.load(open(os.environ["MLPIPE_PARAMS"]))["settings"]
            print("I run: score")
            open(sys.argv[2], "w").write(f"{open(sys.argv[1]).read()} {given['depth'] + 1}")
            """
    }
    first = run_dag(GROUPS, files=files)
    assert first.state == "success", str(first.states) + first.log[-3000:]
    assert text_of(first["choose"], "best") == "model 1 4|model 2 4"
    assert not run_dag().executed
    changed = run_dag(conf={"rates": [1, 5]})
    assert changed.executed == ["choose", "train.fit[1]", "train.score[1]"]
    assert text_of(changed["choose"], "best") == "model 1 4|model 5 4"


AROUND = """
from pathlib import Path
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow_mlpipe import PipelineData, ScriptStep

def note(what):
    def write(context):
        with open(Path(__file__).parent / "notes", "a") as notes:
            notes.write(f"{what} {context['ti'].task_id}\\n")
    return write

with DAG("around", schedule=None, params={"word": "one"}, on_success_callback=None):
    out = PipelineData("out", kind="file", asset="file:///battery/out")
    step = ScriptStep(task_id="step", script_name="write.py", outputs=[out], arguments=[out, "{{ params.word }}"],
                      on_success_callback=note("success"), on_execute_callback=note("execute"))
    for rule in ("all_success", "none_failed", "all_done", "one_success", "none_skipped", "all_done_min_one_success"):
        step >> EmptyOperator(task_id=rule, trigger_rule=rule)
    one_failed = EmptyOperator(task_id="one_failed", trigger_rule="one_failed")
    step >> one_failed

    @task
    def read(reference):
        return reference["digest"]

    read(step.outputs["out"])

    @task.branch
    def choose(value):
        return "left" if value else "right"

    choose(step.output) >> [EmptyOperator(task_id="left"), EmptyOperator(task_id="right")]
"""


def asset_events():
    """How many events Airflow has of the battery's asset, and the last one's extra."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(
            select(AssetEvent)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetModel.uri == "file:///battery/out")
            .order_by(AssetEvent.id)
        ).all()
        return len(found), found[-1].extra if found else None


def test_what_follows_a_reused_step_sees_a_success(run_dag):
    """XComs, link, trigger rules, branches and the success callback; an asset event for new bytes only."""
    before, _ = asset_events()
    first = run_dag(AROUND, files=PROGRAMS)
    after_first, extra = asset_events()
    assert after_first == before + 1
    assert extra["digest"] == first["step"].xcoms["out"]["digest"]
    second = run_dag()
    assert second["step"].decision == "reused"
    assert second.states == first.states
    assert second["step"].state == "success"
    assert second["left"].state == "success"
    assert second["right"].state == "skipped"
    assert second["one_failed"].state == "skipped"
    for key in ("out", "return_value"):
        assert second["step"].xcoms[key] == first["step"].xcoms[key]
    assert second["read"].xcoms["return_value"] == first["step"].xcoms["out"]["digest"]
    link = second["step"].xcoms["_link_OriginLink"]
    assert "/dags/around/runs/" in link
    assert link == first["step"].xcoms["_link_OriginLink"]
    assert asset_events()[0] == after_first, "no event when it was reused"
    notes = (run_dag.folder / "notes").read_text().splitlines()
    assert notes == ["execute step", "success step", "success step"]
    run_dag(conf={"word": "two"})
    assert asset_events()[0] == after_first + 1, "new bytes"
    run_dag(conf={"word": "two", "mlpipe": {"refresh": "all"}})
    assert asset_events()[0] == after_first + 1, "executed, and the same bytes as before"


SETUP = """
from pathlib import Path
from airflow_mlpipe import CommandStep, PipelineData, ScriptStep

with DAG("resources", schedule=None, params={"fail": False}):
    out = PipelineData("out", kind="file")

    @task
    def start():
        (Path(__file__).parent / "started").touch()

    @task
    def stop():
        (Path(__file__).parent / "started").unlink()

    script = "fail.py" if (Path(__file__).parent / "broken").exists() else "write.py"
    work = ScriptStep(task_id="work", script_name=script, outputs=[out], arguments=[out])
    begin = start()
    begin >> work >> stop().as_teardown(setups=begin)
"""


def test_a_step_between_setup_and_teardown(run_dag):
    """Teardown runs after a reused step and after a failed one."""
    for expected in ("executed", "reused"):
        run = run_dag(SETUP, files=PROGRAMS)
        assert (run["work"].decision, run["stop"].state) == (expected, "success")
        assert not (run_dag.folder / "started").exists()
    (run_dag.folder / "broken").touch()
    run = run_dag(SETUP)
    assert (run["work"].state, run["stop"].state, run.state) == ("failed", "success", "failed")


RETRIES = """
from datetime import timedelta
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("retries", schedule=None):
    out = PipelineData("out")
    ScriptStep(task_id="flaky", script_name="flaky.py", outputs=[out], arguments=[out], retries=2,
               retry_delay=timedelta(0))
    ScriptStep(task_id="after", script_name="list.py", inputs=[out], arguments=[out])
"""


def test_a_retry_starts_from_an_empty_output_folder(run_dag, tmp_path):
    """What a failed attempt wrote is not there, and not in the result; checkpoints are."""
    files = {
        "flaky.py": f"""\
            import os, pathlib, sys
            out, tries = pathlib.Path(sys.argv[1]), pathlib.Path({str(tmp_path / "tries")!r})
            checkpoint = pathlib.Path(os.environ["MLPIPE_CHECKPOINT_DIR"]) / "state"
            assert not list(out.iterdir()), list(out.iterdir())
            number = len(tries.read_text()) if tries.exists() else 0
            assert checkpoint.exists() == (number > 0)
            tries.write_text("x" * (number + 1))
            checkpoint.touch()
            (out / f"try-{{number}}").touch()
            sys.exit(0 if number == 2 else 3)
            """,
        "list.py": "import os, sys; print('LISTED', os.listdir(sys.argv[1]))",
    }
    run = run_dag(RETRIES, files=files)
    assert run.state == "success", run.log[-3000:]
    assert "LISTED ['try-2']" in run["after"].log
    assert run["flaky"].log.count("EXECUTED because") == 3
    assert "exit code 3" in run["flaky"].log
    assert run_dag().reused == ["after", "flaky"]


TIMEOUT = """
from datetime import timedelta
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("slow", schedule=None):
    out = PipelineData("out", kind="file")
    ScriptStep(task_id="slow", script_name="slow.py", outputs=[out], arguments=[out],
               execution_timeout=timedelta(seconds=5))
"""


def test_a_time_out_ends_the_program_and_its_children(run_dag, tmp_path):
    """Nothing goes on in the background, nothing is published, and the step run says that it failed."""
    pids = tmp_path / "pids"
    files = {
        "slow.py": f"""\
            import os, subprocess, sys, time
            child = subprocess.Popen(["sleep", "600"])
            open({str(pids)!r}, "w").write(f"{{os.getpid()}} {{child.pid}}")
            open(sys.argv[1], "w").write("half")
            print("I run: slow", flush=True)
            time.sleep(600)
            """
    }
    run = run_dag(TIMEOUT, files=files)
    assert run["slow"].state == "failed"
    for pid in map(int, pids.read_text().split()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert not list((run_dag.workspace / "records").rglob("*.json"))
    from airflow_mlpipe.hooks.workspace import open_workspace

    assert [r.decision for r in open_workspace().runs.list("slow")] == ["failed"]


FORCE = """
from datetime import timedelta
from airflow_mlpipe import PipelineData, Reuse, ScriptStep

with DAG("forced", schedule=None, params={"word": "a", "log": "quiet"}):
    names = ["one", "two", "three"]
    data = {n: PipelineData(n, kind="file") for n in names}
    last = []
    for n in names:
        ScriptStep(task_id=n, script_name="write.py", inputs=last, outputs=[data[n]],
                   arguments=[data[n], "{{ params.word }}", *(["{{ params.log }}"] if n == "two" else [])],
                   reuse=@REUSE@ if n == "two" else None)
        last = [data[n]]
"""


@pytest.mark.parametrize(
    ("refresh", "executed"),
    [("all", ["one", "three", "two"]), (["two"], ["two"]), (["two+"], ["three", "two"]), (["t*"], ["three", "two"])],
)
def test_a_runs_conf_forces(run_dag, refresh, executed):
    """One step, a step and what follows, a pattern, or all; the reason is FORCED and names the entry."""
    run_dag(FORCE.replace("@REUSE@", "None"), files=PROGRAMS)
    forced = run_dag(conf={"mlpipe": {"refresh": refresh}})
    assert forced.executed == executed
    for name in executed:
        assert forced[name].reasons[0].startswith("FORCED by ")
    assert run_dag().reused == ["one", "three", "two"]


def test_a_conf_that_names_no_task_fails_every_step(run_dag):
    """A typing mistake is not a run that quietly refreshed nothing."""
    run = run_dag(FORCE.replace("@REUSE@", "None"), files=PROGRAMS, conf={"mlpipe": {"refresh": ["tow"]}})
    assert run["one"].state == "failed"
    assert "'refresh' names no task of this DAG. given: 'tow'. valid: 'one', 'three', 'two'" in run["one"].log


def test_policies(run_dag):
    """`never` records nothing, `refresh` replaces, `max_age` expires, `ignore` leaves a parameter out."""
    first = run_dag(FORCE.replace("@REUSE@", "Reuse(policy='never')"), files=PROGRAMS)
    assert first["two"].reasons == ["NEVER Reuse(policy='never')"]
    assert run_dag().executed == ["two"]
    plain = run_dag(FORCE.replace("@REUSE@", "None"))
    assert plain.executed == ["two"], "what was executed under `never` was not recorded"

    refreshed = run_dag(FORCE.replace("@REUSE@", "Reuse(policy='refresh')"))
    assert refreshed.executed == ["two"]
    assert refreshed["two"].reasons == ["FORCED by Reuse(policy='refresh')"]
    reused = run_dag(FORCE.replace("@REUSE@", "None"))
    assert reused["two"].step["origin"] == f"forced/{refreshed.run_id}/two"

    assert run_dag(FORCE.replace("@REUSE@", "Reuse(max_age=timedelta(days=1))")).executed == []
    for record in (run_dag.workspace / "records").rglob("*.json"):
        os.utime(record, (1_000_000_000, 1_000_000_000))
    expired = run_dag(FORCE.replace("@REUSE@", "Reuse(max_age=timedelta(days=1))"))
    assert expired.executed == ["two"]
    assert expired["two"].reasons[0].startswith("EXPIRED ")
    assert expired["two"].reasons[0].endswith("-> max_age 24.0 h")

    run_dag(FORCE.replace("@REUSE@", "Reuse(ignore=['log'])"))
    changed = run_dag(FORCE.replace("@REUSE@", "Reuse(ignore=['log'])"), conf={"log": "loud"})
    assert changed.reused == ["one", "three", "two"]
    assert "two" in run_dag(conf={"log": "loud", "word": "b"}).executed
    plain = run_dag(FORCE.replace("@REUSE@", "None"), conf={"log": "loud"})
    assert plain.executed == ["three", "two"], "without it, the parameter counts"


CANCELLED = """
from airflow_mlpipe import CommandStep, PipelineData

with DAG("cancelled", schedule=None):
    out = PipelineData("out", kind="file")
    CommandStep(task_id="step", outputs=[out], command=["bash", "-c", "echo half > $0; kill -TERM $$", out])
"""


def test_a_program_that_is_killed_leaves_nothing(run_dag: object, tmp_path: Path) -> None:
    """The message names the signal."""
    run = run_dag(CANCELLED)
    assert run["step"].state == "failed"
    assert f"killed by SIGTERM (signal {int(signal.SIGTERM)})" in run["step"].log
    assert not list((run_dag.workspace / "records").rglob("*.json"))


BRANCH = """
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("branch", schedule=None, params={"way": "left"}):
    left, right, both = (PipelineData(n, kind="file") for n in ("left", "right", "both"))

    @task.branch
    def choose(params=None):
        return params["way"]

    sides = [ScriptStep(task_id=o.name, script_name="write.py", outputs=[o], arguments=[o, o.name])
             for o in (left, right)]
    choose() >> sides
    ScriptStep(task_id="join", script_name="seen.py", inputs=[left, right], outputs=[both], arguments=[both],
               trigger_rule="none_failed_min_one_success")
    ScriptStep(task_id="gather", script_name="gather.py", inputs={"all": [left, right]},
               arguments=[{"input": "all"}, "/dev/null"], trigger_rule="none_failed_min_one_success")
"""


def test_a_step_after_a_branch(run_dag):
    """An input from a skipped step is not there, for the program and for the fingerprint."""
    files = PROGRAMS | {
        "seen.py": """\
            import os, sys
            print("I run: join")
            names = sorted(n for n in os.environ if n.startswith("MLPIPE_INPUT_"))
            open(sys.argv[1], "w").write(" ".join(names))
            """
    }
    first = run_dag(BRANCH, files=files)
    assert first.states["join"] == "success", str(first.states) + first.log[-3000:]
    assert first["right"].state == "skipped"
    assert text_of(first["join"], "both") == "MLPIPE_INPUT_LEFT"
    second = run_dag(conf={"way": "right"})
    assert second.executed == ["gather", "join", "right"]
    assert text_of(second["join"], "both") == "MLPIPE_INPUT_RIGHT"
    assert run_dag().reused == ["gather", "join", "left"]
