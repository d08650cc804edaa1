"""A graph as JSON, Mermaid and DOT.

Names come from authors and may hold anything: in Mermaid every character that is not harmless is an entity, in DOT
everything is a quoted string, and nodes have numbers for names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from airflow_mlpipe.model.documents import tag
from airflow_mlpipe.pipelines.graph import Edge, Graph, GroupNode, Node

_VERSION = 1
_SHAPES = {"data": ('[("', '")]'), "input": ('[/"', '"/]'), "opaque": ('["', '"]'), "function": ('("', '")')}
_STEP = ('["', '"]')
_MAPPED = ('[["', '"]]')
_DOT_SHAPES = {"data": "cylinder", "input": "parallelogram", "opaque": "box", "function": "ellipse"}


def to_json(graph: Graph) -> dict[str, Any]:
    """The document of a graph; what a member of a node or an edge does not say is not there."""
    return {
        **tag("graph", _VERSION),
        "name": graph.name,
        "nodes": [_plain(node) for node in graph.nodes],
        "edges": [_plain(edge) for edge in graph.edges],
        "groups": [_plain(group) for group in graph.groups],
    }


def _plain(record: Node | Edge | GroupNode) -> dict[str, Any]:
    return {
        name: [_said(port) for port in value] if isinstance(value, (tuple, list)) else value
        for name, value in asdict(record).items()
        if value not in (None, "", (), False)
    }


def _said(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, False)}


def to_mermaid(graph: Graph) -> str:
    """A flowchart as https://mermaid.js.org/syntax/flowchart.html describes it."""
    names = {node.id: f"n{index}" for index, node in enumerate(graph.nodes)}
    numbers = {group.id: f"g{index}" for index, group in enumerate(graph.groups)}
    lines = ["flowchart LR"]

    def opening(group: GroupNode) -> str:
        return f'subgraph {numbers[group.id]}["{_entities(group.label or _short(group.id, group.parent))}"]'

    for depth, text in _nested(graph, opening, lambda node: _mermaid_node(node, names[node.id]), "end"):
        lines.append("  " * (depth + 1) + text)
    for edge in graph.edges:
        label = _entities(edge_label(edge))
        arrow = "-.->" if not edge.output else "==>" if edge.gathered else "-->"
        lines.append(
            f"  {names[edge.source]} {arrow}{f'|{chr(34)}{label}{chr(34)}|' if label else ''} {names[edge.target]}"
        )
    return "\n".join([*lines, ""])


def _mermaid_node(node: Node, name: str) -> str:
    before, after = _MAPPED if node.mapped else _SHAPES.get(node.kind, _STEP)
    parts = [_entities(part) for part in node_lines(node)]
    return f"{name}{before}{'<br/>'.join(parts)}{after}"


def _entities(text: str) -> str:
    """Mermaid's own entities, ``#35;``: harmless in every place of a label."""
    return "".join(c if c.isalnum() or c in " _-.,/:@=" else f"#{ord(c)};" for c in text)


def to_dot(graph: Graph) -> str:
    """A digraph as https://graphviz.org/doc/info/lang.html describes it."""
    names = {node.id: f"n{index}" for index, node in enumerate(graph.nodes)}
    numbers = {group.id: f"cluster_{index}" for index, group in enumerate(graph.groups)}
    lines = [f"digraph {_quoted(graph.name)} {{", "  rankdir=LR;", "  node [shape=box];"]

    def opening(group: GroupNode) -> str:
        return f"subgraph {numbers[group.id]} {{ label={_quoted(group.label or _short(group.id, group.parent))};"

    for depth, text in _nested(graph, opening, lambda node: _dot_node(node, names[node.id]), "}"):
        lines.append("  " * (depth + 1) + text)
    for edge in graph.edges:
        parts = {
            "label": edge_label(edge),
            "style": "" if edge.output else "dashed",
            "penwidth": "2" if edge.gathered else "",
        }
        said = ", ".join(f"{name}={_quoted(value)}" for name, value in parts.items() if value)
        lines.append(f"  {names[edge.source]} -> {names[edge.target]}{f' [{said}]' if said else ''};")
    return "\n".join([*lines, "}", ""])


def _dot_node(node: Node, name: str) -> str:
    shape = _DOT_SHAPES.get(node.kind, "box")
    said = f"label={_quoted(*node_lines(node))}"
    said += f", shape={shape}" if shape != "box" else ""
    return (
        f"{name} [{said}{', peripheries=2' if node.mapped else ''}{', style=dotted' if node.kind == 'opaque' else ''}];"
    )


def _quoted(*lines: str) -> str:
    escaped = [
        line.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ").replace("\0", " ")
        for line in lines
    ]
    return '"' + "\\n".join(escaped) + '"'


def node_lines(node: Node) -> tuple[str, ...]:
    """What is written into a node."""
    name = node.id.partition(":")[2] if node.kind in ("data", "input") else _short(node.id, node.group)
    return tuple(part for part in (name, node.label) if part)


def edge_label(edge: Edge) -> str:
    """What is written at an edge: the data, and the port if that has another name."""
    if not edge.output:
        return ""
    return edge.output if edge.output == edge.input else f"{edge.output} as {edge.input}"


def _short(name: str, group: str | None) -> str:
    return name.removeprefix(f"{group}.") if group else name


def _nested(
    graph: Graph, opening: Callable[[GroupNode], str], drawn: Callable[[Node], str], end: str
) -> Iterator[tuple[int, str]]:
    """Nodes inside their groups, with the depth of each line."""

    def inside(parent: str | None, depth: int) -> Iterator[tuple[int, str]]:
        yield from ((depth, drawn(node)) for node in graph.nodes if node.group == parent)
        for group in graph.groups:
            if group.parent == parent:
                yield depth, opening(group)
                yield from inside(group.id, depth + 1)
                yield depth, end

    yield from inside(None, 0)
