"""WHAT a step is, as one frozen value: StepSpec, its ports and its arguments.

An operator makes it from its (rendered) fields when the task runs; everything after that - fingerprint, job, lineage -
is a function of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_mlpipe.model.data import DataReference, Kind, PipelineData
from airflow_mlpipe.model.environment import Environment, Secret
from airflow_mlpipe.model.reference import OutputReference
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.model.reuse import Reuse

CodeMode = Literal["closure", "directory", "version"]


@dataclass(frozen=True, slots=True)
class Template:
    """Stands, in what is hashed, for a value that may not be: a secret, or text with an ignored parameter in it.

    :param text: the template that gives the value, or the name of what holds it.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A plain argument.

    :param template: as the author wrote it, before rendering; equals ``str(value)`` when it was no template.
    :param value: what it rendered to: str, int, float or bool; in what is hashed perhaps a :class:`Template`.
    """

    template: str
    value: str | int | float | bool | Template


@dataclass(frozen=True, slots=True)
class InputPath:
    """An argument that becomes the local path of an input."""

    name: str


@dataclass(frozen=True, slots=True)
class OutputPath:
    """An argument that becomes the local path of an output."""

    name: str


Argument = Text | InputPath | OutputPath


@dataclass(frozen=True, slots=True, kw_only=True)
class InputPort:
    """An input with its source known: references from upstream steps, or data that existed already.

    :param references: from upstream; several (``many``) when it gathers a mapped step or a list of outputs.
    :param data: a DataReference instead.
    :param many: staged as a folder with one member each, ``00000``, ``00001``, ... in that order.
    """

    name: str
    references: tuple[OutputReference, ...] = ()
    data: DataReference | None = None
    many: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPort:
    """An output with its options resolved to plain values.

    :param destination: ``path`` of the PipelineData with its placeholders filled in.
    """

    data: PipelineData
    destination: str | None = None

    @property
    def name(self) -> str:
        """The port's name."""
        return self.data.name

    @property
    def kind(self) -> Kind:
        """File or folder."""
        return self.data.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeSpec:
    """The code of a step, still in its source folder.

    :param root: absolute path of the source folder on the worker.
    :param entry: the script, relative to it; ``None`` for a command without a source folder of its own.
    :param mode: ``closure``: the script and what it imports; ``directory``: every file that ``.mlpipeignore`` leaves;
        ``version``: every file is shipped, none counts, the author's ``Reuse(version=...)`` stands for them.
    :param include: further files or folders (gitignore-style patterns) that belong to the code in ``closure`` mode.
    :param exclude: files or folders (likewise) of the root that are no code, whatever the folder's ignore files say.
    """

    root: str
    entry: str | None
    mode: CodeMode = "closure"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """The function that a step calls instead of running a program.

    :param file: its module, a file of the snapshot. :param name: of the function in it.
    :param bindings: variables of the functions around it, set in the module before it runs; structured JSON.
    :param names: of the outputs that it declares; empty: its result is one value, the output ``value``.
    """

    file: str
    name: str
    bindings: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """A step, resolved: what the fingerprint and the job are made of.

    ``label`` (dag, task, run) is for messages only and never part of a key.
    """

    label: str
    kind: str
    code: CodeSpec | None = None
    function: FunctionCall | None = None
    command: tuple[Argument, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[InputPort, ...] = ()
    resource_inputs: tuple[InputPort, ...] = ()
    outputs: tuple[OutputPort, ...] = ()
    environment: Environment = field(default_factory=Environment)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    compute_target: str = "local"
    resources: Resources | None = None
    reuse: Reuse = field(default_factory=Reuse)
    sorted_listings: bool = True
