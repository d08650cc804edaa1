"""The XCom backend and ``@step`` on a real scheduler and triggerer, with a workspace on S3: nobody shares a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from airflow_mlpipe.experiment import ApiError, Run

pytestmark = [pytest.mark.system, pytest.mark.slow]

VALUES = """
from collections.abc import Iterator
from typing import TYPE_CHECKING
from airflow_mlpipe import step
from reading_trigger import Reading
if TYPE_CHECKING:
    import pandas as pd

with DAG("values", params={"own": 0}):
    @task
    def frame():
        import pandas as pd
        return pd.DataFrame({"x": range(1000), "name": [f"n{i}" for i in range(1000)]})

    @task
    def arrays():
        import numpy as np
        return {"plain": np.arange(5.0), "n": 5, "in a list": [np.ones((2, 3)), "text"], "pair": (1, 2)}

    @task
    def own(params):
        import numpy as np
        return np.full(100, params["own"])

    @task
    def handed(value):
        return value

    @task
    def looked(table, held):
        import pandas as pd
        expected = pd.DataFrame({"x": range(1000), "name": [f"n{i}" for i in range(1000)]})
        array = held["in a list"][0]
        return [table.equals(expected), held["plain"].tobytes().hex(), list(array.shape), held["pair"] == (1, 2)]

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def rows(n):
        import pandas as pd
        return pd.DataFrame({"x": range(n)})

    @task
    def gathered(tables):
        return [len(table) for table in tables]

    @step
    def summed(tables: "list[pd.DataFrame]", table: "pd.DataFrame") -> list:
        return [sum(len(table) for table in tables), len(table)]

    @step
    def parts() -> "Iterator[pd.DataFrame]":
        import pandas as pd
        for n in (1, 2, 3):
            yield pd.DataFrame({"x": range(n)})

    @step
    def streamed(parts: "Iterator[pd.DataFrame]") -> list:
        return [type(parts).__name__ == "generator", *(len(part) for part in parts)]

    table = frame()
    looked(table, arrays())
    many = rows.expand(n=numbers())
    gathered(many)
    summed(many, table)
    streamed(parts())
    table >> Reading(task_id="triggered", source="frame")
    handed(own())
"""
RETRIED = """
import datetime

with DAG("retried"):
    @task(retries=1, retry_delay=datetime.timedelta(0))
    def flaky(ti):
        import numpy as np
        import pandas as pd
        shared = pd.DataFrame({"x": range(1000), "name": [f"n{i}" for i in range(1000)]})
        ti.xcom_push("shared", shared)
        if ti.try_number == 1:
            ti.xcom_push("first", np.full(1000, 7))
            raise RuntimeError("once")

    flaky()
"""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Two runs of equal tasks, of which one returns something of its own in each."""

    first: Run
    second: Run

    def answers(self, run: Run) -> dict[str, Any]:
        """What the readers saw."""
        names = ("looked", "gathered", "summed", "streamed", "triggered")
        return {name: run.get_xcom(name, "return_value") for name in names}


ANSWERS = {
    "looked": [True, "0000000000000000000000000000f03f000000000000004000000000000008400000000000001040", [2, 3], True],
    "gathered": [1, 2, 3],
    "summed": [6, 1000],
    "streamed": [True, 1, 2, 3],
    "triggered": {"type": "DataFrame", "shape": [1000, 2]},
}


@pytest.fixture(scope="module")
def runs(shared) -> Runs:
    """The values have been through Airflow twice, the second time on a host that has nothing of the first."""
    shared.airflow.write("values", VALUES)
    found = []
    for own in (1, 2):
        run = shared.airflow.submit("values", own=own)
        run.wait_for_completion(show_output=False)
        found.append(run)
        shared.forget_host()
    return Runs(first=found[0], second=found[1])


def digest_of(run: Run, task: str, key: str = "return_value", map_index: int = -1) -> str:
    """What an XCom refers to."""
    digest: str = run.get_xcom(task, key, map_index=map_index)["digest"]
    return digest


def is_there(shared, digest: str) -> bool:
    """Whether the store has these contents."""
    name = digest.replace(":", "_")
    return any(name in key for key in shared.keys("blobs") | shared.keys("trees"))


def test_values_of_any_type_come_as_they_went(runs):
    """A frame, arrays in a dict, a stream of tables: to ordinary tasks, mapped ones, steps, and the triggerer."""
    assert runs.answers(runs.first) == ANSWERS
    assert runs.answers(runs.second) == ANSWERS


def test_equal_values_of_two_runs_are_the_same_contents(runs):
    """And different ones are not."""
    assert digest_of(runs.first, "frame") == digest_of(runs.second, "frame")
    assert digest_of(runs.first, "own") != digest_of(runs.second, "own")


def test_a_task_that_hands_on_a_value_hands_on_its_reference(runs):
    """Nothing is written twice."""
    assert digest_of(runs.first, "handed") == digest_of(runs.first, "own")


def test_a_task_that_is_cleared_reads_and_pushes_again(shared, runs):
    """Its earlier XComs are deleted by Airflow, and neither its own nor another run's contents with them."""
    shared.clear(runs.first, "frame", "looked")
    assert runs.answers(runs.first) == ANSWERS
    shared.forget_host()
    shared.clear(runs.second, "looked")
    assert runs.answers(runs.second) == ANSWERS


def test_a_retry_takes_nothing_from_another_run(shared, runs):
    """What the failed try shares with others stays; what only it pushed is garbage, and gc finds it."""
    shared.airflow.write("retried", RETRIED)
    run = shared.airflow.submit("retried")
    run.wait_for_completion(show_output=False)
    with pytest.raises(ApiError):
        run.get_xcom("flaky", "first")
    assert digest_of(run, "flaky", "shared") == digest_of(runs.first, "frame")
    removed = {one["key"].split("/")[0] for one in shared.gc()["objects"]}
    assert removed == {"blobs"}
    shared.forget_host()
    shared.clear(runs.second, "looked")
    assert runs.answers(runs.second) == ANSWERS


def test_a_deleted_xcom_leaves_garbage_that_gc_finds(shared, runs):
    """Deleted over the REST API: the backend is not asked, and what other runs refer to stays."""
    digests = [digest_of(runs.first, task) for task in ("frame", "own", "arrays")]
    assert shared.gc()["objects"] == []
    shared.delete_xcom(runs.first, "frame")
    shared.delete_xcom(runs.first, "own")
    gone = [one["reason"] for one in shared.gc()["objects"]]
    assert gone == ["its XCom is gone"] * 2
    assert [is_there(shared, digest) for digest in digests] == [True] * 3, "another task's XCom refers to each"
    shared.delete_xcom(runs.first, "handed")
    shared.gc()
    assert [is_there(shared, digest) for digest in digests] == [True, False, True]
    shared.forget_host()
    shared.clear(runs.second, "looked")
    assert runs.answers(runs.second) == ANSWERS


def test_after_airflow_has_cleaned_its_database_gc_removes_the_values_and_keeps_the_results(shared, runs):
    """``airflow db clean`` tells nobody; what a reuse record refers to is needed without any XCom."""
    table = digest_of(runs.second, "frame")
    parts = digest_of(runs.second, "parts")
    cleaned = shared.airflow.airflow.run(
        *("db", "clean", "--clean-before-timestamp", "2100-01-01", "--tables", "xcom", "--skip-archive", "--yes")
    )
    assert cleaned.returncode == 0, cleaned.stderr
    shared.gc()
    assert shared.keys("values") == set()
    assert not is_there(shared, table)
    assert is_there(shared, parts)
    assert shared.gc()["objects"] == []
