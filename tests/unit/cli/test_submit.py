"""``submit`` as a user runs it: exit codes, stdout, stderr."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.rest_api import FakeAirflow, FakeStep, Frame

from airflow_mlpipe.cli.__main__ import main

ROOT = Path(__file__).parents[3]
EXECUTED = {"decision": "executed", "reasons": ["PARAM lr 0.1 -> 0.3"], "seconds": 2.1, "saved": 0.0}
REUSED = {"decision": "reused", "reasons": [], "seconds": 0.0, "saved": 60.0, "origin": "digits/r0/prepare"}
DONE = Frame("success", [FakeStep("prepare", "success", REUSED), FakeStep("train", "success", EXECUTED)])


@dataclass
class Result:
    code: int
    out: str
    err: str


Submit = Callable[..., Result]


@pytest.fixture
def submit(fake: FakeAirflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Submit:
    """Run ``submit digits ...`` against the fake deployment."""
    monkeypatch.setenv("MLPIPE_API_URL", fake.url)
    monkeypatch.setenv("MLPIPE_API_USERNAME", "ml")
    monkeypatch.setenv("MLPIPE_API_PASSWORD", "correct horse")

    def run(*arguments: str) -> Result:
        with pytest.raises(SystemExit) as ended:
            main(["submit", "digits", *arguments])
        captured = capsys.readouterr()
        for shown in (captured.out, captured.err):
            assert "correct horse" not in shown
            assert "token-of-ml" not in shown
        return Result(int(ended.value.code or 0), captured.out, captured.err)

    return run


def test_without_wait_it_says_what_it_started(fake: FakeAirflow, submit: Submit) -> None:
    """Exit code 0 as soon as the run is there."""
    fake.frames[0] = Frame("queued")
    result = submit()
    (run_id,) = fake.runs
    assert result.code == 0
    assert f"started digits/{run_id}" in result.err
    assert f"{fake.url}/dags/digits/runs/manual__" in result.err


def test_parameters_are_typed_as_the_dag_declares_them(fake: FakeAirflow, submit: Submit) -> None:
    """A number is sent as a number, text that looks like one as text."""
    fake.dags["digits"].params = {
        "lr": {"value": 0.1, "schema": {"type": "number"}},
        "name": {"value": "a", "schema": {"type": "string"}},
    }
    assert submit("--param", "lr=0.3", "--param", "name=1", "--refresh", "train+").code == 0
    (body,) = fake.asked("POST", "/dagRuns")
    assert body["conf"] == {"lr": 0.3, "name": "1", "mlpipe": {"refresh": ["train+"]}}


def test_waiting_ends_with_the_table_and_the_outcome(fake: FakeAirflow, submit: Submit) -> None:
    """``--wait`` shows the steps when the run has ended."""
    fake.frames.extend([DONE])
    fake.frames.popleft()
    result = submit("--wait")
    assert result.code == 0
    assert ["train", "success", "executed", "PARAM", "lr", "0.1", "->", "0.3", "2.1", "s"] in [
        line.split() for line in result.out.splitlines()
    ]
    assert "1 executed, 1 reused, saved 1 m 00 s" in result.out


def test_following_without_a_terminal_writes_lines(fake: FakeAirflow, submit: Submit) -> None:
    """A line for each change, no escape sequences."""
    fake.frames.clear()
    fake.frames.extend([Frame("running", [FakeStep("prepare", "success", REUSED), FakeStep("train", None)]), DONE])
    result = submit("--follow")
    assert result.code == 0
    assert "prepare: success reused from digits/r0/prepare, saved 1 m 00 s" in result.out
    assert "train: success executed in 2.1 s because PARAM lr 0.1 -> 0.3" in result.out
    assert "\x1b" not in result.out


def test_a_failed_run_exits_with_1_and_the_steps_last_lines(fake: FakeAirflow, submit: Submit) -> None:
    """The log of the step that failed is on stderr; that of a step that only its upstream failed is not."""
    fake.log = [{"event": f"line {n}"} for n in range(50)]
    fake.log.append(
        {"event": "Task failed", "error_detail": [{"exc_type": "ProgramFailedError", "exc_value": "code 3"}]}
    )
    fake.frames[0] = Frame("failed", [FakeStep("prepare", "failed"), FakeStep("train", "upstream_failed")])
    result = submit("--wait")
    assert result.code == 1
    assert "prepare failed (try 1); its last lines:" in result.err
    assert "  line 49" in result.err
    assert "line 10\n" not in result.err
    assert "ProgramFailedError: code 3" in result.err
    assert "train failed" not in result.err


def test_failed_steps_come_in_the_order_in_which_they_failed(fake: FakeAirflow, submit: Submit) -> None:
    """The first is the likely cause of the others, whatever the order of the pipeline; ten are explained."""
    steps = [FakeStep("train", "failed", map_index=n, seconds=30.0 - n) for n in range(12)]
    fake.frames[0] = Frame("failed", [FakeStep("prepare", "failed", seconds=60.0), *steps])
    shown = [line.split()[0] for line in submit("--wait").err.splitlines() if "its last lines" in line]
    assert shown == [f"train[{n}]" for n in range(11, 1, -1)]


def test_json_is_one_document_and_alone_on_stdout(fake: FakeAirflow, submit: Submit) -> None:
    """Progress goes to stderr, so a program can read stdout."""
    fake.frames[0] = DONE
    result = submit("--follow", "--output", "json")
    document = json.loads(result.out)
    (run_id,) = fake.runs
    assert document == {
        "mlpipe": "submit/1",
        "dag_id": "digits",
        "run_id": run_id,
        "state": "success",
        "seconds": 14.25,
        "conf": {},
        "url": document["url"],
        "timed_out": False,
        "steps": document["steps"],
    }
    assert document["steps"][1] == {
        "task_id": "train",
        "map_index": -1,
        "state": "success",
        "try_number": 1,
        "decision": "executed",
        "reasons": ["PARAM lr 0.1 -> 0.3"],
        "seconds": 2.1,
        "saved": 0.0,
        "fingerprint": None,
        "origin": None,
        "task_seconds": 3.5,
    }
    assert "train: success" in result.err


def test_json_without_wait_has_the_run_and_no_steps(fake: FakeAirflow, submit: Submit) -> None:
    """A script reads the run's id from it."""
    fake.frames[0] = Frame("queued")
    document = json.loads(submit("-o", "json").out)
    assert [document["run_id"]] == list(fake.runs)
    assert (document["state"], document["steps"]) == ("queued", [])


