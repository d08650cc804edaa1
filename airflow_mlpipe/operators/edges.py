"""Edges from data: who produces a PipelineData, and which steps wait to know.

Steps may be written in any order.  A registry per DAG (an attribute that Airflow does not serialise) remembers each
output's producer and the inputs whose producer has not been seen; the last step checks, when Airflow has the whole DAG,
that nobody still waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.operators.output_arg import OutputArg
from airflow_mlpipe.operators.port_types import check_edge
from airflow_mlpipe.operators.ports import Port, declare_outputs

if TYPE_CHECKING:
    from airflow.sdk import DAG
    from airflow.sdk.definitions._internal.abstractoperator import AbstractOperator

_EDGES = "_mlpipe_edges"


@dataclass(slots=True)
class _Waiting:
    consumer: AbstractOperator
    port: Port
    index: int | None
    data: PipelineData


@dataclass(slots=True)
class DataEdges:
    """The data edges of one DAG, for as long as its file is parsed.

    :ivar producers: of each data object, by its ``id``: itself, its step, and the name of the step's output that it is.
    :ivar modules: by request, what it was resolved to: the same for every step of a DAG.
    :ivar files: scripts, folders and requirements that were seen to exist: each is looked at once a parse.
    """

    producers: dict[int, tuple[PipelineData, AbstractOperator, str]] = field(default_factory=dict)
    waiting: list[_Waiting] = field(default_factory=list)
    files: set[tuple[object, ...]] = field(default_factory=set)
    modules: dict[str, object] = field(default_factory=dict)

    def produce(
        self, step: AbstractOperator, outputs: Iterable[PipelineData], known: Mapping[str, PipelineData] | None = None
    ) -> None:
        """Register the outputs of a step, and connect those that waited for them.

        :param known: by output, the object that consumers hold, where it is not the step's own.
        :raises DefinitionError: when another step has declared one of them.
        """
        named = {output.name: output for output in outputs} | dict(known or {})
        for name, data in named.items():
            other = self.producers[id(data)][1] if id(data) in self.producers else None
            if other is not None and other.task_id != step.task_id:
                raise DefinitionError(
                    f"output {data.name!r} is declared by two steps, {other.task_id!r} and {step.task_id!r}",
                    where=f"step {step.task_id!r}",
                    fix=f"give one of them an output of its own, PipelineData({data.name!r})",
                )
            self.producers[id(data)] = (data, step, name)
        declare_outputs(step, frozenset(named))
        self._connect_waiting()

    def known_as(self, step: AbstractOperator, output: str, data: PipelineData) -> None:
        """Let an output have one more object that stands for it, and connect those that waited for that.

        :raises DefinitionError: when another step has declared it.
        """
        if (other := self.producers.get(id(data))) is not None:
            raise DefinitionError(
                f"output {data.name!r} is declared by two steps, {other[1].task_id!r} and {step.task_id!r}",
                where=f"step {step.task_id!r}",
                fix=f"give one of them an output of its own, PipelineData({data.name!r})",
            )
        self.producers[id(data)] = (data, step, output)
        self._connect_waiting()

    def _connect_waiting(self) -> None:
        ready = [w for w in self.waiting if id(w.data) in self.producers]
        self.waiting = [w for w in self.waiting if id(w.data) not in self.producers]
        for waiter in ready:
            self._connect(waiter)

    def consume(self, step: AbstractOperator, pending: Iterable[tuple[Port, int | None, PipelineData]]) -> None:
        """Register inputs of a step; those whose producer is known are connected at once."""
        for port, index, data in pending:
            waiter = _Waiting(step, port, index, data)
            if id(data) in self.producers:
                self._connect(waiter)
            else:
                self.waiting.append(waiter)

    def _connect(self, waiter: _Waiting) -> None:
        data, producer, output = self.producers[id(waiter.data)]
        consumer = waiter.consumer
        # Only a step that others follow already can come before its own producer; the look is linear in the DAG.
        follows = consumer.downstream_task_ids and consumer.task_id in producer.get_flat_relative_ids(upstream=True)
        if producer is consumer or follows:
            raise DefinitionError(
                f"input {data.name!r} makes a cycle: its producer {producer.task_id!r} depends on {consumer.task_id!r}",
                where=f"step {consumer.task_id!r}",
                fix="break the circle: let one of the two steps read other data",
            )
        check_edge(consumer, str(waiter.port["name"]), producer, output)
        source: Any = OutputArg(producer, key=output)  # type: ignore[arg-type]
        if waiter.index is None:
            waiter.port["from"] = source
        else:
            waiter.port["from"][waiter.index] = source
        if getattr(consumer, "_BaseOperator__instantiated", True):
            consumer.set_upstream(producer)  # in a constructor Airflow does it, for all template fields, at the end

    def check(self) -> None:
        """Nobody may still wait.  :raises DefinitionError: naming the step, the input and the fix."""
        for waiter in self.waiting:
            known = sorted(f"{d.name} of {s.task_id}" for d, s, _ in self.producers.values())
            raise DefinitionError(
                f"no step of this DAG produces the input {waiter.data.name!r}",
                where=f"step {waiter.consumer.task_id!r}",
                valid=known or "no step of this DAG declares an output",
                fix="declare it in outputs=[...] of the step that writes it (the same PipelineData object)",
            )


def edges_of(dag: DAG | None, *, where: str) -> DataEdges:
    """The registry of a DAG.  :raises DefinitionError: for a step outside of any DAG."""
    if dag is None:
        raise DefinitionError(
            "the step belongs to no DAG",
            where=where,
            fix="create it inside `with DAG(...)` or an @dag function, or pass dag=",
        )
    edges: DataEdges | None = getattr(dag, _EDGES, None)
    if edges is None:
        edges = DataEdges()
        object.__setattr__(dag, _EDGES, edges)
    return edges
