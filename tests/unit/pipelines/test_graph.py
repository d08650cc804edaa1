"""What is connected to what, and how it is drawn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.pipelines.graph import Edge, Graph, GroupNode, Node, Port
from airflow_mlpipe.pipelines.reading.pipeline import read_pipeline

GOLDEN = Path(__file__).parents[2] / "golden" / "pipelines"

TEXT = """
api: mlpipe/v1
name: everything
data:
  raw: {datastore: lake, path: "raw/*.csv"}
groups:
  learn: {title: Learning}
  learn.each:
steps:
  prepare: {script: prepare.py, arguments: ["${data.raw}", "${outputs.data}"], outputs: [data]}
  learn.each.train:
    script: train.py
    inputs: {data: "${steps.prepare.outputs.data}"}
    outputs: {model: {kind: file, optional: true}}
    expand: {arguments: [["${inputs.data}", 1], ["${inputs.data}", 2]]}
  learn.choose: {command: [choose, "${steps.learn.each.train.outputs.model}"], outputs: {best: file}}
  report:
    command: [report]
    inputs: {all: ["${steps.prepare.outputs.data}", "${steps.learn.choose.outputs.best}"]}
  notify: {command: [notify], after: [report]}
"""


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A pipeline with data, groups, a mapped step, what gathers it, a list, and an order without data."""
    return read_pipeline(TEXT).pipeline.graph


@pytest.mark.parametrize("name", ["everything.json", "everything.mmd", "everything.dot"])
def test_a_graph_is_drawn_as_it_was(graph: Graph, name: str) -> None:
    """The three forms, to the letter: pages and programs keep them."""
    drawn = {
        "json": lambda: json.dumps(graph.to_json(), indent=2) + "\n",
        "mmd": graph.to_mermaid,
        "dot": graph.to_dot,
    }[name.rpartition(".")[2]]()
    assert drawn == (GOLDEN / name).read_text()


def test_upstream_and_downstream_go_all_the_way(graph: Graph) -> None:
    """Data are upstream of all that reads them; an order without data counts."""
    assert graph.upstream("report") == ("data:raw", "prepare", "learn.each.train", "learn.choose")
    assert graph.downstream("learn.each.train") == ("learn.choose", "report", "notify")
    assert graph.downstream("notify") == ()
    with pytest.raises(DefinitionError, match="no such node"):
        graph.upstream("nobody")


def test_ports_say_what_they_are(graph: Graph) -> None:
    """Kinds of outputs, and inputs that gather several."""
    assert graph.node("learn.each.train").outputs == (Port(name="model", kind="file", optional=True),)
    assert graph.node("learn.each.train").mapped
    assert graph.node("report").inputs == (Port(name="all", many=True),)
    gathered = {edge.target for edge in graph.edges if edge.gathered}
    assert gathered == {"learn.choose", "report"}


HOSTILE = 'x"]; click n0 "javascript:alert(1)" %%{init}%% <b>&#35; \\" } \n ü|-->'


def hostile() -> Graph:
    """A graph with a name that is code in every place."""
    return Graph(
        name=HOSTILE,
        nodes=(
            Node(id=HOSTILE, kind="command", label=HOSTILE, group=HOSTILE),
            Node(id="b", kind="opaque", label="b"),
        ),
        edges=(Edge(source=HOSTILE, target="b", output=HOSTILE, input="other"),),
        groups=(GroupNode(id=HOSTILE, label=HOSTILE),),
    )


def test_a_name_cannot_leave_its_label_in_mermaid() -> None:
    """Labels are in quotes, and hold letters, digits, harmless signs and entities alone."""
    import re

    drawn = hostile().to_mermaid()
    labels = re.findall(r'"([^"]*)"', drawn)
    assert len(labels) == 4
    for label in labels:
        assert re.fullmatch(r"(?:[\w _.,/:@=-]|#\d+;|<br/>)*", label), label
    rest = re.sub(r'"[^"]*"', "", drawn).split()
    assert rest == ["flowchart", "LR", "n1[]", "subgraph", "g0[]", "n0[]", "end", "n0", "-->||", "n1"]


def test_a_name_cannot_leave_its_label_in_dot() -> None:
    """The whole is one graph with two nodes and an edge for a reader of DOT's quoted strings."""
    import re

    rest = re.sub(r'"(?:[^"\\]|\\.)*"', '""', hostile().to_dot())
    assert '"' not in rest.replace('""', "")
    assert rest.count("->") == 1
    assert rest.count("{") == rest.count("}") == 2
