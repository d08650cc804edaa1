"""Bad input and faults, through Airflow: each message says what, where, the value and the next step."""

from __future__ import annotations

import os
import re
import subprocess
from urllib.parse import quote

import pytest
from support.battery import Pipeline, another_machine, output_path, overwrite

STEP = """
from airflow_mlpipe import CommandStep, DataReference, Datastore, Environment, PipelineData, Resources, ScriptStep

lake = Datastore("lake", url="@LAKE@")
with DAG("bad", schedule=None, params={"path": "raw", "word": "x"}):
    raw = DataReference(lake, "{{ params.path }}", name="raw")
    out = PipelineData("out", kind="file", filename="out.txt")
    ScriptStep(task_id="step", script_name="step.py", @MORE@)
"""
INPUT = "inputs=[raw], arguments=[raw]"
OUTPUT = "outputs=[out], arguments=[out]"


class Bad:
    """One step that fails."""

    def __init__(self, run_dag, tmp_path):
        self.run_dag, self.lake = run_dag, tmp_path / "lake"
        (self.lake / "raw").mkdir(parents=True)
        (self.lake / "raw" / "a.csv").write_text("1")

    def run(self, more, program="", **conf):
        """Run it; the whole outcome."""
        source = STEP.replace("@LAKE@", self.lake.as_uri()).replace("@MORE@", more)
        return self.run_dag(source, files={"step.py": program}, conf=conf)

    def message(self, more, program="", **conf):
        """The error of a step that must fail: from the name of its class to the end."""
        outcome = self.run(more, program, **conf)
        assert outcome["step"].state == "failed", outcome["step"].log[-2000:]
        assert outcome["step"].decision in ("failed", None)
        assert not list((self.run_dag.workspace / "records").rglob("*.json"))
        errors = re.findall(
            r"^(?:airflow_mlpipe\.errors\.\w+|\S*AirflowFailException): .*", outcome["step"].log, re.M | re.S
        )
        return errors[-1]


@pytest.fixture
def bad(run_dag, tmp_path):
    """One step and its lake."""
    return Bad(run_dag, tmp_path)


def test_a_missing_input(bad):
    """Where it was looked for, and the next step."""
    message = bad.message(INPUT, path="row")
    assert "input 'raw' (row in datastore 'lake'): the data are not there" in message
    assert f"given: '{bad.lake}/row'" in message
    assert "fix: check the path, or write the data before this step runs" in message


def test_a_glob_that_matches_nothing(bad):
    """An empty input is more often a mistake than not."""
    message = bad.message(INPUT, path="raw/*.parquet")
    assert "nothing matches" in message
    assert "raw/*.parquet" in message


def test_an_unreadable_input(bad, tmp_path):
    """A link in a circle is there, and nobody can read it (permissions do not stop a worker that runs as root)."""
    (bad.lake / "raw" / "loop").symlink_to("loop")
    message = bad.message(INPUT)
    assert "loop" in message
    assert "PathError" in message
    assert "fix: " in message


def test_a_file_where_a_folder_is_asked_for(bad):
    """`raw/a.csv/` cannot be."""
    assert "a folder is wanted, and this is a file" in bad.message(INPUT, path="raw/a.csv/")


@pytest.mark.parametrize("path", ["../lake/raw", "/etc/passwd", "raw/../../x"])
def test_a_rendered_path_that_leaves_its_root(bad, path):
    """Parameters cannot reach what the datastore does not hold."""
    message = bad.message(INPUT, path=path)
    assert "the path leaves its root" in message
    assert f"given: '{path}'" in message
    assert "fix: give a path below the root, without '..'" in message


