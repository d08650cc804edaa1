"""The graph of any DAG: steps with their ports; functions and ordinary operators with the XComs that they read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.pipelines.graph import Edge, Graph, GroupNode, Node, NodeKind, Port, data_node, make_graph
from airflow_mlpipe.pipelines.origin import origin_of
from airflow_mlpipe.pipelines.taking.task import class_kind
from airflow_mlpipe.pipelines.taking.values import DataNames, schedule_record

if TYPE_CHECKING:
    from airflow.sdk import DAG

RESULT = "return_value"


def graph_of(dag: DAG) -> Graph:
    """The graph of a DAG.  What is no step of ours is a node of kind ``function`` or ``opaque``."""
    origin = origin_of(dag)
    taking = _Taking(DataNames(origin.pipeline.data if origin else ()))
    nodes = [taking.node(task) for task in dag.tasks]
    with contextlib.suppress(LookupError):  # of objects of Airflow's, which are no data
        schedule_record(dag.schedule, taking.data)
    data = [data_node(d.name, f"{d.datastore.name}/{d.path}") for d in taking.data.found]
    all_groups: Mapping[Any, Any] = dag.task_group.get_task_group_dict()  # the root has no name
    groups = [
        GroupNode(id=name, parent=one.parent_group.group_id if one.parent_group else None, label=one.group_display_name)
        for name, one in all_groups.items()
        if name is not None
    ]
    return make_graph(dag.dag_id, [*data, *nodes], taking.edges, groups)


class _Taking:
    def __init__(self, data: DataNames) -> None:
        self.data = data
        self.edges: list[Edge] = []

    def node(self, task: Any) -> Node:
        """A task, its edges noted."""
        inputs: dict[str, Port] = {}
        for port in _ports(task):
            name, given = port["name"], port.get("from")
            inputs[name] = Port(name=name, many=isinstance(given, list))
            if "data" in port:
                source = self.data.of_plain(name, port["data"])
                self._edge(f"data:{source.name}", source.name, task, name, False)
            else:
                for producer, key in _references(given):
                    self._edge(producer.task_id, key, task, name, isinstance(given, list) or producer.is_mapped)
        for name, value in _values(task):
            for producer, key in _references(value):
                inputs.setdefault(name, Port(name=name))
                self._edge(producer.task_id, key, task, name, producer.is_mapped)
        with_data = {edge.source for edge in self.edges if edge.target == task.task_id}
        self.edges += [Edge(source=one, target=task.task_id) for one in task.upstream_task_ids - with_data]
        kind = _kind(task)
        return Node(
            id=task.task_id,
            kind=kind,
            label=_label(task, kind),
            inputs=tuple(inputs.values()),
            outputs=tuple(Port(name=o.name, kind=o.kind, optional=o.optional) for o in _outputs(task)),
            group=task.task_group.group_id if task.task_group is not None else None,
            mapped=task.is_mapped or next(iter(task.iter_mapped_task_groups()), None) is not None,
        )

    def _edge(self, source: str, output: str, task: Any, port: str, gathered: bool) -> None:
        self.edges.append(Edge(source=source, target=task.task_id, output=output, input=port, gathered=gathered))


def _said(task: Any, name: str, attribute: str | None = None) -> Any:
    return task.partial_kwargs.get(name) if task.is_mapped else getattr(task, attribute or name, None)


def _is_ours(task: Any) -> bool:
    from airflow_mlpipe.operators.base import StepOperator

    cls = task.operator_class if task.is_mapped else type(task)
    return isinstance(cls, type) and issubclass(cls, StepOperator)


def _kind(task: Any) -> NodeKind:
    cls = task.operator_class if task.is_mapped else type(task)
    known = class_kind(cls)
    if known is not None:
        return known
    own = getattr(cls, "kind", None) if _is_ours(task) else None
    return own if own in ("script", "command", "function", "transfer") else "opaque"


def _label(task: Any, kind: NodeKind) -> str:
    if kind == "script":
        return str(_said(task, "script_name") or "")
    if kind == "module":
        return str(_said(task, "module") or "")
    if kind == "command":
        first = next(iter(_said(task, "arguments") or ()), "") if isinstance(_said(task, "arguments"), list) else ""
        return first if isinstance(first, str) else "command"
    if kind == "function":
        return getattr(_said(task, "python_callable"), "__name__", "function")
    return "transfer" if kind == "transfer" else str(task.operator_name)


def _outputs(task: Any) -> tuple[Any, ...]:
    return tuple(_said(task, "outputs", "output_data") or ()) if _is_ours(task) else ()


def _ports(task: Any) -> Iterator[Mapping[str, Any]]:
    """Input ports of a step of ours, those of its instances included."""
    if not _is_ours(task):
        return
    lists = [_said(task, "inputs"), _said(task, "resource_inputs")]
    mapped = _mapped_values(task).get("inputs")
    lists += list(mapped) if isinstance(mapped, (list, tuple)) else []
    for ports in lists:
        if isinstance(ports, list):
            yield from (port for port in ports if isinstance(port, Mapping) and "name" in port)


def _values(task: Any) -> Iterator[tuple[str, Any]]:
    """What else of a task may hold an XCom, under the name of the argument that it is."""
    fields = {name: _said(task, name) for name in (*task.template_fields, "op_kwargs", "op_args")}
    if _is_ours(task):
        fields = {name: value for name, value in fields.items() if name not in ("inputs", "resource_inputs")}
    mapped = _mapped_values(task)
    fields |= {name: value for name, value in mapped.items() if name != "inputs" or not _is_ours(task)}
    for name, value in fields.items():
        if name in ("op_kwargs", "parameters") and isinstance(value, Mapping):
            yield from ((str(key), one) for key, one in value.items())
        else:
            yield name, value


def _mapped_values(task: Any) -> Mapping[str, Any]:
    value = getattr(task._get_specified_expand_input(), "value", None) if task.is_mapped else None
    return value if isinstance(value, Mapping) else {"expand_kwargs": value} if value is not None else {}


def _references(value: Any) -> list[tuple[Any, str]]:
    from airflow.sdk.definitions.xcom_arg import XComArg

    return [(operator, key or RESULT) for operator, key in XComArg.iter_xcom_references(value)]
