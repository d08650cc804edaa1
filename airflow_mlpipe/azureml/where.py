"""From where this package is called: the file that becomes the DAG's, and whether Airflow is parsing it."""

from __future__ import annotations

import os
import sys
from types import FrameType

_OURS = "airflow_mlpipe."


def outside(frame: FrameType | None) -> FrameType | None:
    """The nearest frame that is not this package's."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith(_OURS):
        frame = frame.f_back
    return frame


def parsing() -> bool:
    """Whether Airflow is reading a DAG file now; otherwise the script runs by itself."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    return DagContext.current_autoregister_module_name is not None


def calling_file() -> str:
    """Absolute path of the file whose pipeline it is.

    The one that Airflow parses; else the script that was started, if it called us; else the nearest caller (a notebook
    has no file: then a name in the current folder stands for it).
    """
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    if (parsed := DagContext.current_autoregister_module_name) is not None:
        return os.path.abspath(getattr(sys.modules[parsed], "__file__", None) or parsed)
    nearest = frame = outside(sys._getframe())
    while frame is not None:
        file = frame.f_code.co_filename
        if frame.f_globals.get("__name__") == "__main__" and file.endswith(".py") and "site-packages" not in file:
            return os.path.abspath(file)
        frame = frame.f_back
    file = nearest.f_code.co_filename if nearest else ""
    return os.path.abspath(file if os.path.isfile(file) else "notebook.py")
