"""FunctionStep: a Python function as a step.  Authors write ``@step``; see :mod:`airflow_mlpipe.decorators`.

Its arguments are the step's parameters, and those of them that stand for data its inputs; its code is what the function
reaches of its file, and the local files that those import.  It runs in a process of its own like any program.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk.bases.decorator import get_unique_task_id

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import DataReference, NamedInput, PipelineData
from airflow_mlpipe.model.reference import is_absent, is_inline_value, is_reference
from airflow_mlpipe.operators.base import StepOperator
from airflow_mlpipe.operators.composites import Members
from airflow_mlpipe.operators.function_outputs import function_outputs, outputs_of
from airflow_mlpipe.operators.ports import Port, is_xcom
from airflow_mlpipe.operators.program import Said
from airflow_mlpipe.values.errors import UnsupportedValueError
from airflow_mlpipe.values.members import with_leaves
from airflow_mlpipe.values.registry import of_type
from airflow_mlpipe.values.structure import encode

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_mlpipe.fingerprint.functions import FunctionCode

F = TypeVar("F", bound=Callable[..., Any])
_MAKER = "mlpipe_makes_steps"
_PORT = "mlpipe-port"
_LAZY_SEQUENCES = frozenset({"LazyXComSequence", "_MapResult", "_ZipResult", "_ConcatResult"})
"""Airflow's, of the results of a mapped task, and of ``.map()``, ``.zip()`` and ``.concat()``."""


class FunctionStep(StepOperator):
    """Calls a function with values, and publishes what it returns.

    :param python_callable: the function. :param op_args: positional arguments. :param op_kwargs: the others.
    :param outputs: options of outputs that the function declares, by name.
    :param step_resources: as ``resources`` of the other steps (Airflow's mapping has an argument of that name).

    The other arguments are those of :class:`~airflow_mlpipe.operators.base.StepOperator` that are not about a program.

    :raises DefinitionError: for arguments that the function does not take, and values that cannot travel.
    """

    kind = "function"
    custom_operator_name = "@step"
    shallow_copy_attrs: ClassVar[Sequence[str]] = ("python_callable",)  # type: ignore[misc]

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        task_id: str,
        op_args: Sequence[Any] = (),
        op_kwargs: Mapping[str, Any] | None = None,
        outputs: Sequence[PipelineData] | None = None,
        step_resources: Any = None,
        multiple_outputs: bool = False,
        **kwargs: Any,
    ) -> None:
        where = f"step {task_id!r}"
        mapped = bool(getattr(self, "_BaseOperator__from_mapped", False))
        if not mapped:
            task_id = get_unique_task_id(task_id, kwargs.get("dag"), kwargs.get("task_group"))
        data = function_outputs(python_callable, outputs, where=where)
        given = bind(python_callable, op_args, op_kwargs or {}, where=where)
        inputs: dict[str, Any] = {}
        parameters = {name: _plain(value, name, inputs, where, check=not mapped) for name, value in given.items()}
        self.python_callable = python_callable
        super().__init__(
            task_id=task_id,
            parameters=parameters,
            inputs=inputs or None,
            outputs=data,
            resources=step_resources,
            **kwargs,
        )
        self.names = outputs_of(python_callable, where=where)

    @classmethod
    def complete(cls, said: Said, *, where: str) -> Said:
        """A function has no command line.  :raises DefinitionError: when one was given."""
        if any((said.arguments, said.command, said.script_name, said.source_directory)):
            raise DefinitionError(
                "a function step has no program", where=where, fix="give the function its values as arguments"
            )
        return Said((), None, None, None, "closure")

    def pushed_outputs(self) -> tuple[str, ...]:
        """The declared ones; a single value is the return value."""
        return self.names

    def take_arguments(self) -> None:
        """After rendering: what came as references becomes inputs, all else its structured JSON."""
        ports: list[Port] = list(self.inputs or [])
        where = f"step {self.task_id!r}"
        taken: dict[str, Any] = {}
        for name, value in (self.parameters or {}).items():
            taken[name] = _Taking(name, ports, where).document(value)
        object.__setattr__(self, "parameters", taken)
        object.__setattr__(self, "inputs", ports)

    def read_function(self, cache: Path | None) -> FunctionCode:
        """The code that the function reaches.  :raises UncacheableError: when it cannot travel."""
        from airflow_mlpipe.fingerprint.functions import read_function

        return read_function(
            self.python_callable, include=self.include, cache_dir=cache, strip=function_of, makes=makes_steps
        )


def function_of(value: object) -> FunctionType | None:
    """The plain function of a decorated step."""
    function = getattr(value, "function", None)
    is_step = getattr(value, "operator_class", None) is FunctionStep
    return function if is_step and isinstance(function, FunctionType) else None


def maker(decorator: F) -> F:
    """Mark a decorator as one that makes steps: the step's own process has no need of it."""
    setattr(decorator, _MAKER, True)
    return decorator


def makes_steps(value: object) -> bool:
    """Whether an object is a decorator that :func:`maker` marked, whatever name it was given."""
    while isinstance(value, functools.partial):
        value = value.func
    return isinstance(value, FunctionType) and getattr(value, _MAKER, False) is True


