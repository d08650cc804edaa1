"""A deferrable operator that reads an XCom in the triggerer; a test copies it to Airflow's plugins folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlpipe.triggers.lease import LEAST_SECONDS


class ReadingTrigger(BaseTrigger):
    """Reads what a task returned."""

    def __init__(self, dag_id: str, run_id: str, task_id: str) -> None:
        super().__init__()
        self.names = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For the triggerer's database."""
        return f"{type(self).__module__}.{type(self).__qualname__}", self.names

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire with what the value is, not before Airflow can take it."""
        await asyncio.sleep(LEAST_SECONDS)
        value = await XCom.aget_one(key="return_value", map_index=-1, **self.names)
        yield TriggerEvent({"type": type(value).__name__, "shape": list(value.shape)})


class Reading(BaseOperator):
    """Returns what its trigger saw."""

    def __init__(self, *, source: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source = source

    def execute(self, context: Any) -> None:
        """Wait in the triggerer."""
        ti = context["ti"]
        self.defer(trigger=ReadingTrigger(ti.dag_id, ti.run_id, self.source), method_name="seen")

    def seen(self, context: Any, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Resumed."""
        return event
