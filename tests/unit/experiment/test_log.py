"""The lines of a task's log that a failure is explained with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_mlpipe.experiment.log import last_lines

PREAMBLE = [
    {"event": "::group::Log message source details"},
    {"event": "/opt/airflow/logs/dag_id=digits/attempt=1.log"},
    {"event": "::endgroup::"},
    {"event": "::group::Pre Execute", "level": "info"},
    {"event": "Worker startup parse complete", "level": "info"},
]


def test_what_airflow_writes_first_is_left_out() -> None:
    """Where the log is, and how the DAG was loaded, explain no failure."""
    entries = [*PREAMBLE, {"event": "::endgroup::"}, {"event": "training", "level": "info"}]
    assert last_lines(entries, 20) == ["training"]


def test_an_error_before_the_task_starts_is_shown() -> None:
    """Also inside Airflow's group."""
    error = {"event": "Task failed", "level": "error", "error_detail": [{"exc_type": "KeyError", "exc_value": "'a'"}]}
    assert last_lines([*PREAMBLE, error], 20) == ["Task failed", "KeyError: 'a'"]


def test_a_group_of_the_program_is_shown() -> None:
    """Without the marks that fold it in the UI."""
    entries = [{"event": "::group::epoch 1"}, {"event": "loss 0.5", "level": "info"}, {"event": "::endgroup::"}]
    assert last_lines(entries, 20) == ["loss 0.5"]


def test_a_line_is_shown_once_where_it_is_last() -> None:
    """What the program printed is repeated by the exception."""
    raised = {"exc_type": "ProgramFailedError", "exc_value": "exit code 1.\nIts last lines:\n  a\n  b"}
    entries = [{"event": "a"}, {"event": "b"}, "", {"event": "Task failed", "error_detail": [raised]}]
    assert last_lines(entries, 20) == [
        "Task failed",
        "ProgramFailedError: exit code 1.",
        "Its last lines:",
        "  a",
        "  b",
    ]


def test_a_wrapped_exception_is_shown_as_its_cause() -> None:
    """Airflow's exception that ends a task for good has the message of ours."""
    detail = [{"exc_type": name, "exc_value": "no such step"} for name in ("AirflowFailException", "DefinitionError")]
    assert last_lines([{"event": "Task failed", "error_detail": detail}], 20) == [
        "Task failed",
        "DefinitionError: no such step",
    ]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.integers(0, 10))
def test_no_line_is_shown_twice_and_no_more_than_asked(events: list[str], count: int) -> None:
    """The last line of the log is the last shown."""
    shown = last_lines([{"event": event} for event in events], count)
    assert len(shown) == len(set(shown)) == min(count, len(set(events)))
    assert shown[-1:] == (events[-1:] if count else [])
