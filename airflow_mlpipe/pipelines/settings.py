"""What a pipeline's file may tell Airflow of a DAG and of a task, by Airflow's own names.

One list serves reading, building, writing and taking a DAG apart.  An argument of Airflow that is not here has no form
in a file: it is an object, or it means something only in one deployment's code.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from airflow_mlpipe.written.durations import spell_duration

SettingKind = Literal["text", "integer", "number", "boolean", "duration", "moment", "texts", "links", "retry_policy"]

STEP_SETTINGS: dict[str, SettingKind] = {
    "task_display_name": "text",
    "doc_md": "text",
    "owner": "text",
    "retries": "integer",
    "retry_delay": "duration",
    "retry_exponential_backoff": "number",
    "max_retry_delay": "duration",
    "retry_policy": "retry_policy",
    "execution_timeout": "duration",
    "trigger_rule": "text",
    "depends_on_past": "boolean",
    "ignore_first_depends_on_past": "boolean",
    "wait_for_past_depends_before_skipping": "boolean",
    "wait_for_downstream": "boolean",
    "executor": "text",
    "queue": "text",
    "pool": "text",
    "pool_slots": "integer",
    "priority_weight": "integer",
    "weight_rule": "text",
    "max_active_tis_per_dag": "integer",
    "max_active_tis_per_dagrun": "integer",
    "run_as_user": "text",
    "map_index_template": "text",
}

PIPELINE_SETTINGS: dict[str, SettingKind] = {
    "start_date": "moment",
    "end_date": "moment",
    "catchup": "boolean",
    "max_active_runs": "integer",
    "max_active_tasks": "integer",
    "max_consecutive_failed_dag_runs": "integer",
    "dagrun_timeout": "duration",
    "fail_fast": "boolean",
    "is_paused_upon_creation": "boolean",
    "render_template_as_native_obj": "boolean",
    "owner_links": "links",
}

INFRASTRUCTURE = "infrastructure"
"""The one retry policy that has a name: :class:`~airflow_mlpipe.RetryInfrastructure`."""


def plain_setting(value: Any) -> Any:
    """A setting as YAML shows it."""
    return spell_duration(value) if isinstance(value, timedelta) else value