def test_a_link_that_leaves_the_root(bad, tmp_path):
    """Neither the data nor a member of them may be a link to elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (bad.lake / "out").symlink_to(tmp_path / "elsewhere")
    message = bad.message(INPUT, path="out")
    assert "a link leads out of the datastore's root" in message
    assert f"given: '{tmp_path / 'elsewhere'}'" in message


def test_a_name_that_is_not_utf8(bad):
    """No object store could hold it."""
    (bad.lake / "raw" / os.fsdecode(b"caf\xe9.csv")).write_text("")
    message = bad.message(INPUT)
    assert "the name is not valid UTF-8, so no store can hold it" in message
    assert "fix: rename the file" in message


def test_an_unknown_datastore(bad):
    """The message shows the command that makes one."""
    message = bad.message("inputs=[DataReference(Datastore('laek'), 'raw')]")
    assert "no datastore of this name" in message
    assert "given: 'laek'" in message
    assert "airflow connections add laek --conn-type mlpipe_datastore" in message


def test_what_is_no_reference_as_an_input(run_dag):
    """A plain value of a task is not data."""
    source = """
from airflow_mlpipe import ScriptStep
with DAG("wrong", schedule=None):
    @task
    def value():
        return "a/path"
    ScriptStep(task_id="step", script_name="step.py", inputs={"raw": value()})
"""
    run = run_dag(source, files={"step.py": ""})
    assert run["step"].state == "failed"
    assert "input 'raw': upstream pushed no reference to data. given: 'a/path'" in run["step"].log


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("", ["the program did not write this file", "fix: write it, or declare PipelineData(optional=True)"]),
        (
            "import sys, os; open(os.path.dirname(sys.argv[1]) + '/Out.txt', 'w')",
            ["beside it there is: Out.txt", "fix: write to exactly this path, or say PipelineData(filename='Out.txt')"],
        ),
        ("import sys, os; os.mkdir(sys.argv[1])", ["declared as a file, and a folder is there", "kind='folder'"]),
        ("import sys, os; os.symlink('/etc/passwd', sys.argv[1])", ["the output is a link", "given: '/etc/passwd'"]),
    ],
    ids=["nothing", "another name", "a folder", "a link"],
)
def test_an_output_that_was_not_written_as_declared(bad, program, expected):
    """What is there instead is in the message."""
    message = bad.message(OUTPUT, program)
    assert "step: output 'out'" in message
    for part in expected:
        assert part in message


def test_a_link_out_of_an_output_folder(bad):
    """Nothing from outside is published through a link."""
    message = bad.message(
        "outputs=[PipelineData('made')], arguments=[PipelineData('x', kind='file').name]",
        "import os; os.symlink('/etc/passwd', os.environ['MLPIPE_OUTPUT_MADE'] + '/link')",
    )
    assert "output 'made'" in message
    assert "link" in message
    assert "/etc/passwd" in message


def test_a_script_that_fails(bad):
    """Its exit code and its own last lines are in the error itself."""
    message = bad.message(
        "", "import sys\nprint('epoch 1')\nprint('no such column: age', file=sys.stderr)\nsys.exit(4)\n"
    )
    assert "bad/" in message
    assert "/step: the program ended with exit code 4" in message
    assert "Its last lines:\n  epoch 1\n  no such column: age" in message


def test_a_script_that_asks_for_a_retry_and_one_that_does_not(bad):
    """Exit code 75 follows the author's retries, 77 ends the task for good."""
    retried = bad.run("retries=1, retry_delay=__import__('datetime').timedelta(0)", "raise SystemExit(75)")
    assert retried["step"].log.count("EXECUTED because") == 2
    assert "the program asks to be retried (exit code 75)" in retried["step"].log
    ended = bad.run("retries=1, retry_delay=__import__('datetime').timedelta(0)", "raise SystemExit(77)")
    assert ended["step"].log.count("EXECUTED because") == 1
    assert "the program says that a retry is of no use (exit code 77)" in ended["step"].log


def test_a_script_that_takes_too_much_memory(bad):
    """In words: how much it used, what the limit is, what to do."""
    program = "import time\nkept = []\nwhile True:\n    kept.append(bytearray(8_000_000))\n    time.sleep(0.01)\n"
    message = bad.message("resources=Resources(memory='100Mi')", program)
    assert "the program was ended for its memory: it was seen to use " in message
    assert "its limit is 100 MiB" in message
    assert "fix: raise Resources(memory=...), or read the data in parts" in message


