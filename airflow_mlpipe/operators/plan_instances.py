"""The instances of a mapped task before there is a run: of literals, and of results that are known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import attrs

from airflow_mlpipe.operators.planned import Known, NotPlannable


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a mapped task.

    :param data: ids of the values that Airflow takes from XCom and does not render.
    """

    index: int
    task: Any
    data: frozenset[int]


def instances(task: Any, known: Known, *, is_step: bool) -> Iterator[Instance]:
    """Make the instances as Airflow does.

    :raises NotPlannable: for what the task is mapped over and only a run knows.
    """
    from airflow.sdk.bases.decorator import DecoratedMappedOperator
    from airflow.sdk.definitions.xcom_arg import XComArg

    given = task._get_specified_expand_input()
    over = _known_value(given.value, known, is_step)
    expand_input = attrs.evolve(given, value=over)
    count = math.prod(map(len, over.values())) if isinstance(over, Mapping) else len(over)
    if count == 0:
        raise NotPlannable("it is mapped over nothing: Airflow skips it")
    for index in range(count):
        kwargs, _ = expand_input.resolve({"ti": SimpleNamespace(map_index=index)})
        if isinstance(given.value, Mapping):
            pulled = [v for k, v in kwargs.items() if isinstance(given.value[k], XComArg)]
        else:
            pulled = list(kwargs.values()) if _is_pulled(given.value, index) else []
        named = {"op_kwargs": kwargs} if isinstance(task, DecoratedMappedOperator) else kwargs
        yield Instance(index, task.unmap(named), frozenset(map(id, pulled)))


def _is_pulled(value: Any, index: int) -> bool:
    from airflow.sdk.definitions.xcom_arg import XComArg

    return isinstance(value, XComArg) or isinstance(value[index], XComArg)


def _known_value(value: Any, known: Known, is_step: bool) -> Any:
    """What is mapped over: a dict of sequences, or a sequence of dicts."""
    if isinstance(value, Mapping):
        return {name: _members(one, known, is_step) for name, one in value.items()}
    members = _members(value, known, is_step)
    return [known.given(m, to_step=is_step) if hasattr(m, "iter_references") else m for m in members]


def _members(value: Any, known: Known, is_step: bool) -> Any:
    from airflow.sdk.definitions.xcom_arg import XComArg

    if isinstance(value, XComArg):
        return known.mapped_over(value, to_step=is_step)
    if isinstance(value, (Sequence, Mapping)):
        return value
    raise NotPlannable("it is mapped over what only a run knows")
