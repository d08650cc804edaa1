"""A plain DAG on the embedded Airflow: what the system tests stand on."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_a_dag_that_is_written_runs_and_tells_its_xcoms(embedded_airflow):
    """A DAG file becomes a DAG, a run of it succeeds, and its XComs are read over the REST API."""
    embedded_airflow.write(
        "hello",
        """
        with DAG("hello", params={"name": "world"}):
            @task
            def greet(params):
                return f"hello {params['name']}"
            greet()
        """,
    )
    run = embedded_airflow.submit("hello", name="moon")
    assert run.wait_for_completion(show_output=False).state == "success"
    assert run.get_xcom("greet", "return_value") == "hello moon"