def test_a_program_that_is_not_there(run_dag):
    """Which one, and where it should be."""
    source = """
from airflow_mlpipe import CommandStep
with DAG("nothing", schedule=None):
    CommandStep(task_id="step", command=["no-such-program", "1"])
"""
    log = run_dag(source)["step"].log
    assert "the program could not be started: there is no such program" in log
    assert "given: 'no-such-program'" in log
    assert "fix: name a program on the PATH" in log


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{'a': 1}", "the result is not JSON"),
        ("NaN", "the result is not JSON"),
        ("'x' * 60_000", "the result is too long"),
    ],
)
def test_a_result_that_is_none(bad, written, expected):
    """What the program wrote for XCom is refused with the place of the mistake."""
    value = repr(written) if "*" not in written else f"'\"' + {written} + '\"'"
    message = bad.message("", f"import os; open(os.environ['MLPIPE_RESULT'], 'w').write({value})")
    assert "MLPIPE_RESULT" in message
    assert expected in message
    assert "fix: write " in message


def test_a_variable_that_the_worker_does_not_have(bad, monkeypatch):
    """Named, with the step."""
    monkeypatch.delenv("NOT_SET", raising=False)
    message = bad.message("environment=Environment(pass_variables=('NOT_SET',))")
    assert "a variable of pass_variables is not set on this worker" in message
    assert "given: 'NOT_SET'" in message
    assert "fix: set it there" in message


def test_ports_that_differ_only_in_case(bad):
    """They would share a variable."""
    message = bad.message("inputs={'raw': raw, 'RAW': raw}")
    assert "two ports differ only in case" in message
    assert "MLPIPE_INPUT_RAW" in message


def test_an_environment_that_cannot_be_built(bad):
    """The builder's own words, the file, and the next step."""
    bad.run_dag.write({"requirements.txt": "--no-index\nno-such-distribution==1.0\n"})
    message = bad.message("environment=Environment(requirements='requirements.txt')")
    assert "EnvironmentBuildError" in message
    assert "no-such-distribution" in message
    assert "requirements.txt" in message


def test_a_secret_that_is_not_there(bad):
    """The reference, never a value."""
    more = "secrets={'token': __import__('airflow_mlpipe').model.environment.Secret(variable='battery_missing')}"
    message = bad.message(
        more.replace("__import__('airflow_mlpipe').model", "__import__('airflow_mlpipe.model.environment').model")
    )
    assert "secret variable:battery_missing: Airflow does not know it" in message
    assert "fix: add the connection or variable" in message


def test_a_source_folder_that_is_too_large(bad, monkeypatch):
    """The largest files are named, before anything is copied."""
    from airflow_mlpipe.fingerprint import code

    monkeypatch.setattr(code, "MOST_BYTES", 1_000_000)
    (bad.run_dag.folder / "checkpoints").mkdir(parents=True)
    (bad.run_dag.folder / "checkpoints" / "last.bin").write_bytes(bytes(2_000_000))
    message = bad.message("code='directory'")
    assert "the source folder is too large to be code" in message
    assert "checkpoints/last.bin (1.9 MiB)" in message
    assert "fix: name what is no code in .mlpipeignore" in message


