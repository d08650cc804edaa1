"""What Airflow was told of a DAG or a task: the settings that have a form in a file, and the names of all others.

A setting counts if its value is not the one that it has where nobody says anything.  Airflow's own list of arguments is
asked, so that an argument of a later version is named, too, and not passed over.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.pipelines.reading.settings import spell_moment
from airflow_mlpipe.pipelines.settings import INFRASTRUCTURE, PIPELINE_SETTINGS, STEP_SETTINGS

if TYPE_CHECKING:
    from airflow.sdk import DAG

Name = Callable[[str], None]
"""Told what has no form."""

_STRUCTURE = frozenset({"self", "task_id", "dag", "task_group", "default_args", "kwargs", "sla", "params", "outlets"})
_ATTRIBUTES = {
    "pre_execute": "_pre_execute_hook",
    "post_execute": "_post_execute_hook",
    "logger_name": "_logger_name",
    "task_display_name": "_task_display_name",
}
_OF_DAG = frozenset({"dag_id", "description", "schedule", "doc_md", "params", "tags", "dag_display_name", "task_group"})


def attribute(task: Any, argument: str, default: Any) -> Any:
    """What a task keeps of an argument."""
    return getattr(task, _ATTRIBUTES.get(argument, argument), default)


def step_settings(read: Callable[[str, Any], Any], name: Name, placed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a task.

    :param read: gives an argument of the task by its name, or the default.
    :param placed: arguments that the step's compute has added.
    """
    found: dict[str, Any] = {}
    for argument, default in _defaults_of_task().items():
        value = read(argument, default)
        if _same(value, default) or (argument in placed and _same(value, placed[argument])):
            continue
        if argument in STEP_SETTINGS and (plain := _plain(value, argument)) is not None:
            found[argument] = plain
        else:
            name(argument)
    return {setting: found[setting] for setting in STEP_SETTINGS if setting in found}


def pipeline_settings(dag: DAG, name: Name) -> dict[str, Any]:
    """The settings of a DAG."""
    found: dict[str, Any] = {}
    for argument, default in _defaults_of_dag().items():
        value = getattr(dag, argument)
        if argument in ("start_date", "end_date"):
            if value is not None:
                found[argument] = spell_moment(value.astimezone(dag.timezone))
        elif _same(value, default) or argument in _OF_DAG:
            continue
        elif argument in PIPELINE_SETTINGS:
            found[argument] = dict(value) if argument == "owner_links" else value
        else:
            name(argument)
    if "start_date" in found and (zone := _zone(dag)) != "UTC":
        found["timezone"] = zone
    return {setting: found[setting] for setting in (*PIPELINE_SETTINGS, "timezone") if setting in found}


def _zone(dag: DAG) -> str:
    return str(getattr(dag.timezone, "name", dag.timezone))


def _plain(value: Any, argument: str) -> Any:
    """A value of a setting; ``None`` for an object that has no form."""
    from airflow_mlpipe.retries import RetryInfrastructure

    if argument == "retry_policy":
        return INFRASTRUCTURE if type(value) is RetryInfrastructure and value.retry_delay is None else None
    if STEP_SETTINGS[argument] == "text":
        # TriggerRule and WeightRule are enumerations of texts; a rule may be an object of the author's.
        return str(getattr(value, "value", value)) if isinstance(value, str) else None
    if STEP_SETTINGS[argument] == "number":
        return float(value)
    return value


def _same(value: Any, default: Any) -> bool:
    return bool(value == default) or (_is_nothing(value) and _is_nothing(default))


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, (str, list, tuple, dict, set, frozenset)) and not value)


@lru_cache(maxsize=1)
def _defaults_of_task() -> dict[str, Any]:
    """Arguments of Airflow's BaseOperator, with what they are where nobody says anything."""
    from airflow.sdk import BaseOperator

    bare = BaseOperator(task_id="bare", dag=None, task_group=None)
    names = [n for n in inspect.signature(BaseOperator.__init__).parameters if n not in _STRUCTURE]
    return {name: attribute(bare, name, None) for name in names}


@lru_cache(maxsize=1)
def _defaults_of_dag() -> dict[str, Any]:
    from airflow.sdk import DAG

    bare = DAG(dag_id="bare")
    names = [
        n for n in inspect.signature(DAG.__init__).parameters if n not in ("self", "default_args", "auto_register")
    ]
    return {name: getattr(bare, name, None) for name in names}
