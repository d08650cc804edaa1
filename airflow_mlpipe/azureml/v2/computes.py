"""Where a job runs: a compute of Azure's as one of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mlpipe.azureml.compute import BUILT_IN
from airflow_mlpipe.azureml.v2.bindings import Bound, only_binding
from airflow_mlpipe.azureml.v2.nodes import Node
from airflow_mlpipe.azureml.v2.values import Literal, Param

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.v2.pipelines import PipelineReader


def compute_of(reader: PipelineReader, job: Node) -> str:
    """The compute of ours that a job runs on."""
    own = job.get("compute")
    node = own if own.value is not None else reader.compute
    if node is None or node.value is None:
        return "local"
    text = node.text or ""
    if (bound := only_binding(text)) is not None:
        owner = reader if own.value is not None else reader.compute_owner
        text = _input(owner, bound, node) if owner is not None else ""
    name = text.removeprefix("azureml:").partition(":")[0]
    if name in ("", "serverless"):
        return "local"
    if name in reader.importing.computes:
        return reader.importing.computes[name]
    from airflow_mlpipe.hooks.settings import configured_computes

    if name in BUILT_IN or name in configured_computes():
        return name
    reader.importing.findings.differs(
        node,
        f"compute {name!r} is not described: the worker runs it",
        f"--compute {name}=NAME, or edit pipeline.yaml",
    )
    return "local"


def _input(reader: PipelineReader, bound: Bound, node: Node) -> str:
    """A compute that is an input: its value now, as tasks are placed when the file is parsed."""
    name = bound.parent_input
    if name is None:
        reader.importing.findings.stops(node, f"{bound} is no compute")
        return ""
    reader.used.add(name)
    value = reader.inputs.get(name)
    found: str | None = None
    if value is None and reader.outer is None:
        declared = reader.node.get("inputs").get(name)
        found = (declared.get("default") if declared.is_mapping else declared).text
    elif isinstance(value, Param):
        found = value.default
    elif isinstance(value, Literal):
        found = value.text
    if not reader.node.get("inputs").has(name):
        reader.importing.findings.stops(node, f"the pipeline has no input {name!r}")
    elif not found:
        reader.importing.findings.differs(node, f"{bound} has no value: the worker runs it", "edit pipeline.yaml")
    return found or ""
