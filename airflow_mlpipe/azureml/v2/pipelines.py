"""A pipeline of v2, with the pipelines in it: jobs become steps, inputs become parameters and data."""

from __future__ import annotations

from dataclasses import dataclass, field

from airflow_mlpipe.azureml.v2.bindings import Bound, only_binding, parts_of
from airflow_mlpipe.azureml.v2.components import component_of, kind_of
from airflow_mlpipe.azureml.v2.computes import compute_of
from airflow_mlpipe.azureml.v2.importing import Importing
from airflow_mlpipe.azureml.v2.inputs import INPUT, root_input
from airflow_mlpipe.azureml.v2.jobs import CommandJob, step_of
from airflow_mlpipe.azureml.v2.nodes import Node
from airflow_mlpipe.azureml.v2.outputs import FILES, FOLDERS
from airflow_mlpipe.azureml.v2.sources import source_of
from airflow_mlpipe.azureml.v2.values import PLAIN, Absent, Broken, Literal, Mixed, Plain, Value, as_text
from airflow_mlpipe.pipelines.records import DataNamed, Group, OutputOf

_PIPELINE = frozenset(
    {"$schema", "type", "name", "version", "display_name", "description", "tags", "experiment_name", "settings"}
    | {"inputs", "outputs", "jobs", "compute", "is_deterministic"}
)
_SETTINGS = frozenset({"default_compute", "default_datastore", "continue_on_step_failure", "force_rerun"})
_JOB = frozenset({"type", "component", "inputs", "outputs", "name", "display_name", "description", "jobs", "compute"})


