"""The battery: values that look alike, definitions that collide elsewhere, and edits that mean nothing."""

from __future__ import annotations

import pytest
from support.battery import Pipeline, output_path

TYPED = """
from airflow_mlpipe import PipelineData, ScriptStep

with DAG("typed", schedule=None, params={"x": None}):
    written, given = PipelineData("written", kind="file"), PipelineData("given", kind="file")
    ScriptStep(task_id="as_parameter", script_name="show.py", outputs=[written], arguments=[written],
               parameters={"x": "{{ params.x }}"})
    ScriptStep(task_id="as_argument", script_name="show.py", outputs=[given], arguments=[given, "{{ params.x }}"])
"""
SHOW = """\
    import json, os, sys
    with open(sys.argv[1], "w") as out:
        json.dump([sys.argv[2:], json.load(open(os.environ["MLPIPE_PARAMS"]))], out)
"""


def text_of(task, name):
    """The bytes of an output."""
    return output_path(task.xcoms[name]).read_text()


def test_values_that_look_alike_are_different_parameters(run_dag):
    """1, "1", True, 1.0, None, "None", [] and {} are eight fingerprints; each is reused when it comes again."""
    values = [1, "1", True, 1.0, None, "None", [], {}]
    runs = [run_dag(TYPED, conf={"x": value}, files={"show.py": SHOW}) for value in values]
    for step in ("as_parameter", "as_argument"):
        assert len({run[step].fingerprint for run in runs}) == len(values), step
        assert all(run[step].decision == "executed" for run in runs), step
    seen = [text_of(run["as_parameter"], "written") for run in runs]
    assert seen[:4] == ['[[], {"x": 1}]', '[[], {"x": "1"}]', '[[], {"x": true}]', '[[], {"x": 1.0}]']
    assert 'PARAM x 1 -> "1"' in runs[1]["as_parameter"].reasons
    assert 'PARAM x "1" -> true' in runs[2]["as_parameter"].reasons
    again = [run_dag(conf={"x": value}) for value in values[:4]]
    assert all(run.reused == ["as_argument", "as_parameter"] for run in again)
    assert [text_of(run["as_parameter"], "written") for run in again] == seen[:4]


PAIR = """
from airflow_mlpipe import DataReference, Datastore, PipelineData, ScriptStep

lake = Datastore("lake", url="@LAKE@")
with DAG("pair", schedule=None):
    for name, arguments, path in (("one", @ONE@, "one"), ("two", @TWO@, "@PATH@")):
        out = PipelineData("out", kind="file")
        ScriptStep(task_id=name, script_name="show.py", arguments=[*arguments], outputs=[out],
                   inputs=[DataReference(lake, path, name="raw")], parameters={"x": 1})
"""
LIST = """\
    import os
    root = os.environ["MLPIPE_INPUT_RAW"]
    open(os.environ["MLPIPE_OUTPUT_OUT"], "w").write(str(sorted(os.listdir(root))))
"""


def pair(run_dag, lake, one, two, path="one"):
    """Two steps of one DAG that differ in one thing; the fingerprints of both."""
    source = PAIR.replace("@LAKE@", lake.as_uri()).replace("@ONE@", repr(one)).replace("@TWO@", repr(two))
    run = run_dag(source.replace("@PATH@", path), files={"show.py": LIST})
    assert run.state == "success"
    return [run[name].fingerprint for name in ("one", "two")]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (["a,b"], ["a", "b"]),
        (["a", "b"], ["b", "a"]),
        (["a b"], ["a", "b"]),
        ([""], []),
        (["1"], [1]),
        (["--x=1"], ["--x", "=1"]),
        ([" a"], ["a"]),
    ],
)
def test_arguments_do_not_run_together(run_dag, tmp_path, one, two):
    """Arguments that read alike when they are joined are different."""
    (tmp_path / "lake" / "one").mkdir(parents=True)
    first, second = pair(run_dag, tmp_path / "lake", one, two)
    assert first != second


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"x": "1y2"}, {"x": "1", "y": "2"}),
        ({"a/b": "1"}, {"a_b": "1"}),
        ({"a": "", "b": "1"}, {"a": "1", "b": ""}),
        ({"ab": "c"}, {"a": "bc"}),
    ],
)
def test_files_do_not_run_together(run_dag, tmp_path, one, two):
    """Folders whose names and bytes read alike when they are joined are different."""
    for folder, files in (("one", one), ("two", two)):
        for name, text in files.items():
            (tmp_path / "lake" / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "lake" / folder / name).write_text(text)
    first, second = pair(run_dag, tmp_path / "lake", [], [], path="two")
    assert first != second


