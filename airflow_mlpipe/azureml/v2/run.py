"""The import itself: find the pipelines below a path, and import each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_mlpipe.azureml.v2.components import NOT_YET, component_of, kind_of
from airflow_mlpipe.azureml.v2.computes import compute_of
from airflow_mlpipe.azureml.v2.files import write
from airflow_mlpipe.azureml.v2.findings import Finding, Findings
from airflow_mlpipe.azureml.v2.importing import Importing
from airflow_mlpipe.azureml.v2.inputs import root_input
from airflow_mlpipe.azureml.v2.jobs import CommandJob, step_of
from airflow_mlpipe.azureml.v2.nodes import Node, read_node
from airflow_mlpipe.azureml.v2.pipelines import PipelineReader, doc_of
from airflow_mlpipe.errors import DefinitionError, MLPipeError
from airflow_mlpipe.pipelines.records import Pipeline
from airflow_mlpipe.written.mistakes import WrittenError

_ENDINGS = (".yml", ".yaml")
_RUNS = ("pipeline", "command", *NOT_YET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of one file.

    :param file: the YAML. :param dag_id: its DAG; ``None`` when it could not be made.
    :param written: the DAG file. :param findings: what there is to say of it.
    """

    file: str
    kind: str
    dag_id: str | None = None
    written: Path | None = None
    findings: tuple[Finding, ...] = ()


def import_all(path: Path, into: Path | None, *, computes: Mapping[str, str], again: bool = False) -> list[Imported]:
    """Import a file; or all pipelines of a folder and the folders in it, and no components, which they bring along.

    :param into: where DAG files go; by default the folder of each YAML. :param computes: names of Azure's to ours.
    :param again: whether an earlier import may be replaced.
    :raises DefinitionError: when there is nothing to import, or no place for it.
    """
    files = [path] if path.is_file() else [file for file in _below(path) if _is_pipeline(file)]
    if not files:
        raise DefinitionError(
            "there is no pipeline of Azure ML v2", where=str(path), fix="name a YAML file, or a folder"
        )
    done: list[Imported] = []
    for file in files:
        done.append(_import(file, into, computes, again, [one.dag_id for one in done if one.dag_id]))
    return done


