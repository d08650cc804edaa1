"""What a job runs: itself, a file, or a component by the name that it was registered under."""

from __future__ import annotations

import re

from airflow_mlpipe.azureml.v2.importing import Importing
from airflow_mlpipe.azureml.v2.nodes import Node, read_node
from airflow_mlpipe.written.mistakes import WrittenError

NOT_YET = {
    "sweep": "CommandStep.partial(...).expand(parameters=[...]): each trial is reused by itself",
    "parallel": "ScriptStep.partial(...).expand(inputs=...) over the parts of the data",
    "automl": "a step that searches, or expand over the models to try",
    "spark": "Airflow's Spark operators, with pre_execute=reuse_unchanged(...)",
    "data_transfer": "DataTransferStep",
    "import": "an Airflow operator of that source, before the pipeline",
    "if_else": "Airflow's branching (@task.branch)",
    "do_while": "nothing: a DAG has no loop",
    "parallel_for": ".partial(...).expand(...)",
    "flow": "a step that runs the flow",
}
"""Kinds of jobs that are not imported, with what is used instead.  ``docs/azure-ml.md`` shows the same."""


def kind_of(node: Node) -> str:
    """What a file or a job is: its type, else what it has."""
    if (kind := node.string("type")) is not None:
        return kind
    return "pipeline" if node.has("jobs") else "command" if node.has("command") else "nothing that runs"


def component_of(job: Node, importing: Importing) -> Node | None:
    """What a job runs: a file, or the job itself."""
    findings = importing.findings
    kind, said = job.string("type"), job.get("component")
    if kind in NOT_YET:
        findings.stops(job, f"a job of type {kind} is not imported", NOT_YET[str(kind)])
        return None
    if said.value is None:
        return _runnable(importing, job)
    if said.is_mapping:
        return _runnable(importing, said)
    text = (said.text or "").removeprefix("file:")
    if text.startswith("azureml:"):
        return _registered(importing, said, text)
    try:
        return _runnable(importing, read_node(said.folder / text))
    except OSError as error:
        findings.stops(said, f"the component cannot be read ({error.strerror})", f"check {said.folder / text}")
    except WrittenError as error:
        findings.mistakes(error)
    return None


def _registered(importing: Importing, said: Node, text: str) -> Node | None:
    """A component by the name that it was registered under, if its file is below the pipeline's folder."""
    match = re.fullmatch(r"azureml:([A-Za-z0-9_-]+)(?::([^:@]+)|@\w+)?", text)
    found = importing.component(match[1]) if match else None
    if match is None or found is None:
        importing.findings.stops(
            said,
            f"component {text} is in a registry of Azure's",
            "put its YAML below this folder, or name the file",
        )
        return None
    version = found.get("version").text
    if match[2] is not None and match[2] != version:
        importing.findings.differs(said, f"version {match[2]} is asked for, and {found.file} is {version}")
    return _runnable(importing, found)


def _runnable(importing: Importing, node: Node) -> Node | None:
    kind = kind_of(node)
    if kind in ("command", "pipeline"):
        return node
    fix = NOT_YET.get(kind, "a component of type command or pipeline")
    importing.findings.stops(node, f"a component of type {kind} is not imported", fix)
    return None
