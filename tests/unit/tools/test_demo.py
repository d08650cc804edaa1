"""The demo's judgement: it fails when a run does not do what it should."""

from __future__ import annotations

import io
import os
import time
from dataclasses import replace

import pytest
from rich.console import Console

from airflow_mlpipe.experiment import StepStatus
from airflow_mlpipe.experiment.records import Decision
from tools.airflow_embedded import EmbeddedAirflow, free_ports, remove, wait_for
from tools.demo import MODELS, STEPS, Act, Checkout, DemoError, problems_of, table_of


def _step(name: str, decision: str, *reasons: str) -> StepStatus:
    outcome = Decision(
        decision=decision, reasons=reasons, seconds=1.25, saved=2.5, origin="digits/manual__2026-01-02T03:04:05_ab/x"
    )
    return StepStatus(task_id=name, state="success", outcome=outcome)


def _run(executed) -> list[StepStatus]:
    return [_step(name, "executed" if name in executed else "reused", "PARAM c 1 -> 2") for name in sorted(STEPS)]


def test_a_run_as_it_should_be_has_no_problems():
    """Exactly the named steps executed, for the named reason."""
    act = Act(title="", executes=MODELS, reason={"pca.train": "1 -> 2"})
    assert problems_of(act, _run(MODELS)) == []


@pytest.mark.parametrize("executed", [MODELS - {"pca.train"}, MODELS | {"prepare"}, STEPS, frozenset()])
def test_one_step_too_many_or_too_few_is_a_problem(executed):
    """Each step that did the other thing is named."""
    problems = problems_of(Act(title="", executes=MODELS), _run(executed))
    assert len(problems) == len(MODELS ^ executed)


def test_a_missing_step_and_a_wrong_reason_are_problems():
    """A step that is not there, or executed for another reason, is named."""
    steps = [s for s in _run(MODELS) if s.name != "report"]
    problems = problems_of(Act(title="", executes=MODELS, reason={"pca.train": "CODE"}), steps)
    assert len(problems) == 2
    assert "report" in problems[0]
    assert "CODE" in problems[1]


def test_a_task_that_decided_nothing_is_a_problem():
    """An operator without a decision counts as neither executed nor reused."""
    steps = [replace(s, outcome=None) if s.name == "choose" else s for s in _run(MODELS)]
    assert problems_of(Act(title="", executes=MODELS), steps) == ["choose: success, expected reused"]


def test_the_table_shows_reasons_with_brackets_as_they_are():
    """What looks like markup in a reason is text."""
    out = io.StringIO()
    Console(file=out, width=160).print(table_of("title", [_step("train", "executed", "INPUT raw [+1 -0 ~2]")], 3.0))
    assert "INPUT raw [+1 -0 ~2]" in out.getvalue()
    assert "1 executed" in out.getvalue()


def test_the_table_names_the_run_that_a_result_came_from_by_its_time():
    """An origin's run id is long; its time of day is enough here."""
    out = io.StringIO()
    Console(file=out, width=160).print(table_of("title", [_step("train", "reused")], 3.0))
    assert "from the run of 03:04:05" in out.getvalue()


def test_the_last_act_moves_the_folder_and_leaves_all_bytes_but_the_note(tmp_path):
    """After it the same files lie in another folder, newer."""
    checkout = Checkout(tmp_path / "dags")
    checkout.make()
    before = {p.name: p.read_bytes() for p in checkout.scripts.iterdir()}
    start = time.time() - 1
    checkout.edit_notes_touch_and_move()
    after = {p.name: p.read_bytes() for p in checkout.scripts.iterdir()}
    assert checkout.scripts.parent.name == "checkout-b"
    assert not (tmp_path / "dags" / "checkout-a").exists()
    assert {n for n in before if before[n] != after[n]} == {"notes.md"}
    assert all(p.stat().st_mtime >= start for p in checkout.scripts.iterdir())


def test_an_edit_that_does_not_apply_is_an_error(tmp_path):
    """When the example's text changes, the demo says so instead of going on without its edit."""
    checkout = Checkout(tmp_path / "dags")
    checkout.make()
    checkout.edit_helper()
    with pytest.raises(DemoError, match="does not contain"):
        checkout.edit_helper()


def test_a_state_file_of_a_process_that_is_gone_means_not_running(tmp_path):
    """A process id that another program has now is not taken for ours."""
    airflow = EmbeddedAirflow(tmp_path / "home", dags=tmp_path)
    airflow.home.mkdir()
    (airflow.home / "embedded.json").write_text(
        f'{{"url": "http://x", "username": "u", "password": "p", "pid": {os.getpid()}, "started": 1.0}}'
    )
    assert airflow.login() is None
    assert airflow.stop() is False


def test_nothing_of_the_callers_airflow_reaches_the_embedded_one(tmp_path, monkeypatch):
    """Options, homes and secrets of another Airflow in the shell stay out."""
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://elsewhere")
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "x")
    environment = EmbeddedAirflow(tmp_path, dags=tmp_path, options={"AIRFLOW__A__B": "c"}).environment()
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment
    assert "AIRFLOW_CONN_SECRET" not in environment
    assert environment["AIRFLOW__A__B"] == "c"


def test_free_ports_differ():
    """No two servers get one port."""
    assert len(set(free_ports(20))) == 20


def test_waiting_ends_when_the_process_that_is_waited_for_is_gone():
    """Nobody waits ten minutes for a server that has died."""
    with pytest.raises(TimeoutError, match="ended"):
        wait_for(lambda: False, 60, every=0.01, process=2**22 + 1)


def test_read_only_folders_are_removed(tmp_path):
    """The cache's folders are read-only, and `rm` would stumble."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    folder.chmod(0o500)
    remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()
