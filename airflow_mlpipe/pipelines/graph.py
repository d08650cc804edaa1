"""What is connected to what: nodes with ports, edges between ports; of a pipeline, and of any DAG.

A node is a step, an opaque task (an ordinary operator, a function), or data that exist already.  An edge carries data
from a port to a port, or is an order without data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlpipe.errors import DefinitionError

if TYPE_CHECKING:
    from airflow_mlpipe.pipelines.records import Group, Input, Pipeline, Source, Step

NodeKind = Literal["script", "command", "module", "transfer", "function", "opaque", "data", "input"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A place where data enter or leave a node.  :param many: whether it gathers several."""

    name: str
    kind: str | None = None
    many: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node.

    :param id: the task id; of data, ``data:NAME``. :param label: what it runs, or where the data are.
    :param group: the innermost TaskGroup. :param mapped: whether it has instances.
    """

    id: str
    kind: NodeKind
    label: str = ""
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    group: str | None = None
    mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """An edge.

    :param output, input: the ports; empty: an order without data.
    :param gathered: whether the input gets all instances of a mapped step, or several outputs.
    """

    source: str
    target: str
    output: str = ""
    input: str = ""
    gathered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNode:
    """A TaskGroup."""

    id: str
    parent: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The graph of a pipeline; ``to_json``, ``to_mermaid`` and ``to_dot`` show it."""

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[GroupNode, ...] = ()

    def node(self, name: str) -> Node:
        """One node.  :raises DefinitionError: when there is none of this name."""
        for node in self.nodes:
            if node.id == name:
                return node
        raise DefinitionError("there is no such node", where=self.name, given=name, valid=[n.id for n in self.nodes])

    def upstream(self, name: str) -> tuple[str, ...]:
        """All that a node depends on, directly or not, in the order of the nodes."""
        return self._reached(name, [(edge.target, edge.source) for edge in self.edges])

    def downstream(self, name: str) -> tuple[str, ...]:
        """All that depends on a node, directly or not, in the order of the nodes."""
        return self._reached(name, [(edge.source, edge.target) for edge in self.edges])

    def _reached(self, name: str, pairs: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        next_to: dict[str, list[str]] = {}
        for start, end in pairs:
            next_to.setdefault(start, []).append(end)
        waiting, found = [self.node(name).id], set[str]()
        while waiting:
            for one in next_to.get(waiting.pop(), ()):
                if one not in found:
                    found.add(one)
                    waiting.append(one)
        return tuple(node.id for node in self.nodes if node.id in found)

    def to_json(self) -> dict[str, Any]:
        """A document: ``nodes``, ``edges``, ``groups``."""
        from airflow_mlpipe.pipelines.drawing import to_json

        return to_json(self)

    def to_mermaid(self) -> str:
        """A Mermaid flowchart."""
        from airflow_mlpipe.pipelines.drawing import to_mermaid

        return to_mermaid(self)

    def to_dot(self) -> str:
        """A Graphviz digraph."""
        from airflow_mlpipe.pipelines.drawing import to_dot

        return to_dot(self)


def graph_of_pipeline(pipeline: Pipeline) -> Graph:
    """The graph of a pipeline."""
    mapped = {step.task_id for step in pipeline.steps if step.expand is not None}
    data = [data_node(d.name, f"{d.datastore.name}/{d.path}") for d in pipeline.data]
    edges = [edge for step in pipeline.steps for edge in _edges_of(step, mapped)]
    return make_graph(
        pipeline.name,
        [*data, *(_node_of(step, edges) for step in pipeline.steps)],
        edges,
        map(group_node, pipeline.groups),
    )


def make_graph(name: str, nodes: Iterable[Node], edges: Iterable[Edge], groups: Iterable[GroupNode]) -> Graph:
    """A graph with its edges in the order of the nodes, whatever order they were found in, and each once."""
    nodes = tuple(nodes)
    order = {node.id: index for index, node in enumerate(nodes)}
    placed = sorted({*edges}, key=lambda e: (order[e.source], order[e.target], e.output, e.input))
    return Graph(name=name, nodes=nodes, edges=tuple(placed), groups=tuple(groups))


def data_node(name: str, where: str) -> Node:
    """Data that exist already."""
    return Node(id=f"data:{name}", kind="data", label=where, outputs=(Port(name=name),))


def group_node(group: Group) -> GroupNode:
    """A group."""
    return GroupNode(id=group.name, parent=group.parent, label=group.title)


def label_of(step: Step) -> str:
    """What a step runs, in a line."""
    if step.kind == "script":
        return step.script or ""
    if step.kind == "module":
        return step.module or ""
    if step.kind == "transfer":
        return "transfer"
    first = next(iter(step.arguments), "")
    return first if isinstance(first, str) else "command"


def _node_of(step: Step, edges: Iterable[Edge]) -> Node:
    declared = {o.name: Port(name=o.name, kind=o.kind, optional=o.optional) for o in step.outputs}
    # A module's own outputs are known to its module only; those that somebody reads are shown.
    read = {e.output for e in edges if e.source == step.task_id and e.output}
    outputs = declared | {name: Port(name=name) for name in sorted(read - declared.keys())}
    ports = {port.name: port_of(port) for port in (*step.inputs, *step.resource_inputs, *_mapped_inputs(step))}
    return Node(
        id=step.task_id,
        kind=step.kind,
        label=label_of(step),
        inputs=tuple(ports.values()),
        outputs=tuple(outputs.values()),
        group=step.group,
        mapped=step.expand is not None,
    )


def _mapped_inputs(step: Step) -> tuple[Input, ...]:
    return tuple(port for one in (step.expand.inputs or () if step.expand else ()) for port in one)


def port_of(port: Input) -> Port:
    """An input as a port."""
    return Port(name=port.name, many=port.many)


def _edges_of(step: Step, mapped: set[str]) -> Iterable[Edge]:
    for port in (*step.inputs, *step.resource_inputs, *_mapped_inputs(step)):
        for source in port.sources:
            yield edge_of(source, step.task_id, port.name, port.many, mapped)
    for name in step.after:
        yield Edge(source=name, target=step.task_id)


def edge_of(source: Source, target: str, port: str, many: bool, mapped: Iterable[str]) -> Edge:
    """The edge from a source to a port.  :param mapped: task ids of the mapped steps."""
    from airflow_mlpipe.pipelines.records import OutputOf

    if isinstance(source, OutputOf):
        gathered = many or source.step in mapped
        return Edge(source=source.step, target=target, output=source.output, input=port, gathered=gathered)
    return Edge(source=f"data:{source.name}", target=target, output=source.name, input=port, gathered=many)