def _below(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        raise DefinitionError("there is no such file or folder", where=str(folder))
    for root, names, files in os.walk(folder):
        names.sort()
        yield from (Path(root, name) for name in sorted(files) if name.lower().endswith(_ENDINGS))


def _is_pipeline(file: Path) -> bool:
    """Whether a file is a pipeline to run, and no component; one that is not YAML but names the schema is told."""
    text = file.read_text(encoding="utf-8-sig", errors="replace")
    if "pipelineComponent.schema" in text:
        return False
    return "pipelineJob.schema" in text or (
        re.search(r"^type:\s*['\"]?pipeline\b", text, re.MULTILINE) is not None and "jobs:" in text
    )


def _import(file: Path, into: Path | None, computes: Mapping[str, str], again: bool, taken: list[str]) -> Imported:
    findings = Findings()
    importing = Importing(root=file.parent.absolute(), findings=findings, computes=computes)
    try:
        node = read_node(file.absolute(), str(file))
    except WrittenError as error:
        findings.mistakes(error)
        return Imported(file=str(file), kind="?", findings=tuple(findings.sorted()))
    kind = kind_of(node)
    pipeline = read_pipeline(node, importing, taken)
    if pipeline is None or findings.stopped:
        return Imported(file=str(file), kind=kind, findings=tuple(findings.sorted()))
    try:
        target = (into or file.parent).absolute()
        written = write(pipeline, importing, target, file.name, replace=again)
        _check(written, pipeline.name)
    except WrittenError as error:
        findings.mistakes(error)
        return Imported(file=str(file), kind=kind, findings=tuple(findings.sorted()))
    except MLPipeError as error:
        findings.stops(node, str(error))
        return Imported(file=str(file), kind=kind, findings=tuple(findings.sorted()))
    return Imported(file=str(file), kind=kind, dag_id=pipeline.name, written=written, findings=tuple(findings.sorted()))


def _check(dag_file: Path, name: str) -> None:
    """The file is one that the deployment will read.  :raises PipelineFileError: with its mistakes."""
    from airflow_mlpipe.pipelines.load import dag_from_spec

    dag_from_spec(f"{name}/pipeline.yaml", dag_file=str(dag_file))


def read_pipeline(node: Node, importing: Importing, taken: Iterable[str] = ()) -> Pipeline | None:
    """A file as a pipeline of ours; ``None`` when it cannot be one, which is told.

    A command component, and a command job, is a pipeline of one step.
    """
    kind, findings = kind_of(node), importing.findings
    if kind not in ("pipeline", "command"):
        fix = NOT_YET.get(kind, "name a pipeline, a pipeline component, or a command component")
        findings.stops(node, f"{kind} is not imported" if kind in _RUNS else f"not a pipeline: type {kind}", fix)
        return None
    reader = PipelineReader(node=node, importing=importing)
    if kind == "command":
        _read_command(reader)
        doc = node.string("description") or ""
    else:
        reader = _of_component(reader) if node.get("component").value is not None else reader
        reader.look()
        if not reader.node.get("jobs").is_mapping:
            findings.stops(reader.node.get("jobs"), "a pipeline has jobs")
        reader.read()
        doc = doc_of(reader)
    if findings.stopped:
        return None
    _drop_unused(importing)
    tags = [f"{k}:{v.text}" if v.text else k for k, v in node.get("tags").items()]
    experiment = node.string("experiment_name")
    return Pipeline(
        name=_name(node, set(taken)),
        title=node.string("display_name"),
        doc=doc or None,
        tags=tuple(dict.fromkeys(["azureml", *([experiment] if experiment else []), *tags])),
        params=tuple(importing.params.values()),
        data=tuple(importing.data.values()),
        groups=tuple(importing.groups),
        steps=tuple(importing.steps),
        settings=_settings(node),
    )


def _of_component(job: PipelineReader) -> PipelineReader:
    """A job that only gives inputs to a pipeline component: that one, with these inputs."""
    component = component_of(job.node, job.importing)
    if component is None or kind_of(component) != "pipeline":
        return job
    found = PipelineReader(node=component, importing=job.importing)
    given = job.node.get("inputs")
    for name, node in given.items():
        value = root_input(job, name, node)
        if value is not None:
            found.inputs[name] = value
    for source in (job.node.get("settings").get("default_compute"), job.node.get("compute")):
        found.compute = source if source.value is not None else found.compute
    return found


def _read_command(reader: PipelineReader) -> None:
    node, importing = reader.node, reader.importing
    values = {name: root_input(reader, name, one) for name, one in node.get("inputs").items()}
    job = CommandJob(
        task_id=re.sub(r"[^\w-]+", "_", node.string("name") or Path(node.file).stem),
        group=None,
        job=node,
        component=node,
        inputs={name: value for name, value in values.items() if value is not None},
        destinations={},
        compute=compute_of(reader, node),
    )
    if (step := step_of(job, importing)) is not None:
        importing.steps.append(step)


def _drop_unused(importing: Importing) -> None:
    """Parameters that no step reads: those that said a compute."""
    texts = [a for step in importing.steps for a in step.arguments if isinstance(a, str)]
    text = "\n".join([*texts, *(one.path for one in importing.data.values())])
    for name in list(importing.params):
        if f"{{{{ params.{name} }}}}" not in text:
            del importing.params[name]


def _settings(node: Node) -> dict[str, object]:
    go_on = node.get("settings").get("continue_on_step_failure").value
    return {"fail_fast": True} if go_on is False else {}


def _name(node: Node, taken: set[str]) -> str:
    """The DAG's id: the name that people gave, else the file's, else the folder's."""
    stem = Path(node.file).stem
    said = node.string("name") or node.string("display_name") or node.string("experiment_name")
    if said is None or "${{" in said:
        said = Path(node.file).absolute().parent.name if stem in ("pipeline", "job") else stem
    base = re.sub(r"[^\w.-]+", "_", said, flags=re.ASCII).strip("_.") or "pipeline"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    return name
