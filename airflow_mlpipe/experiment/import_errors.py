"""A DAG that a deployment does not have: perhaps because its file does not import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.experiment.api import AirflowApi, path
from airflow_mlpipe.experiment.errors import ApiError, UnknownDagError
from airflow_mlpipe.experiment.text import printable

_FILES_SHOWN, _LINES_SHOWN = 3, 5
_LONGEST = 300  # characters of a line


def unknown_dag(api: AirflowApi, dag_id: str) -> UnknownDagError:
    """The error for a DAG that is not there, with the files of the deployment that do not import.

    Shown are the last lines of the files whose name mentions the DAG's id, else those of the newest.
    """
    fix = "check the name; the dag processor shows a new file after [dag_processor] refresh_interval seconds"
    if broken := _import_errors(api):
        fix = f"check the name, or mend its file: {_say(broken, dag_id)}"
    return UnknownDagError("there is no such DAG", where=api.url, given=dag_id, fix=fix)


def _import_errors(api: AirflowApi) -> list[Mapping[str, Any]]:
    """The newest first; none when the user may not see them."""
    try:
        return list(api.pages(path("importErrors"), "import_errors", order_by="-timestamp"))
    except ApiError:
        # They explain an error that is being reported already; that they are not to be had must not hide it.
        return []


def _say(broken: list[Mapping[str, Any]], dag_id: str) -> str:
    named = [error for error in broken if dag_id.lower() in str(error.get("filename")).lower()]
    count = "1 file does not import" if len(broken) == 1 else f"{len(broken)} files do not import"
    shown = [f"{count} in this deployment" + ("" if named or len(broken) == 1 else "; the newest")]
    for error in (named or broken[:1])[:_FILES_SHOWN]:
        # Airflow's trace starts in its own code and ends with what is wrong.
        lines = [line for line in str(error.get("stack_trace")).splitlines() if line.strip()][-_LINES_SHOWN:]
        shown.append(f"  {printable(str(error.get('filename')))}:")
        shown += [f"    {printable(line)[:_LONGEST]}" for line in lines]
    return "\n".join(shown)
