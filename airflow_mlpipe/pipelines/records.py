"""WHAT a pipeline is, as one frozen value: Pipeline, its steps, data, parameters and groups.

Plain values, compared by what they say, with the names that the YAML has; no Airflow.  Paths are relative to the folder
of the file that the pipeline stands in.  A text that an author wrote - an argument, a parameter - is kept as Airflow
will see it: ``${params.rate}`` of the YAML is ``{{ params.rate }}`` here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import Datastore, Identity, Kind, Volatile
from airflow_mlpipe.model.environment import Environment, Secret
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import CodeMode, InputPath, OutputPath
from airflow_mlpipe.pipelines.schedules import Asset, Schedule

if TYPE_CHECKING:
    from airflow_mlpipe.pipelines.graph import Graph

API = "mlpipe/v1"
"""What a file says of itself; a later form has another."""

StepKind = Literal["script", "command", "module", "transfer"]
ArgumentText = str | int | float | bool | InputPath | OutputPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of every run, as Airflow's Param.

    :param required: whether a run must say it; then there is no default.
    :param schema: JSON Schema of the value; empty: anything.
    """

    name: str
    default: Any = None
    required: bool = False
    description: str | None = None
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data that exist already; see :class:`~airflow_mlpipe.DataReference`."""

    name: str
    datastore: Datastore
    path: str = ""
    version: str | None = None
    identity: Identity = "auto"


@dataclass(frozen=True, slots=True)
class OutputOf:
    """An output of a step of the pipeline."""

    step: str
    output: str

    def __str__(self) -> str:
        return f"${{steps.{self.step}.outputs.{self.output}}}"


@dataclass(frozen=True, slots=True)
class DataNamed:
    """One of the pipeline's data."""

    name: str

    def __str__(self) -> str:
        return f"${{data.{self.name}}}"


@dataclass(frozen=True, slots=True)
class OuterInput:
    """An input of what the steps are in: of a module that is a pipeline."""

    name: str

    def __str__(self) -> str:
        return f"${{inputs.{self.name}}}"


Source = OutputOf | DataNamed | OuterInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input port and where its data come from.

    :param many: whether it gathers a list; else there is one source.
    """

    name: str
    sources: tuple[Source, ...]
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output of a step; see :class:`~airflow_mlpipe.PipelineData`."""

    name: str
    kind: Kind = "folder"
    filename: str | None = None
    optional: bool = False
    datastore: Datastore | None = None
    path: str | None = None
    asset: Asset | None = None
    volatile: tuple[Volatile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """How a step is mapped: what each instance has of its own.  Of two that are given, every combination is one."""

    arguments: tuple[tuple[ArgumentText, ...], ...] | None = None
    parameters: tuple[Mapping[str, Any], ...] | None = None
    inputs: tuple[tuple[Input, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a pipeline.

    :param task_id: with the prefixes of its groups. :param group: the innermost one.
    :param arguments: of a command, the program included.
    :param script, source: of a script. :param module: of a module, its name and version.
    :param options: of a module or a transfer: what only its kind has, by name.
    :param parameters: values of the file ``MLPIPE_PARAMS``; of a module, its parameters.
    :param after: steps that it waits for although it takes no data of theirs, sorted.
    :param reuse: ``None``: what is usual for the kind.
    :param settings: what Airflow is told of the task; :mod:`~airflow_mlpipe.pipelines.settings` lists them.
    """

    task_id: str
    kind: StepKind
    group: str | None = None
    arguments: tuple[ArgumentText, ...] = ()
    script: str | None = None
    source: str | None = None
    module: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    resource_inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    code: CodeMode | None = None
    include: tuple[str, ...] = ()
    environment: Environment | None = None
    compute: str = "local"
    resources: Resources | None = None
    reuse: Reuse | None = None
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    deferrable: bool | None = None
    sorted_listings: bool = True
    expand: Expansion | None = None
    after: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that it reads, in the order of its inputs."""
        return tuple(source for port in (*self.inputs, *self.resource_inputs) for source in port.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A TaskGroup.

    :param name: its id, with the prefixes of the groups around it. :param parent: the group around it.
    :param prefix: whether its name is part of the ids of what is in it.
    """

    name: str
    parent: str | None = None
    prefix: bool = True
    title: str = ""
    tooltip: str = ""
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A pipeline.

    :param name: the DAG's id. :param title: what the UI shows instead of it.
    :param description: a line. :param doc: pages of Markdown.
    :param settings: what Airflow is told of the DAG; :mod:`~airflow_mlpipe.pipelines.settings` lists them.
    """

    name: str
    title: str | None = None
    description: str | None = None
    doc: str | None = None
    tags: tuple[str, ...] = ()
    params: tuple[Parameter, ...] = ()
    data: tuple[Data, ...] = ()
    groups: tuple[Group, ...] = ()
    steps: tuple[Step, ...] = ()
    schedule: Schedule | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path) -> Pipeline:
        """Read a file.  :raises PipelineFileError: with all its mistakes."""
        from airflow_mlpipe.pipelines.reading.pipeline import read_pipeline_file

        return read_pipeline_file(Path(path)).pipeline

    @property
    def graph(self) -> Graph:
        """Nodes, ports and edges."""
        from airflow_mlpipe.pipelines.graph import graph_of_pipeline

        return graph_of_pipeline(self)

    def to_yaml(self) -> str:
        """The file that says this.  The same pipeline gives the same text."""
        from airflow_mlpipe.pipelines.writing import to_yaml

        return to_yaml(self)

    def step(self, task_id: str) -> Step:
        """One of the steps.  :raises DefinitionError: when there is none of this name."""
        for step in self.steps:
            if step.task_id == task_id:
                return step
        raise DefinitionError(
            "there is no such step",
            where=f"pipeline {self.name!r}",
            given=task_id,
            valid=[s.task_id for s in self.steps],
        )