def test_a_full_disk(bad, tmp_path):
    """A scratch folder of one MiB: the message names the folder and what was being done."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("no right to mount a small file system here")
    try:
        bad.run_dag.monkeypatch.setenv("AIRFLOW__MLPIPE__SCRATCH", str(small))
        (bad.run_dag.folder).mkdir(parents=True, exist_ok=True)
        (bad.run_dag.folder / "large.json").write_bytes(os.urandom(3_000_000))
        message = bad.message("include=['large.json']")
        assert "no space left" in message.lower() or "disk" in message.lower()
        assert str(small) in message
        assert "fix: " in message
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.fixture
def pipeline(run_dag, tmp_path):
    """A pipeline that has run once."""
    made = Pipeline(run_dag=run_dag, lake=tmp_path / "lake").create()
    made.run()
    return made


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"mlpipe": "record/1"}', b"\xff\xfe", b'{"mlpipe": "lease/1"}'])
def test_a_corrupted_record_is_a_miss_and_is_repaired(pipeline, data):
    """The step executes, and the next run is reused."""
    for record in (pipeline.run_dag.workspace / "records").rglob("*.json"):
        overwrite(record, data)
    before = pipeline.model()
    assert pipeline.run().executed == ["prepare", "train"]
    assert pipeline.model() == before
    assert pipeline.run().reused == ["prepare", "train"]


@pytest.mark.parametrize("data", [b"", b"{}", b'{"mlpipe": "tree/1", "entries": []}'])
def test_a_corrupted_tree_is_a_miss_and_is_repaired(pipeline, data, tmp_path):
    """Also when another machine, which knows nothing, must stage it."""
    overwrite(output_path(pipeline.runs[0]["prepare"].xcoms["prepared"]), data)
    another_machine(pipeline.run_dag, tmp_path / "other")
    repaired = pipeline.run(rate=2)
    assert repaired.executed == ["prepare", "train"]
    assert repaired["prepare"].reasons == ["OUTPUT_GONE prepared"]
    assert pipeline.run(rate=2).reused == ["prepare", "train"]


@pytest.mark.parametrize("folder", ["keys", "runs", "usage", "leases"])
def test_other_documents_that_are_corrupted_do_no_harm(pipeline, folder):
    """What only explains or tidies cannot stop a step."""
    for path in (pipeline.run_dag.workspace / folder).rglob("*"):
        if path.is_file():
            overwrite(path, b"\xff not json")
    assert pipeline.run().reused == ["prepare", "train"]
    changed = pipeline.run(rate=2)
    assert changed.executed == ["train"]


def test_a_workspace_of_a_newer_version_is_refused(pipeline):
    """Not read, not written: the message says which version and what to do."""
    overwrite(pipeline.run_dag.workspace / "mlpipe.json", b'{"mlpipe": "workspace/999"}')
    before = {p: p.read_bytes() for p in pipeline.run_dag.workspace.rglob("*") if p.is_file()}
    refused = pipeline.run()
    assert refused["prepare"].state == "failed"
    assert "mlpipe.json" in refused["prepare"].log
    assert "999" in refused["prepare"].log
    assert re.search(r"fix: .*(upgrade|newer|install)", refused["prepare"].log)
    assert {p: p.read_bytes() for p in pipeline.run_dag.workspace.rglob("*") if p.is_file()} == before


def test_a_record_of_a_newer_version_is_refused(pipeline):
    """Neither reused nor overwritten."""
    (record, *_) = sorted((pipeline.run_dag.workspace / "records").rglob("*.json"))
    text = record.read_text().replace("record/1", "record/999")
    overwrite(record, text.encode())
    assert pipeline.run().state == "failed"
    assert record.read_text() == text


def test_a_workspace_that_cannot_be_written(pipeline, tmp_path, monkeypatch):
    """A file where the folder should be: the message names the place and the option."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", (tmp_path / "file" / "workspace").as_uri())
    failed = pipeline.run()
    assert failed["prepare"].state == "failed"
    assert quote(str(tmp_path / "file")) in failed["prepare"].log


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("WORKSPACE", "nonsense://x", "nonsense"),
        ("LEASE_SECONDS", "soon", "[mlpipe] lease_seconds: not a number in range. given: 'soon'. valid: 3 or more"),
        ("WAIT_SECONDS", "1", "[mlpipe] wait_seconds: not a number in range. given: '1'. valid: 5 or more"),
        ("DATASTORES", "{", "[mlpipe] datastores: not JSON"),
        ("DATASTORES", '{"a": {"uri": 1}}', "[mlpipe] datastores: not a JSON object of datastores"),
    ],
)
def test_an_option_of_the_deployment_that_is_wrong(bad, monkeypatch, option, value, expected):
    """The option, the value and what would be right."""
    monkeypatch.setenv(f"AIRFLOW__MLPIPE__{option}", value)
    assert expected in bad.message("")