def test_a_run_that_outlasts_the_time_exits_with_124(fake: FakeAirflow, submit: Submit) -> None:
    """It says that the run goes on and how to follow it."""
    fake.frames[0] = Frame("running", [FakeStep("prepare", "running")])
    result = submit("--timeout", "0.05s", "-o", "json")
    (run_id,) = fake.runs
    assert result.code == 124
    assert "the run goes on" in result.err
    assert f"--attach {run_id} --follow" in result.err
    assert json.loads(result.out)["timed_out"] is True


def test_a_run_can_be_followed_later(fake: FakeAirflow, submit: Submit) -> None:
    """``--attach`` starts nothing."""
    fake.frames[0] = DONE
    fake.runs["r1"] = {"dag_id": "digits", "dag_run_id": "r1", "conf": {}, "asked": False}
    result = submit("--attach", "r1", "--follow")
    assert result.code == 0
    assert "train: success" in result.out
    assert list(fake.runs) == ["r1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--param", "rl=1"], "unknown parameter"),
        (["--param", "lr"], "not a parameter"),
        (["--param", "lr=fast"], "not a value for parameter 'lr'"),
        (["--conf", "{"], "not JSON"),
        (["--conf", "[]"], "not a JSON object"),
        (["--conf", '{"mlpipe": {"refesh": ["train"]}}'], "member 'mlpipe' is not understood. given: ['refesh']"),
        (["--conf", '{"mlpipe": {"refresh": ["trian"]}}'], "'refresh' names no task of this DAG. given: 'trian'"),
        (["--refresh", "trian"], "unknown step"),
        (["--attach", "r9"], "no such run"),
        (["--password-file", "/nonexistent"], "cannot be read"),
        (["--timeout", "soon"], "argument --timeout"),
        (["--url", "localhost"], "not an address"),
        (["--password", "hunter2"], "a secret on the command line"),
        (["--token=hunter2"], "a secret on the command line"),
    ],
)
def test_a_wrong_request_exits_with_2_and_starts_nothing(
    fake: FakeAirflow, submit: Submit, arguments: list[str], message: str
) -> None:
    """The message is on stderr, without a traceback."""
    fake.dags["digits"].params = {"lr": {"value": 0.1, "schema": {"type": "number"}}}
    result = submit(*arguments)
    assert result.code == 2
    assert message in result.err
    assert "hunter2" not in result.err
    assert "Traceback" not in result.err
    assert result.out == ""
    assert not fake.runs


