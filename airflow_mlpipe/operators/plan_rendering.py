"""A task as a run would render it, with as much of a run's context as can be known before there is one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.operators.planned import Known, NotPlannable

if TYPE_CHECKING:
    from airflow.sdk import DAG


class Rendering:
    """The rendering of a DAG's tasks.

    :param conf: of the run that is planned.
    """

    def __init__(self, dag: DAG, conf: Mapping[str, Any], known: Known) -> None:
        self._dag, self._conf, self._known = dag, conf, known
        self._environment = dag.get_template_env()
        # Airflow compiles a template each time that it renders it; a plan has many steps with few templates.
        cached = lru_cache(self._environment.from_string)
        self._environment.from_string = cached  # type: ignore[method-assign,assignment]
        self._params: dict[str, dict[str, Any]] = {}

    def rendered(
        self, task: Any, context: Any, fields: Iterable[str], *, to_step: bool, data: frozenset[int] = frozenset()
    ) -> Any:
        """A copy of a task, its templates rendered and its edges replaced by what upstream's records hold.

        :param data: ids of values that are no templates.
        :raises NotPlannable: for a template that reads what only a run knows.
        """
        twin = copy(task)
        for name in fields:
            value = self._value(twin, getattr(task, name, None), context, to_step, data)
            object.__setattr__(twin, name, value)
        return twin

    def _value(self, task: Any, value: Any, context: Any, to_step: bool, data: frozenset[int]) -> Any:
        from airflow.sdk.definitions.xcom_arg import XComArg

        if id(value) in data:
            return value
        if isinstance(value, XComArg):
            return self._known.given(value, to_step=to_step)
        if type(value) in (list, tuple):
            return type(value)(self._value(task, v, context, to_step, data) for v in value)
        if type(value) is dict:
            return {k: self._value(task, v, context, to_step, data) for k, v in value.items()}
        if isinstance(value, str) and "{" not in value and not value.endswith(("\n", *task.template_ext)):
            return value  # what Airflow renders it to; to compile it as a template takes longer than all the rest
        return self._by_airflow(task, value, context, data)

    def _by_airflow(self, task: Any, value: Any, context: Any, data: frozenset[int]) -> Any:
        try:
            return task.render_template(value, context, self._environment, set(data))
        except MLPipeError:
            raise
        except Exception as error:  # whatever the author's template, or an object in it, raises
            raise NotPlannable(f"it is rendered with what only a run knows: {error}") from error

    def context(self, task: Any, who: Producer) -> Any:
        """As much of a run's context as can be known."""
        import pendulum
        from airflow.sdk.execution_time.context import ConnectionAccessor, MacrosAccessor, VariableAccessor

        now = pendulum.now("UTC")
        ti = _PlannedInstance(who)
        return {
            "params": self._params_of(task),
            "dag": self._dag,
            "task": task,
            "ti": ti,
            "task_instance": ti,
            "run_id": who.run_id,
            "dag_run": _PlannedRun(self._conf, who.run_id),
            "ds": now.to_date_string(),
            "ds_nodash": now.format("YYYYMMDD"),
            "ts": now.isoformat(),
            "logical_date": now,
            "macros": MacrosAccessor(),
            "var": {"json": VariableAccessor(deserialize_json=True), "value": VariableAccessor(deserialize_json=False)},
            "conn": ConnectionAccessor(),
        }

    def _params_of(self, task: Any) -> dict[str, Any]:
        """The run's parameters, checked; most tasks have none of their own, and what was checked once serves all."""
        from airflow.sdk.definitions.param import ParamsDict

        merged: dict[str, Any] = {**dict(self._dag.params.items()), **dict(task.params.items())}  # type: ignore[no-untyped-call]
        declared = repr([(name, param.value, param.schema) for name, param in merged.items()])
        if declared not in self._params:
            params = ParamsDict(merged, suppress_exception=False)
            params.update({k: v for k, v in self._conf.items() if k in params})
            self._params[declared] = params.validate()
        return self._params[declared]


class _PlannedInstance:
    """The parts of a task instance that a step looks at."""

    def __init__(self, who: Producer) -> None:
        self.dag_id, self.task_id, self.run_id = who.dag_id, who.task_id, who.run_id
        self.map_index, self.try_number = who.map_index, who.try_number


@dataclass(frozen=True, slots=True)
class _PlannedRun:
    """The parts of a DAG run that a template looks at."""

    conf: Mapping[str, Any]
    run_id: str
