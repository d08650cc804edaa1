"""What a user sees of a run that gets on."""

from __future__ import annotations

import io
import os

import pytest
from rich.console import Console

from airflow_mlpipe.experiment.progress import Lines, LiveTable, outcome_text, reporter_for, step_table, summary
from airflow_mlpipe.experiment.records import Decision, RunStatus, Snapshot, StepStatus
from airflow_mlpipe.experiment.text import duration, printable, short, size


def _run(state: str, seconds: float | None = None) -> RunStatus:
    return RunStatus(
        dag_id="digits", run_id="r1", state=state, started=None, seconds=seconds, conf={}, url="http://h/dags/digits"
    )


def _step(task_id: str, state: str, outcome: Decision | None = None, **more: object) -> StepStatus:
    return StepStatus(task_id=task_id, state=state, outcome=outcome, **more)


EXECUTED = Decision(decision="executed", reasons=("PARAM lr 0.1 -> 0.3",), seconds=2.1)
REUSED = Decision(decision="reused", saved=123.0, origin="digits/r0/prepare")
DONE = Snapshot(
    run=_run("success", 14.2), steps=(_step("prepare", "success", REUSED), _step("train", "success", EXECUTED))
)


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (None, ""),
        (EXECUTED, "executed in 2.1 s because PARAM lr 0.1 -> 0.3"),
        (REUSED, "reused from digits/r0/prepare, saved 2 m 03 s"),
        (Decision(decision="reused", reasons=("UPSTREAM_RERAN prepare",)), "reused (UPSTREAM_RERAN prepare)"),
        (Decision(decision="running", reasons=("NEW",)), "executing because NEW"),
        (Decision(decision="failed", reasons=("NEW", "ENV"), seconds=1.0), "failed in 1.0 s because NEW; ENV"),
    ],
)
def test_an_outcome_is_one_line(outcome: Decision | None, text: str) -> None:
    """It says what was decided, why, and what it cost or saved."""
    assert outcome_text(_step("t", "success", outcome)) == text


def test_the_totals_name_what_ran_and_what_was_saved() -> None:
    """One line for the whole run."""
    assert summary(DONE) == "success in 14.2 s: 1 executed, 1 reused, saved 2 m 03 s"


def test_a_step_that_failed_is_not_counted_as_executed() -> None:
    """Its decision may still say that it was running."""
    failed = _step("train", "failed", Decision(decision="running"))
    assert summary(Snapshot(run=_run("failed"), steps=(failed,))) == "failed: 1 failed"


def test_lines_are_written_once_for_each_change() -> None:
    """A log does not repeat what it said."""
    stream = io.StringIO()
    lines = Lines(stream)
    running = Snapshot(run=_run("running"), steps=(_step("prepare", "running"), _step("train", "none")))
    with lines:
        lines.update(running)
        lines.update(running)
        lines.update(DONE)
        lines.finish(DONE)
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == [
        "digits/r1: run running",
        "prepare: running",
        "digits/r1: run success",
        "prepare: success reused from digits/r0/prepare, saved 2 m 03 s",
        "train: success executed in 2.1 s because PARAM lr 0.1 -> 0.3",
        "digits/r1: success in 14.2 s: 1 executed, 1 reused, saved 2 m 03 s",
    ]


def test_the_table_shows_a_row_for_each_step() -> None:
    """Step, state, decision, reason, seconds, saved."""
    stream = io.StringIO()
    Console(file=stream, width=120).print(step_table(DONE))
    rows = [line.split() for line in stream.getvalue().splitlines()]
    assert ["STEP", "STATE", "DECISION", "REASON", "SECONDS", "SAVED"] in rows
    assert ["prepare", "success", "reused", "2", "m", "03", "s"] in rows
    assert ["train", "success", "executed", "PARAM", "lr", "0.1", "->", "0.3", "2.1", "s"] in rows


@pytest.mark.parametrize(("label", "shown"), [(None, "train[0]"), ("0", "train[0]"), ("lr=0.3", "train[0] lr=0.3")])
def test_a_mapped_step_is_shown_with_its_label_and_the_index_once(label: str | None, shown: str) -> None:
    """Airflow's label of an instance without a template is its index."""
    snapshot = Snapshot(run=_run("success"), steps=(_step("train", "success", map_index=0, label=label),))
    stream = io.StringIO()
    Console(file=stream, width=120).print(step_table(snapshot))
    (row,) = [line for line in stream.getvalue().splitlines() if "train" in line]
    assert row.partition("success")[0].strip() == shown


def test_what_a_deployment_sends_is_no_markup_and_steers_no_terminal() -> None:
    """A reason with brackets is shown as it is, and one with an escape sequence without it."""
    reasons = ("INPUT [bold]x[/bold]", "\x1b[2Jgone")
    snapshot = Snapshot(
        run=_run("success"), steps=(_step("t[0]", "success", Decision(decision="executed", reasons=reasons)),)
    )
    stream = io.StringIO()
    Console(file=stream, width=120).print(step_table(snapshot))
    assert "INPUT [bold]x[/bold]" in stream.getvalue()
    assert "t[0]" in stream.getvalue()
    assert "\x1b[2J" not in stream.getvalue()


def test_a_terminal_gets_a_table_that_is_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real pseudo-terminal the table is drawn, and drawn again."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as stream:
        reporter = reporter_for(stream)
        assert isinstance(reporter, LiveTable)
        with reporter:
            reporter.update(Snapshot(run=_run("running"), steps=(_step("prepare", "running"),)))
            reporter.finish(DONE)
        # A read gives what has arrived; the cursor comes back last.
        shown = ""
        while "\x1b[?25h" not in shown:
            shown += os.read(leader, 65536).decode()
    os.close(leader)
    assert "prepare" in shown
    assert "success in 14.2 s: 1 executed, 1 reused" in shown


def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does a pipe or a file."""
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(reporter_for(io.StringIO()), Lines)
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as stream:
        assert isinstance(reporter_for(stream), Lines)
    os.close(leader)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.04, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (723.4, "12 m 03 s"),
        (3599.6, "1 h 00 m"),
        (36000, "10 h 00 m"),
    ],
)
def test_durations_are_short(seconds: float | None, text: str) -> None:
    """Seconds, minutes or hours, never 60 of a unit."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (2**50, "1024.0 TiB")])
def test_sizes_are_in_binary_units(count: int, text: str) -> None:
    """1024 bytes are a KiB."""
    assert size(count) == text


def test_a_short_fingerprint_is_its_first_digits() -> None:
    """The scheme's name tells two fingerprints apart for nobody."""
    assert short("mlp1:0123456789abcdef") == "0123456789ab"
    assert short(None) == ""


def test_a_printable_line_keeps_text_and_loses_control_characters() -> None:
    """Accents stay; escapes and bells go; a tab becomes spaces."""
    assert printable("é\t\x07ok\x1b[31m") == "é       ok[31m"