def bind(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Arguments by name, defaults that are plain values included: they count, and a changed one is a reason.

    :raises DefinitionError: for arguments that the function does not take, and a function with ``*args``.
    """
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise DefinitionError(
                "every parameter of a step's function is passed by its name",
                where=where,
                given=str(parameter),
                fix="give it a name; a list or a dict may hold several values",
            )
    try:
        given = dict(signature.bind(*args, **kwargs).arguments)
    except TypeError as error:
        raise DefinitionError(
            f"the function cannot be called so: {error}", where=where, valid=f"{function.__name__}{signature}"
        ) from error
    for name, parameter in signature.parameters.items():
        if name not in given and parameter.default is not parameter.empty and _is_encodable(parameter.default):
            given[name] = parameter.default
    return {name: given[name] for name in signature.parameters if name in given}


def _is_encodable(value: Any) -> bool:
    try:
        encode(value, lambda *_: None)
    except UnsupportedValueError:
        return False
    return True


def _plain(value: Any, name: str, inputs: dict[str, Any], where: str, *, check: bool) -> Any:
    """An argument as the operator keeps it: data objects by the port that they became, literals checked."""
    if isinstance(value, (DataReference, PipelineData, NamedInput)):
        inputs[name] = value
        return {_PORT: name}
    if is_xcom(value):
        return value
    # What holds no data stays the object that it is: Airflow knows by it that a mapped value is no template.
    if type(value) in (list, tuple):
        members = [_plain(v, f"{name}_{i}", inputs, where, check=check) for i, v in enumerate(value)]
        return value if _same(members, value) else type(value)(members)
    if type(value) is dict:
        named = {k: _plain(v, f"{name}_{k}", inputs, where, check=check) for k, v in value.items()}
        return value if _same(named.values(), value.values()) else named
    if check:
        try:
            encode(value, lambda *_: None, path=name)
        except UnsupportedValueError as error:
            raise DefinitionError(
                "this value cannot be written into a DAG file's arguments",
                where=f"{where}: argument {name!r}",
                given=error.type_name,
                valid="plain values, dataclasses, data objects, and results of other tasks",
                fix="make it in a step and pass that step's result",
            ) from error
    return value


def _same(new: Iterable[Any], old: Iterable[Any]) -> bool:
    return all(a is b for a, b in zip(new, old, strict=True))


class _Taking:
    """One argument while its references become input ports."""

    def __init__(self, name: str, ports: list[Port], where: str) -> None:
        self._name, self._ports, self._where = name, ports, where
        self._count = 0

    def document(self, value: Any) -> Any:
        return encode(self._prepared(value), self._leaf, path=self._name)

    def _prepared(self, value: Any) -> Any:
        """Sequences that Airflow resolves lazily become lists, of what XCom holds."""
        from airflow_mlpipe.hooks.values import expanded

        value = expanded(value.held if isinstance(value, Members) else value)
        if type(value) is dict:
            marked = is_reference(value) or is_inline_value(value) or is_absent(value) or _PORT in value
            return _Leaf(value) if marked else {k: self._prepared(v) for k, v in value.items()}
        if isinstance(value, tuple) and type(value) is tuple:
            return tuple(self._prepared(v) for v in value)
        if _is_sequence(value):
            members = [expanded(member) for member in value]
            if members and all(is_reference(m) for m in members):
                return _Leaf(members)
            return [self._prepared(m) for m in members]
        return value

    def _leaf(self, value: Any, path: str) -> Any | None:
        if not isinstance(value, _Leaf):
            return self._object(value)
        held = value.held
        if isinstance(held, list):
            return {"input": self._port(held), "many": [[m.get("type", ""), m.get("format", "")] for m in held]}
        if _PORT in held:
            return {"input": held[_PORT]}
        if is_inline_value(held):
            return {"inline": with_leaves(held["value"], self._member)}
        if is_absent(held):
            return {"input": None}
        return self._member(held)

    def _member(self, reference: Any) -> dict[str, Any]:
        return {
            "input": self._port(reference),
            "type": reference.get("type", ""),
            "format": reference.get("format", ""),
        }

    def _object(self, value: Any) -> Any | None:
        """A value that Airflow, or another XCom backend, has read already: it is written again, by its digest."""
        if of_type(type(value)) is None:
            return None
        from airflow_mlpipe.hooks.values import save

        saved = save(value)
        return self._leaf(_Leaf(saved), "") if is_reference(saved) else None

    def _port(self, source: Any) -> str:
        taken = {p["name"] for p in self._ports}
        name = self._name
        while name in taken:
            self._count += 1
            name = f"{self._name}_{self._count}"
        self._ports.append({"name": name, "from": source})
        return name


def leaf_of(name: str, source: Any, ports: list[Port], where: str) -> Any:
    """The structured JSON of an argument that upstream pushed; what of it is data becomes ports."""
    return _Taking(name, ports, where).document(source)


class _Leaf:
    """Stands for what the structure of an argument does not look into."""

    def __init__(self, held: Any) -> None:
        self.held = held


def _is_sequence(value: Any) -> bool:
    return isinstance(value, list) or (
        isinstance(value, (Sequence, Iterable)) and type(value).__name__ in _LAZY_SEQUENCES
    )
