"""Rows of XCom stay under 4 KiB: whatever a value is, however many outputs a step has, however long names are."""

from __future__ import annotations

import json

import pytest

LONG = "long_" * 50
ESCAPED = "\N{CYRILLIC SMALL LETTER ZHE}" * 250
MANY = f"""
    from airflow_mlpipe import Outputs, step
    import numpy as np

    NAMES = [f"output_{{i}}" for i in range(200)]

    @step(task_id="{LONG}")
    def made() -> Outputs({", ".join(f"output_{i}=np.ndarray" for i in range(199))}, output_199=str):
        return {{f"output_{{i}}": np.arange(i) for i in range(199)}} | {{"output_199": "x" * 2000}}

    @step
    def whole(found: dict) -> list:
        return [len(found), int(found["output_9"].sum()), len(found["output_199"])]

    @step
    def one(array: np.ndarray) -> int:
        return int(array.sum())

    @task
    def ordinary(found):
        return [len(found), int(found["output_9"].sum()), len(found["output_199"])]

    with DAG("{LONG}", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        found = made()
        whole(found)
        ordinary(found)
        one(found.output_9)
"""


def longest(run) -> int:
    """Bytes of the longest row."""
    return max(len(json.dumps(value)) for task in run.tasks.values() for value in task.xcoms.values())


@pytest.fixture
def backend(monkeypatch):
    """The backend of this process, as ``[core] xcom_backend`` would choose it."""
    from airflow.sdk.execution_time import task_runner, xcom

    import airflow_mlpipe.xcom

    for module in (xcom, task_runner):
        monkeypatch.setattr(module, "XCom", airflow_mlpipe.xcom.XComBackend)


@pytest.mark.parametrize("with_backend", [False, True], ids=["airflow's own backend", "our backend"])
def test_two_hundred_outputs_and_the_longest_ids_fit(run_dag, request, with_backend):
    """The result as a whole goes to steps and to ordinary tasks all the same, and is reused; gc keeps it."""
    from datetime import timedelta

    from airflow_mlpipe.hooks.workspace import open_workspace
    from airflow_mlpipe.store.gc import collect

    if with_backend:
        request.getfixturevalue("backend")
    first, again = run_dag(MANY), run_dag()
    for run in (first, again):
        assert set(run.states.values()) == {"success"}, run.log
        assert run["whole"].xcoms["return_value"] == run["ordinary"].xcoms["return_value"] == [200, 36, 2000]
        assert run["one"].xcoms["return_value"] == 36
        assert longest(run) < 4096
    assert again.executed == []
    assert [o for o in collect(open_workspace(), grace=timedelta(0)).objects if o.kind in ("blob", "tree")] == []


def test_a_result_whose_whole_is_gone_is_executed_again(run_dag):
    """The file that holds the references of all outputs is checked like an output."""
    source = MANY.replace(LONG, "short")
    reference = run_dag(source)["short"].xcoms["return_value"]
    (run_dag.workspace / reference["uri"].rpartition("/workspace/")[2]).unlink()
    again = run_dag()
    assert again.executed == ["short"]
    assert again["short"].reasons == ["OUTPUT_GONE return_value"]


@pytest.mark.parametrize(
    "value",
    ["'\N{CYRILLIC SMALL LETTER ZHE}' * 1500", "[1] * 1500", "['\N{GRINNING FACE}'] * 300", "list(range(100000))"],
)
def test_a_plain_value_is_measured_as_the_database_writes_it(run_dag, value):
    """Letters that are escaped and the spaces between members count."""
    run = run_dag(
        f"""
        from airflow_mlpipe import step

        @step
        def made():
            return {value}

        @step
        def same(found) -> bool:
            return found == {value}

        with DAG("plain", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            same(made())
        """
    )
    assert run["same"].xcoms["return_value"] is True, run.log
    assert longest(run) < 4096


def test_a_value_that_needs_long_details_is_read_all_the_same(run_dag):
    """An estimator whose parameters alone would fill a row."""
    pytest.importorskip("xgboost")
    run = run_dag(
        """
        from typing import TYPE_CHECKING
        from airflow_mlpipe import step
        if TYPE_CHECKING:
            import xgboost

        FEATURES = [f"a_feature_with_a_long_name_{i}" for i in range(300)]

        @step
        def fit():
            import numpy as np
            from xgboost import XGBRegressor
            limits = {name: 1 for name in FEATURES}
            return XGBRegressor(n_estimators=1, monotone_constraints=limits).fit(
                __import__("pandas").DataFrame(np.zeros((4, 300)), columns=FEATURES), np.zeros(4))

        @step
        def seen(model: "xgboost.XGBRegressor") -> int:
            return len(model.get_params()["monotone_constraints"])

        @task
        def ordinary(ti):
            from xgboost import XGBRegressor
            from airflow_mlpipe import load
            return len(load(ti.xcom_pull("fit"), XGBRegressor).get_params()["monotone_constraints"])

        with DAG("details", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            model = fit()
            seen(model) >> ordinary()
        """
    )
    assert run["seen"].xcoms["return_value"] == run["ordinary"].xcoms["return_value"] == 300, run.log
    assert longest(run) < 4096


def test_a_summary_with_many_long_reasons_is_cut():
    """The command line tells the rest."""
    from airflow_mlpipe.model.records import Producer, Reason, StepRun
    from airflow_mlpipe.operators.xcoms import summary

    who = Producer(dag_id=ESCAPED, task_id=ESCAPED, run_id=ESCAPED)
    reasons = tuple(Reason(code="PARAM", subject=f"p{i}", old="x" * 100, new="y" * 200) for i in range(40))
    told = summary(StepRun(step=who, fingerprint="mlp1:0", decision="reused", reasons=reasons, origin=who))
    assert len(json.dumps(told)) < 4096
    assert told["decision"] == "reused"


def test_ids_that_would_fill_a_row_are_left_out_of_a_reference():
    """Letters outside of ASCII take six bytes each in the database; what is needed to read the value stays."""
    from airflow_mlpipe.model.reference import OutputReference
    from airflow_mlpipe.model.row import fitted

    reference = OutputReference(
        name="value",
        kind="file",
        digest="sha256:" + "0" * 64,
        identity="sha256:" + "0" * 64,
        datastore="",
        uri="s3://bucket/workspace/blobs/00/sha256_" + "0" * 64,
        size=1,
        files=1,
        dag_id=ESCAPED,
        task_id=ESCAPED,
        run_id=ESCAPED,
        type="pandas.DataFrame",
        format="arrow/1",
        details={"needed": True},
        preview={"shape": [1, 1], "head": [["x" * 1000] * 8]},
    )
    row = fitted(reference).to_json()
    assert len(json.dumps(row)) < 4096
    assert (row["details"], row["digest"]) == (reference.details, reference.digest)
