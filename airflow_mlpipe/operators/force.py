"""What a DAG run's conf forces: ``{"mlpipe": {"refresh": ...}}``.

``"all"`` executes every step; a list names steps (``"train"``, patterns like ``"*.train"``), and a name with a plus,
``"train+"``, means that step and everything that follows it.  The same from the UI's trigger form, the REST API, the
command line and another DAG, because all of them set the conf.  (A scheduled run has none.)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context

EXAMPLE = '{"mlpipe": {"refresh": ["train+"]}}, or "all" in place of the list'


def forced_by(
    conf: Mapping[str, Any] | None, task_id: str, *, upstream: Collection[str], all_tasks: Collection[str]
) -> str | None:
    """The entry of the conf that forces this step to execute; ``None`` when nothing does.

    :param upstream: ids of all tasks before it, directly or not.
    :param all_tasks: ids of all tasks of the DAG, to find names that are of none.
    :raises ConfigurationError: for a conf of the wrong form, and for a name that is no task's.
    """
    ours = (conf or {}).get("mlpipe")
    if ours is None:
        return None
    where = "the DAG run's conf"
    if not isinstance(ours, Mapping) or (unknown := set(ours) - {"refresh"}):
        given = ours if not isinstance(ours, Mapping) else sorted(unknown)
        raise ConfigurationError("member 'mlpipe' is not understood", where=where, given=given, valid=EXAMPLE)
    refresh = ours.get("refresh")
    if refresh in (None, [], ""):
        return None
    if refresh == "all":
        return "all"
    entries = [refresh] if isinstance(refresh, str) else refresh
    if not isinstance(entries, list) or not all(isinstance(e, str) for e in entries):
        raise ConfigurationError("'refresh' is not understood", where=where, given=refresh, valid=EXAMPLE)
    for entry in entries:
        if not any(fnmatchcase(t, entry.removesuffix("+")) for t in all_tasks):
            raise ConfigurationError(
                "'refresh' names no task of this DAG", where=where, given=entry, valid=sorted(all_tasks)
            )
    return next((e for e in entries if _matches(e, task_id, upstream)), None)


def forced_in(context: Context) -> str | None:
    """:func:`forced_by`, asked for the task instance of a context; same errors."""
    task = context["task"]
    return forced_by(
        context["dag_run"].conf,
        task.task_id,
        upstream=task.get_flat_relative_ids(upstream=True),
        all_tasks=context["dag"].task_ids,
    )


def _matches(entry: str, task_id: str, upstream: Collection[str]) -> bool:
    pattern = entry.removesuffix("+")
    if fnmatchcase(task_id, pattern):
        return True
    return entry.endswith("+") and any(fnmatchcase(t, pattern) for t in upstream)