@dataclass(slots=True, kw_only=True)
class PipelineReader:
    """A pipeline: the outermost one, or one that is a job of another.

    :param node: it. :param prefix: of its steps, ``group.``; empty for the outermost one.
    :param compute: of jobs that name none. :param compute_owner: the pipeline that says it.
    :param refresh: whether every step executes always.
    :ivar inputs: values by name. :ivar jobs: by name, with the component of each.
    """

    node: Node
    importing: Importing
    prefix: str = ""
    compute: Node | None = None
    compute_owner: PipelineReader | None = None
    refresh: bool = False
    inputs: dict[str, Value] = field(default_factory=dict)
    jobs: dict[str, tuple[Node, Node]] = field(default_factory=dict)
    inner: dict[str, PipelineReader] = field(default_factory=dict)
    destinations: dict[str, Node] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    outer: PipelineReader | None = None

    def look(self) -> None:
        """Read the components of all jobs, so that jobs can name each other in any order."""
        settings = self.node.get("settings")
        self.importing.rest(self.node, _PIPELINE, "of a pipeline")
        self.importing.rest(settings, _SETTINGS, "of settings")
        # Of a pipeline in another one `compute` is the job's, which the other one says.
        said = [self.node.get("compute")] if self.outer is None else []
        for source in (settings.get("default_compute"), *said):
            if source.value is not None:
                self.compute, self.compute_owner = source, self
        self.refresh = self.refresh or settings.get("force_rerun").value is True
        self.destinations = {name: node for name, node in self.node.get("outputs").items() if node.is_mapping}
        for name, job in self.node.get("jobs").items():
            component = component_of(job, self.importing)
            if component is None:
                continue
            self.jobs[name] = (job, component)
            if kind_of(component) == "pipeline":
                own = job.get("compute")
                self.inner[name] = PipelineReader(
                    node=component,
                    importing=self.importing,
                    prefix=f"{self.prefix}{name}.",
                    refresh=self.refresh,
                    compute=own if own.value is not None else self.compute,
                    compute_owner=self if own.value is not None else self.compute_owner,
                    outer=self,
                )
                self.inner[name].look()

    @property
    def is_whole(self) -> bool:
        """Whether all of its jobs could be read."""
        return len(self.jobs) == len(self.node.get("jobs").value or ())

    def read(self) -> None:
        """Make the steps."""
        for name, (job, component) in self.jobs.items():
            if name in self.inner:
                self._read_inner(name, job, component)
                continue
            values = self._given(job, component)
            task_id = f"{self.prefix}{name}"
            made = step_of(
                CommandJob(
                    task_id=task_id,
                    group=self.prefix.rstrip(".") or None,
                    job=job,
                    component=component,
                    inputs=values,
                    destinations=self._wanted(job),
                    compute=compute_of(self, job),
                    refresh=self.refresh,
                ),
                self.importing,
            )
            if made is not None:
                self.importing.steps.append(made)
        if not self.is_whole:
            return  # what the others use is not known
        for name, node in self.node.get("inputs").items():
            if name not in self.used:
                self.importing.findings.differs(node, "no job uses this input")

    def _read_inner(self, name: str, job: Node, component: Node) -> None:
        reader = self.inner[name]
        self.importing.rest(job, _JOB, "of a job that is a pipeline")
        self.importing.groups.append(
            Group(name=reader.prefix.rstrip("."), tooltip=component.string("description") or "")
        )
        reader.inputs = self._given(job, component)
        wanted = self._wanted(job)
        reader.destinations = {n: d for n, d in reader.destinations.items() if d.get("path").value} | wanted
        reader.read()

    def _given(self, job: Node, component: Node) -> dict[str, Value]:
        """The values of a job's inputs."""
        declared, given = component.get("inputs"), job.get("inputs")
        values: dict[str, Value] = {}
        if component == job:
            return {name: self.value(name, node, node) or Broken() for name, node in given.items()}
        for name, node in declared.items():
            self.importing.rest(node, INPUT, "of an input")
            values[name] = self._input(name, node, given.get(name), job) or Broken()
        for name, node in given.items():
            if not declared.has(name):
                self.importing.findings.differs(node, "the component has no such input")
        return values

    def _input(self, name: str, declared: Node, given: Node, job: Node) -> Value | None:
        if given.value is not None:
            return self.value(name, given, declared)
        if declared.get("default").value is not None:
            return literal_of(declared.get("default"))
        if declared.get("optional").value is True:
            return Absent()
        self.importing.findings.stops(given if job.get("inputs").has(name) else job, f"input {name!r} has no value")
        return None

    def value(self, name: str, given: Node, declared: Node) -> Value | None:
        """What a job's input is given; ``None`` when that is told to be impossible."""
        if given.is_mapping:
            self.importing.rest(given, INPUT, "of an input")
            for member in ("path", "value", "default"):
                if given.get(member).value is not None:
                    return self.value(name, given.get(member), given)
            if given.get("optional").value is True:
                return Absent()
            self.importing.findings.stops(given, "an input without a value")
            return None
        if isinstance(given.value, list):
            self.importing.findings.stops(given, "a list is no input")
            return None
        text = given.text or ""
        if (bound := only_binding(text)) is not None:
            return self._bound(bound, given)
        if "${{" in text:
            return self._mixed(text, given)
        kind = declared.string("type")
        is_place = text.startswith(("azureml:", "azureml://")) or given.place[-1:] == ("path",)
        if is_place or (kind in FILES | FOLDERS and isinstance(given.value, str)):
            source = source_of(given, self.importing.root, self.importing.findings)
            return None if source is None else DataNamed(self.importing.datum(name, source))
        return literal_of(given)

    def _bound(self, bound: Bound, node: Node) -> Value | None:
        if (name := bound.parent_input) is not None:
            return self._parent(name, node)
        if (output := bound.job_output) is not None:
            return self.output(*output, node)
        self.importing.findings.stops(
            node,
            f"{bound} is nothing that an input is given",
            "${{parent.inputs.NAME}}, ${{parent.jobs.JOB.outputs.NAME}}",
        )
        return None

    def _parent(self, name: str, node: Node) -> Value | None:
        self.used.add(name)
        if name in self.inputs:
            return self.inputs[name]
        declared = self.node.get("inputs")
        if self.outer is None and declared.has(name):
            value = root_input(self, name, declared.get(name))
            if value is not None:
                self.inputs[name] = value
            return value
        if not declared.has(name):
            self.importing.findings.stops(node, f"the pipeline has no input {name!r}")
        return None

    def _mixed(self, text: str, node: Node) -> Value | None:
        """Text with inputs in it."""
        pieces: list[Plain] = []
        for part in parts_of(text):
            value = self._bound(part, node) if isinstance(part, Bound) else Literal(part)
            if value is None:
                return None
            if not isinstance(value, PLAIN):
                self.importing.findings.stops(node, "data within a text", "give the data an input of their own")
                return None
            pieces.append(value)
        if all(isinstance(piece, Literal) for piece in pieces):
            return Literal("".join(piece.text for piece in pieces if isinstance(piece, Literal)))
        return Mixed("".join(piece.template for piece in pieces))

    def output(self, job: str, name: str, node: Node) -> Value | None:
        """An output of a job; of a pipeline, that of the job in it that writes it."""
        if job in self.inner:
            return self.inner[job].wrote(name, node)
        if job not in self.jobs:
            if not self.node.get("jobs").has(job):
                self.importing.findings.stops(node, f"there is no job {job!r}")
            return None
        owner, component = self.jobs[job]
        if not owner.get("outputs").has(name) and not component.get("outputs").has(name):
            self.importing.findings.stops(node, f"job {job!r} has no output {name!r}")
            return None
        return OutputOf(f"{self.prefix}{job}", name)

    def exported(self, name: str, node: Node) -> Value | None:
        """The output of one of the jobs that is this pipeline's."""
        for job, (owner, _) in self.jobs.items():
            for output, given in owner.get("outputs").items():
                bound = only_binding(given.get("path").value if given.is_mapping else given.value)
                if bound is not None and bound.parent_output == name:
                    return self.output(job, output, given)
        return None

    def wrote(self, name: str, node: Node) -> Value | None:
        """:meth:`exported`, which has to be there."""
        found = self.exported(name, node)
        if found is None and self.is_whole:
            self.importing.findings.stops(node, f"no job of {self.prefix.rstrip('.')!r} writes its output {name!r}")
        return found

    def _wanted(self, job: Node) -> dict[str, Node]:
        """Where this pipeline, or one around it, wants a job's outputs."""
        found = {}
        for output, given in job.get("outputs").items():
            bound = only_binding(given.get("path").value if given.is_mapping else given.value)
            if bound is not None and bound.parent_output in self.destinations:
                found[output] = self.destinations[str(bound.parent_output)]
        return found


def literal_of(node: Node) -> Literal:
    """A scalar as a value."""
    return Literal(as_text(node.value, node.text or ""))


def doc_of(reader: PipelineReader) -> str:
    """What the DAG's page says: description, and what is behind the names of the pipeline's outputs."""
    lines = [reader.node.string("description") or ""]
    for name, node in reader.node.get("outputs").items():
        found = reader.exported(name, node)
        if found is None and reader.is_whole:
            reader.importing.findings.differs(node, "no job writes this output")
        if isinstance(found, OutputOf):
            lines.append(f"- `{name}` is output `{found.output}` of `{found.step}`")
    return "\n".join(line for line in lines if line).strip()