def test_a_paused_dag_exits_with_2_and_names_the_option(fake: FakeAirflow, submit: Submit) -> None:
    """``--unpause`` is the way out."""
    fake.dags["digits"].is_paused = True
    result = submit()
    assert (result.code, "--unpause" in result.err) == (2, True)
    fake.frames[0] = DONE
    assert submit("--unpause").code == 0


def test_a_refused_log_in_exits_with_1(fake: FakeAirflow, submit: Submit) -> None:
    """The message names the user."""
    fake.passwords.clear()
    result = submit()
    assert result.code == 1
    assert "log-in was refused" in result.err


def test_a_password_may_come_from_a_file(fake: FakeAirflow, submit: Submit, tmp_path: Path) -> None:
    """What the command line says replaces the environment's."""
    fake.passwords = {"other": "from a file"}
    file = tmp_path / "password"
    file.write_text("from a file\n")
    assert submit("--username", "other", "--password-file", str(file)).code == 0


def test_a_token_file_replaces_the_environments_user(fake: FakeAirflow, submit: Submit, tmp_path: Path) -> None:
    """There is no log-in then."""
    file = tmp_path / "token"
    file.write_text("token-of-ml\n")
    assert submit("--token-file", str(file)).code == 0
    assert not fake.asked("POST", "/auth/token")


def test_without_an_address_it_says_how_to_give_one(monkeypatch: pytest.MonkeyPatch, submit: Submit) -> None:
    """Neither option, environment nor Airflow's configuration has one."""
    monkeypatch.delenv("MLPIPE_API_URL")
    result = submit()
    assert result.code == 2
    assert "--url" in result.err


def _process(fake: FakeAirflow, *arguments: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLPIPE_")}
    return subprocess.Popen(
        [sys.executable, "-m", "airflow_mlpipe.cli", "submit", "digits", *arguments],
        cwd=ROOT,
        env=environment | {"MLPIPE_API_URL": fake.url, "MLPIPE_API_TOKEN": "token-of-ml"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_an_interrupt_exits_with_130_and_leaves_the_run(fake: FakeAirflow) -> None:
    """Ctrl-C stops the watching; the run is not cancelled, and the message says how to follow it."""
    fake.frames[0] = Frame("running", [FakeStep("prepare", "running")])
    with _process(fake, "--follow") as process:
        assert "run running" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the run goes on" in err
    assert "--attach" in err
    assert "Traceback" not in err
    assert not fake.asked("PATCH", "")


def test_submit_imports_no_airflow() -> None:
    """It works on machines that have none."""
    code = "import sys, airflow_mlpipe.cli.__main__; print([m for m in sys.modules if m.split('.')[0] == 'airflow'])"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
