"""AUTHOR once, use everywhere: the organisation's library of steps.

A module is a folder with a ``module.yaml`` and its code.  In the order of its life: it is read (``reading``) into a
definition (``definition``), published into a library (``library``, ``publishing``), asked for (``requests``), found in
a source (``folders``, ``libraries``, ``resolving``), pinned (``locking``), and its code brought to the worker
(``fetching``), where it is verified before it runs.

Guarantees that what a name and a version stand for never changes, that a version which is not there is an error and
never another version, and that nothing of a module's name and version gets into a fingerprint.

What people do with modules are functions of this package, the same as the commands ``airflow mlpipe module ...``:
``publish``, ``ls``, ``show``, ``diff``, ``deprecate``, ``yank``, ``set_default``, ``test``, ``init``, ``lock``,
``from_function`` and ``from_step``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_mlpipe.modules.api import deprecate, diff, lock, ls, publish, set_default, show, yank
    from airflow_mlpipe.modules.cases import run_cases as test
    from airflow_mlpipe.modules.locking import unlocked
    from airflow_mlpipe.modules.making import init
    from airflow_mlpipe.operators.module_of_function import from_function
    from airflow_mlpipe.operators.module_of_step import from_step

_HOME = {
    "deprecate": "modules.api",
    "diff": "modules.api",
    "from_function": "operators.module_of_function",
    "from_step": "operators.module_of_step",
    "init": "modules.making",
    "lock": "modules.api",
    "ls": "modules.api",
    "publish": "modules.api",
    "set_default": "modules.api",
    "show": "modules.api",
    "test": "modules.cases:run_cases",
    "unlocked": "modules.locking",
    "yank": "modules.api",
}

__all__ = [
    "deprecate",
    "diff",
    "from_function",
    "from_step",
    "init",
    "lock",
    "ls",
    "publish",
    "set_default",
    "show",
    "test",
    "unlocked",
    "yank",
]


def __getattr__(name: str) -> Any:
    """Import a function when it is first used (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it exports {', '.join(__all__)}")
    module, _, attribute = _HOME[name].partition(":")
    value = getattr(importlib.import_module(f"airflow_mlpipe.{module}"), attribute or name)
    globals()[name] = value
    return value
