"""Author: the decorator.  Calling the decorated function in a DAG makes a :class:`FunctionStep` and returns its result.

Built on Airflow's own decorator, so ``.expand()``, ``.expand_kwargs()``, ``.partial()``, ``.override()``, task ids in
TaskGroups, setup and teardown are Airflow's.  Constructing reads no file.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast, overload

import attrs
from airflow.sdk.bases.decorator import _TaskDecorator
from airflow.sdk.definitions.xcom_arg import PlainXComArg, XComArg

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import NamedInput, PipelineData
from airflow_mlpipe.operators.assets import asset_outlets
from airflow_mlpipe.operators.definition import check_compute, check_types, effective_reuse
from airflow_mlpipe.operators.function import FunctionStep, maker
from airflow_mlpipe.operators.function_outputs import function_outputs, outputs_of
from airflow_mlpipe.operators.placement import placed
from airflow_mlpipe.operators.ports import declare_outputs
from airflow_mlpipe.operators.value_arg import ValueArg

P = ParamSpec("P")
R = TypeVar("R")


_OF_PROGRAMS = frozenset({"arguments", "command", "inputs", "parameters", "script_name", "source_directory"})


class StepFunction(_TaskDecorator):  # type: ignore[type-arg]
    """A decorated function; ``.function`` is the plain one."""

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()  # type: ignore[no-untyped-call]
        if "resources" in self.kwargs:  # Airflow's mapping would take it for its own
            self.kwargs["step_resources"] = self.kwargs.pop("resources")
        function_outputs(self.function, self.kwargs.get("outputs"), where=f"step {self.kwargs['task_id']!r}")

    def override(self, **kwargs: Any) -> StepFunction:
        """A copy with other arguments of the step."""
        if "resources" in kwargs:
            kwargs["step_resources"] = kwargs.pop("resources")
        return cast("StepFunction", super().override(**kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make the step, and return what stands for its result."""
        return ValueArg(super().__call__(*args, **kwargs).operator)  # type: ignore[attr-defined]

    def _expand(self, expand_input: Any, *, strict: bool) -> Any:
        where = f"step {self.kwargs['task_id']!r}"
        check_types(self.kwargs, where=where)
        check_compute(self.kwargs, where=where)
        effective_reuse(self.kwargs.get("reuse"), self.kwargs.get("allow_reuse", True), where=where)
        target, resources = self.kwargs.get("compute_target"), self.kwargs.get("step_resources")
        self.kwargs |= placed(target, resources, self.kwargs, where=where)
        for data in _edges(self.kwargs.get("op_kwargs"), expand_input.value):
            raise DefinitionError(
                f"a mapped function step takes the output {data.name!r} from its step",
                where=where,
                fix=f"pass step.outputs[{data.name!r}] of the step that writes it",
            )
        outputs = function_outputs(self.function, self.kwargs.get("outputs"), where=where)
        if outlets := asset_outlets(self.kwargs.get("outlets"), outputs):
            self.kwargs["outlets"] = outlets
        operator = super()._expand(_by_reference(expand_input), strict=strict).operator  # type: ignore[attr-defined]
        # Airflow makes the edges of what is mapped over, and of template fields; what partial() got is none of these.
        XComArg.apply_upstream_relationship(operator, self.kwargs.get("op_kwargs"))
        declare_outputs(operator, frozenset(outputs_of(self.function, where=where)))
        return ValueArg(operator)


def _by_reference(expand_input: Any) -> Any:
    """What is mapped over as references: with the XCom backend, an ordinary task's list would be read whole."""
    given = expand_input.value
    if isinstance(given, Mapping):
        return attrs.evolve(expand_input, value={name: _reference_arg(one) for name, one in given.items()})
    return attrs.evolve(expand_input, value=_reference_arg(given))


def _reference_arg(value: Any) -> Any:
    return ValueArg(value.operator, key=value.key) if type(value) is PlainXComArg else value


def _edges(*values: Any) -> Iterator[PipelineData]:
    for value in values:
        if isinstance(value, NamedInput):
            value = value.data
        if isinstance(value, PipelineData):
            yield value
        elif isinstance(value, dict):
            yield from _edges(*value.values())
        elif isinstance(value, (list, tuple)):
            yield from _edges(*value)


@overload
def step(python_callable: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def step(**kwargs: Any) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
@maker
def step(python_callable: Callable[..., Any] | None = None, /, **kwargs: Any) -> Any:
    """Make a function a step: ``@step``, or ``@step(compute_target=..., environment=..., ...)``.

    The function runs in a process of its own, where what its annotations say decides the form in which it gets its
    arguments; what it returns is saved by its type.  Type checkers see the function's own signature and result.

    :param kwargs: arguments of :class:`~airflow_mlpipe.operators.base.StepOperator` and of Airflow's BaseOperator.
    :raises DefinitionError: for anything that is no function with a name.
    """
    if kwargs.pop("multiple_outputs", False):
        raise DefinitionError(
            "multiple_outputs is not for steps", where="step", fix="annotate the result: -> Outputs(a=..., b=...)"
        )

    if unknown := sorted(_OF_PROGRAMS & kwargs.keys()):
        raise DefinitionError(
            "these are arguments of steps that run a program",
            where="step",
            given=unknown,
            fix="give the function its values and data when you call it",
        )

    @maker
    def decorate(function: Callable[..., Any]) -> Any:
        _check_function(function)
        return StepFunction(
            function=function,
            multiple_outputs=False,
            operator_class=FunctionStep,
            kwargs=dict(kwargs),
            decorator_name="step",
        )

    return decorate if python_callable is None else decorate(python_callable)


def _check_function(function: object) -> None:
    """:raises DefinitionError: for anything that is no function with a name: it would have no code of its own."""
    plain = inspect.unwrap(function) if callable(function) else function
    if isinstance(plain, FunctionType) and plain.__name__ != "<lambda>":
        return
    name = getattr(plain, "__name__", type(plain).__name__)
    raise DefinitionError(
        "a step is made of a function that def defines",
        where="step",
        given=f"the lambda of {plain.__module__}" if isinstance(plain, FunctionType) else f"{name}: {plain!r}",
        valid="a function; a lambda, a class, a method, a builtin and a functools.partial are none",
        fix="write def name(...): ... that calls it, and decorate that",
    )


@maker
def step_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """``@task.step``: the same, as Airflow calls it."""
    kwargs.pop("multiple_outputs", None)
    return step(**kwargs) if python_callable is None else step(**kwargs)(python_callable)
