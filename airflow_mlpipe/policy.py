"""Reuse for a whole deployment: a cluster policy that gives operators the hook.

In ``airflow_local_settings.py``::

    from airflow_mlpipe.policy import reuse_policy

    task_policy = reuse_policy(operators=["airflow.providers.standard.operators.bash.BashOperator"], version="1")

Airflow calls a task policy in the DAG processor and again in the worker.  (``dag.test()`` calls none.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.operators.any_operator import ReuseHook, reuse_unchanged

OPT_OUT = "mlpipe:never"
"""A task with this among its DAG's tags is left alone."""


def reuse_policy(*, operators: Sequence[str], **options: Any) -> Callable[[Any], None]:
    """Make a task policy that gives every operator of the named classes ``reuse_unchanged(**options)``.

    A task that has a ``pre_execute`` of its own keeps it and gets no hook.

    :param operators: dotted names of operator classes; subclasses do not count.
    :param options: those of :func:`~airflow_mlpipe.operators.any_operator.reuse_unchanged`.
    :raises ConfigurationError: when no class is named.
    """
    if isinstance(operators, str) or not operators:
        raise ConfigurationError("operators is a list of dotted class names", where="reuse_policy", given=operators)
    names, hook = frozenset(operators), reuse_unchanged(**options)

    def task_policy(task: Any) -> None:
        if OPT_OUT in (getattr(task.dag, "tags", None) or ()):
            return
        kind = getattr(task, "operator_class", None) or type(task)
        if f"{kind.__module__}.{kind.__qualname__}" in names:
            give(task, hook)

    return task_policy


def give(task: Any, hook: ReuseHook) -> None:
    """Give one task, mapped or not, the hook, unless it has a ``pre_execute`` already."""
    if getattr(task, "is_mapped", False):
        task.partial_kwargs.setdefault("pre_execute", hook)
    elif task._pre_execute_hook is None:
        task._pre_execute_hook = hook
