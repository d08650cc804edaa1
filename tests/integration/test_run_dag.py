"""The battery's own tool: what it reports is what the tasks did."""

from __future__ import annotations

SOURCE = """
from airflow.providers.standard.operators.bash import BashOperator

with DAG("plain", params={"word": "one"}):
    first = BashOperator(task_id="first", bash_command="echo {{ params.word }}")

    @task
    def double(word):
        print("doubling", word)
        return word * 2

    double(first.output)
"""


def test_states_xcoms_and_logs_of_a_run_are_reported(run_dag):
    """A run's outcome holds each task's state and XComs, and the lines that were logged."""
    run = run_dag(SOURCE, conf={"word": "two"})
    assert run.state == "success"
    assert run.states == {"first": "success", "double": "success"}
    assert run["double"].xcoms["return_value"] == "twotwo"
    assert "doubling two" in run["double"].log
    assert "Running command" in run["first"].log
    assert "doubling" not in run["first"].log


def test_a_failing_task_fails_the_run(run_dag):
    """The outcome of a failed run is `failed`, not an exception."""
    run = run_dag("""
    with DAG("failing"):
        @task
        def bad():
            raise ValueError("because")
        bad()
    """)
    assert (run.state, run["bad"].state) == ("failed", "failed")
    assert "because" in run.log
