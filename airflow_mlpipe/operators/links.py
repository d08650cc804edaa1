"""The link from a reused step to the task instance that produced its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

from airflow_mlpipe.model.records import Producer, StepRun
from airflow_mlpipe.model.row import ROW, row_bytes

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


def task_instance_url(who: Producer) -> str:
    """The page of a task instance in Airflow's UI."""
    from airflow.sdk.configuration import conf

    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    path = f"/dags/{quote(who.dag_id, safe='')}/runs/{quote(who.run_id, safe='')}/tasks/{quote(who.task_id, safe='')}"
    return base + path + (f"/mapped/{who.map_index}" if who.map_index >= 0 else "")


class OriginLink(BaseOperatorLink):
    """``Produced by``: where the outputs of this step were computed (the step itself when it executed)."""

    name = "Produced by"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Asked by Airflow in the worker when the task ends."""
        run: StepRun | None = getattr(operator, "_run", None)
        url = task_instance_url(run.origin or run.step) if run else ""
        return url if row_bytes(url) <= ROW else ""  # it is an XCom, too