def test_equal_steps_under_two_names_execute_once(run_dag, tmp_path):
    """The name of a task is not part of what it does: the second one is reused in the same run."""
    (tmp_path / "lake" / "one").mkdir(parents=True)
    first, second = pair(run_dag, tmp_path / "lake", ["a"], ["a"])
    assert first == second


@pytest.fixture
def pipeline(run_dag, tmp_path):
    """A pipeline that has run once."""
    made = Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()
    made.run()
    return made


def test_edits_that_mean_nothing_execute_nothing(pipeline):
    """Compiled files, a README, an empty folder, line ends, the mode of a script, notebooks' check-points."""
    scripts = pipeline.scripts
    (scripts / "__pycache__").mkdir(exist_ok=True)
    (scripts / "__pycache__" / "x.pyc").write_bytes(b"\0")
    (scripts / ".ipynb_checkpoints").mkdir()
    (scripts / ".ipynb_checkpoints" / "clean.py").write_text("")
    (scripts / "README.md").write_text("Something else.")
    (scripts / "empty").mkdir()
    (scripts / "prepare.py").chmod(0o755)
    assert pipeline.run().reused == ["prepare", "train"]
    for file in scripts.glob("*.py"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert pipeline.run().reused == ["prepare", "train"]


def test_ignore_files_of_every_folder_are_read(pipeline):
    """`.mlpipeignore` in a nested folder says what is no code there; the file itself does not count."""
    pipeline.prepare = pipeline.train = "code='directory',"
    (pipeline.scripts / "data").mkdir()
    (pipeline.scripts / "data" / "table.json").write_text("{}")
    pipeline.run()
    (pipeline.scripts / "data" / ".mlpipeignore").write_text("*.log\n!keep.log\n")
    (pipeline.scripts / "data" / "debug.log").write_text("1")
    (pipeline.scripts / "data" / "deep").mkdir()
    (pipeline.scripts / "data" / "deep" / "debug.log").write_text("1")
    assert pipeline.run().reused == ["prepare", "train"]
    (pipeline.scripts / "data" / "keep.log").write_text("1")
    changed = pipeline.run()
    assert changed.executed == ["prepare", "train"]
    assert changed["prepare"].reasons == ["CODE data/keep.log added"]


def test_a_renamed_task_is_reused(pipeline):
    """Reuse follows what a step does, not what it is called."""
    from support import battery

    before = battery.DAG_FILE
    try:
        battery.DAG_FILE = before.replace('task_id="train"', 'task_id="learn"')
        assert pipeline.run().reused == ["learn", "prepare"]
    finally:
        battery.DAG_FILE = before


def test_a_renamed_output_is_another_step(pipeline):
    """The port's name is what the program and consumers see: it counts, and the reason says so."""
    from support import battery

    before = battery.DAG_FILE
    try:
        battery.DAG_FILE = before.replace('PipelineData("model"', 'PipelineData("estimator"')
        changed = pipeline.run()
    finally:
        battery.DAG_FILE = before
    assert changed.executed == ["train"]
    assert any(reason.startswith("OUTPUTS estimator") for reason in changed["train"].reasons)
    assert "estimator" in changed["train"].xcoms


def test_switching_reuse_off_and_on_keeps_the_results(pipeline):
    """`allow_reuse=False` executes, and does not lose what was recorded before."""
    pipeline.train = "allow_reuse=False,"
    assert pipeline.run().executed == ["train"]
    assert pipeline.runs[-1]["train"].reasons == ["NEVER Reuse(policy='never')"]
    pipeline.train = ""
    assert pipeline.run().reused == ["prepare", "train"]


def test_data_behind_a_reference_changed(pipeline):
    """The reference is the same, its bytes are not."""
    (pipeline.raw / "b.csv").write_text("99")
    assert pipeline.run().executed == ["prepare", "train"]
    assert "b.csv - 99" in pipeline.model()


def test_a_declared_version_stands_for_the_data(pipeline):
    """With `version=` the author vouches: the data are not looked at, another version executes."""
    from support import battery

    before = battery.DAG_FILE
    versioned = before.replace('"raw", name="raw")', '"raw", name="raw", version="2026-01")')
    try:
        battery.DAG_FILE = versioned
        assert "prepare" in pipeline.run().executed
        (pipeline.raw / "a.csv").write_text("7")
        assert pipeline.run().reused == ["prepare", "train"]
        battery.DAG_FILE = versioned.replace("2026-01", "2026-02")
        assert pipeline.run().executed == ["prepare", "train"]
    finally:
        battery.DAG_FILE = before
