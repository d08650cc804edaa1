"""The call of a ModuleStep, before Airflow sees it: the module is found, and what it is decides what is made.

Takes ``params`` away from Airflow, which has an argument of that name for every operator, and makes a TaskGroup of a
module that has steps.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from airflow.sdk.bases.operator import BaseOperatorMeta
from airflow.sdk.definitions._internal.contextmanager import DagContext, TaskGroupContext

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.modules.resolved import ResolvedModule
from airflow_mlpipe.modules.resolving import resolve_module
from airflow_mlpipe.operators.edges import edges_of
from airflow_mlpipe.operators.module_mapped import PARAMS


class ModuleMeta(BaseOperatorMeta):
    """Takes ``params`` before Airflow does."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - of a metaclass
        """The step, or the group of steps."""
        if kwargs.get("_airflow_from_mapped"):
            return super().__call__(*args, **kwargs)
        if "params" in kwargs:
            kwargs[PARAMS] = kwargs.pop("params")
        if "module" in kwargs:
            where = f"step {kwargs.get('task_id')!r}"
            kwargs["dag"] = dag = kwargs.get("dag") or DagContext.get_current()
            found = find_module(kwargs["module"], dag, where)
            if found.definition.kind == "pipeline":
                return _group(found, kwargs, where)
            kwargs["resolved"] = found
        return super().__call__(*args, **kwargs)


def find_module(module: object, dag: Any, where: str) -> ResolvedModule:
    """The module of a step: looked for once in a DAG, so that all its steps get the same.

    :raises DefinitionError: as :func:`~airflow_mlpipe.modules.resolving.resolve_module`, and for a step without a DAG.
    """
    file = dag_file_of(dag, where)
    known = edges_of(dag, where=where).modules
    found = known.get(module) if isinstance(module, str) else None
    if found is None:
        found = resolve_module(module, file, where=where)
        known[str(module)] = found
        tell_remarks(found, where)
    assert isinstance(found, ResolvedModule)
    return found


class ModuleWarning(UserWarning):
    """Something that an author should know of a module: it is deprecated, its library does not answer."""


def tell_remarks(found: ResolvedModule, where: str) -> None:
    """Warn of what there is to say of a module, while the DAG file is parsed."""
    for remark in found.remarks:
        warnings.warn(f"{where}: {remark}", ModuleWarning, stacklevel=3)


def _group(found: ResolvedModule, kwargs: dict[str, Any], where: str) -> Any:
    """The TaskGroup of a module that has steps."""
    refuse_program(kwargs, where)
    kwargs.setdefault("task_group", TaskGroupContext.get_current(kwargs["dag"]))
    # By its name: what builds several steps stands above the steps.
    build = importlib.import_module("airflow_mlpipe.pipelines.module_group")
    return build.build_group(found, **kwargs)


def params_of(given: Any, where: str) -> Mapping[str, Any]:
    """What the author gave for ``params``.  :raises DefinitionError: for what is no dict."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise DefinitionError("params of a module is a dict of name to value", where=where, given=given)
    return given


def refuse_program(given: Collection[str], where: str) -> None:
    """Arguments about the program are the module's.  :raises DefinitionError: naming one that the author gave."""
    for name in ("arguments", "command", "script_name", "source_directory", "include", "code", "parameters"):
        if name in given:
            fix = "give params={...}" if name == "parameters" else "write a module, or a ScriptStep"
            raise DefinitionError(f"{name} is the module's to say", where=where, fix=fix)


def dag_file_of(dag: Any, where: str) -> str:
    """The file of a DAG.  :raises DefinitionError: for a step outside of any."""
    if dag is None:
        raise DefinitionError(
            "the step belongs to no DAG",
            where=where,
            fix="create it inside `with DAG(...)` or an @dag function, or pass dag=",
        )
    return str(dag.fileloc)
