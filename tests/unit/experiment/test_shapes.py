"""The fake REST API that the other tests use has the shape of Airflow's."""

from __future__ import annotations

import pytest
from support.rest_api import FakeAirflow, FakeDag, FakeStep, Frame

STEP = FakeStep("train", "success", {"decision": "executed"})
RUN = "/api/v2/dags/digits/dagRuns/r1"


def _answer(path: str, **query: str) -> dict:
    fake = FakeAirflow()
    fake.dags["digits"] = FakeDag(params={"lr": {"value": 0.1, "schema": {}, "description": None, "source": "dag"}})
    fake.frames[0] = Frame("success", [STEP])
    fake.import_errors = [("digits.py", "NameError")]
    fake.runs["r1"] = {"dag_id": "digits", "dag_run_id": "r1", "conf": {}, "asked": False}
    status, answer = fake.answer("GET", path, {"limit": "10", **query}, None, "token-of-ml")
    assert status == 200
    return answer


@pytest.mark.parametrize(
    ("model", "path", "member"),
    [
        ("dags.DAGDetailsResponse", "/api/v2/dags/digits/details", None),
        ("tasks.TaskCollectionResponse", "/api/v2/dags/digits/tasks", None),
        ("tasks.TaskResponse", "/api/v2/dags/digits/tasks", "tasks"),
        ("import_error.ImportErrorCollectionResponse", "/api/v2/importErrors", None),
        ("import_error.ImportErrorResponse", "/api/v2/importErrors", "import_errors"),
        ("dag_run.DAGRunResponse", RUN, None),
        ("task_instances.TaskInstanceCollectionResponse", f"{RUN}/taskInstances", None),
        ("task_instances.TaskInstanceResponse", f"{RUN}/taskInstances", "task_instances"),
        ("xcom.XComCollectionResponse", f"{RUN}/taskInstances/~/xcomEntries", None),
        ("xcom.XComResponse", f"{RUN}/taskInstances/~/xcomEntries", "xcom_entries"),
        ("xcom.XComResponseNative", f"{RUN}/taskInstances/train/xcomEntries/mlpipe", None),
        ("log.TaskInstancesLogResponse", f"{RUN}/taskInstances/train/logs/1", None),
    ],
)
def test_the_fake_sends_only_members_that_airflow_sends(model: str, path: str, member: str | None) -> None:
    """Every member that the fake answers with is one of Airflow's response model."""
    import importlib

    module, name = model.split(".")
    airflow_model = getattr(importlib.import_module(f"airflow.api_fastapi.core_api.datamodels.{module}"), name)
    known = set(airflow_model.model_json_schema(mode="serialization")["properties"])
    answer = _answer(path)
    sent = set(answer[member][0] if member else answer)
    assert sent
    assert sent <= known


def test_the_trigger_body_is_one_that_airflow_accepts() -> None:
    """Airflow's strict model of the body takes exactly what is posted."""
    from airflow.api_fastapi.core_api.datamodels.dag_run import TriggerDAGRunPostBody

    body = TriggerDAGRunPostBody.model_validate(
        {"dag_run_id": "manual__2026-01-31T08:30:00+00:00_0a1b2c3d", "logical_date": None, "conf": {"lr": 0.3}}
    )
    assert body.conf == {"lr": 0.3}


def test_the_run_id_is_one_of_a_manual_run() -> None:
    """Airflow reads the kind of run from the id's prefix and refuses one of another kind."""
    from airflow.utils.types import DagRunType

    assert DagRunType.from_run_id("manual__2026-01-31T08:30:00+00:00_0a1b2c3d") is DagRunType.MANUAL
