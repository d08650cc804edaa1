"""From steps of v1 to tasks: the one place where records become operators, in a DAG."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.compute import compute_name
from airflow_mlpipe.azureml.data import DataPath, DataReference
from airflow_mlpipe.azureml.dataset import FileDataset
from airflow_mlpipe.azureml.outputs import InputPortBinding, StepOutput
from airflow_mlpipe.azureml.parameters import PipelineParameter, is_data_parameter
from airflow_mlpipe.azureml.runconfig import translate
from airflow_mlpipe.azureml.steps import CommandStep, PipelineStep, ProgramStep, PythonScriptStep
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model import data as model

if TYPE_CHECKING:
    from airflow.sdk import DAG

    from airflow_mlpipe.azureml.workspace import Workspace

_VALUES = (str, int, float, bool)


def closure(steps: Iterable[PipelineStep], *, reach: bool) -> list[PipelineStep]:
    """The steps, each after those whose data it reads and those that it runs after.

    :param reach: whether steps that others only lead to are pulled in (v1's ``resolve_closure``).
    :raises DefinitionError: for a cycle, and without ``reach`` for a step that is missing.
    """
    given, done, path = list(dict.fromkeys(steps)), dict[PipelineStep, None](), list[PipelineStep]()

    def visit(step: PipelineStep) -> None:
        if step in done:
            return
        if step in path:
            names = " -> ".join(s.name for s in [*path[path.index(step) :], step])
            raise DefinitionError("the steps make a cycle", where="Pipeline", given=names)
        path.append(step)
        for before in dict.fromkeys([*producers(step), *step.after]):
            if not reach and before not in given:
                raise DefinitionError(
                    f"step {step.name!r} needs {before.name!r}, which is not in the pipeline",
                    where="Pipeline(resolve_closure=False)",
                    fix="add it to steps",
                )
            visit(before)
        path.pop()
        done[step] = None

    for step in given:
        visit(step)
    return list(done)


def producers(step: PipelineStep) -> list[PipelineStep]:
    """The steps whose outputs this one reads."""
    read = [_bound(value)[1] for value in (*step.inputs, *getattr(step, "resource_inputs", ()), *step.arguments)]
    read += [_bound(value)[1] for value in getattr(step, "inputs_map", {}).values()]
    written = [d.producer for d in read if isinstance(d, StepOutput)]
    found = [p for p in written if p is not None and p is not step]
    return found


def _bound(value: Any) -> tuple[str | None, Any]:
    """A data object without the binding around it, and the name that the binding gives it."""
    name = None
    while isinstance(value, InputPortBinding):
        name, value = name or value.name, value.bind_object
    return name, value


@dataclass(slots=True)
class Built:
    """The tasks of a pipeline while they are made.

    :ivar parameters: of the DAG, by name. :ivar task_ids: of steps, in the order in which they were made.
    :ivar made: their tasks; of a module that has steps, the group.
    """

    workspace: Workspace
    dag: DAG
    folder: str
    default_source_directory: str | None
    parameters: dict[str, PipelineParameter]
    outputs: dict[StepOutput, model.PipelineData] = field(default_factory=dict)
    task_ids: dict[PipelineStep, str] = field(default_factory=dict)
    made: dict[PipelineStep, Any] = field(default_factory=dict)

    def add(self, step: PipelineStep) -> None:
        """Make a step's task.  :raises DefinitionError: naming the step and what is wrong."""
        name = step.name.removesuffix(".py") if isinstance(step, PythonScriptStep) else step.name
        task_id = _unique(re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII), self.task_ids.values())
        self.task_ids[step] = task_id
        made = self._program(step, task_id) if isinstance(step, ProgramStep) else step.add_task(self, task_id)
        self.made[step] = made
        for before in step.after:
            made.set_upstream(self.made[before])

    def _program(self, step: ProgramStep, task_id: str) -> Any:
        from airflow_mlpipe.operators.command import CommandStep as Command
        from airflow_mlpipe.operators.script import ScriptStep

        compute = compute_name(self.target(step), self.workspace.config, where=step.where)
        runs = translate(step.runconfig, compute, self.folder, where=step.where)
        ports = Ports(self, step)
        inputs, resources = ports.inputs(step.inputs), ports.inputs(step.resource_inputs)
        arguments = [ports.argument(value, inputs) for value in step.arguments]
        common: dict[str, Any] = {
            "task_id": task_id,
            "dag": self.dag,
            "inputs": inputs,
            "resource_inputs": resources,
            "outputs": [self.output(o, n) for n, o in step.outputs.items()],
            "parameters": {n: ports.value(v, f"{step.where}: params[{n!r}]") for n, v in step.params.items()},
            "compute_target": compute,
            "environment": runs.environment,
            "resources": runs.resources,
            **self.reuse(step),
        }
        if runs.execution_timeout is not None:
            common["execution_timeout"] = runs.execution_timeout
        folder = step.source_directory or self.default_source_directory
        if isinstance(step, PythonScriptStep):
            script = step.script_name
            return ScriptStep(script_name=script, source_directory=folder or ".", arguments=arguments, **common)
        assert isinstance(step, CommandStep)
        return Command(command=arguments, source_directory=folder, **common)

    @staticmethod
    def target(step: PipelineStep) -> Any:
        """The compute that a step names, or its run configuration does."""
        target = getattr(step.runconfig, "target", None)
        return step.compute_target if step.compute_target is not None else target

    def reuse(self, step: PipelineStep) -> dict[str, Any]:
        """What a step says of its reuse."""
        from airflow_mlpipe.model.reuse import Reuse

        return {"allow_reuse": step.allow_reuse, "reuse": Reuse(version=step.version) if step.version else None}

    def output(self, output: StepOutput, name: str) -> model.PipelineData:
        """The one model of an output: the edge is this object."""
        if output not in self.outputs:
            self.outputs[output] = output.to_model(name)
        return self.outputs[output]

    def data(self, value: Any, where: str) -> tuple[str, Any]:
        """A name and a data object of ours for one of v1.

        :raises DefinitionError: for what is none.
        """
        name, value = _bound(value)
        if isinstance(value, StepOutput):
            if value.producer is None:
                raise DefinitionError(
                    f"no step writes {value.name!r}", where=where, fix="declare it in outputs=[...] of a step"
                )
            return name or str(value.name), self.output(value, str(value.name))
        if isinstance(value, DataReference):
            return name or value.name, value.to_model()
        if is_data_parameter(value):
            return self._parameter_data(value[0], name, where)
        if isinstance(value, FileDataset):
            raise DefinitionError(
                "a dataset is not an input itself", where=where, given=value, fix="write dataset.as_named_input('name')"
            )
        raise DefinitionError(
            "not a data object",
            where=where,
            given=value,
            valid="DataReference, PipelineData, OutputFileDatasetConfig, dataset.as_named_input('name')",
        )

    def _parameter_data(self, parameter: PipelineParameter, name: str | None, where: str) -> tuple[str, Any]:
        default = parameter.default_value
        if not isinstance(default, DataPath):
            raise DefinitionError("the parameter of data has a DataPath as its default", where=where, given=parameter)
        self.use(parameter)
        name = name or parameter.name
        return name, model.DataReference(default.datastore.to_model(), parameter.template, name=name)

    def use(self, parameter: PipelineParameter) -> None:
        """Remember a parameter.  :raises DefinitionError: for another of that name with another default."""
        known = self.parameters.setdefault(parameter.name, parameter)
        if known.schema != parameter.schema:
            raise DefinitionError(
                f"two parameters are named {parameter.name!r}, with different defaults",
                where="Pipeline",
                given=(known.default_value, parameter.default_value),
                fix="rename one",
            )


@dataclass(slots=True)
class Ports:
    """The ports of one step while its task is made."""

    built: Built
    step: PipelineStep
    seen: dict[str, Any] = field(default_factory=dict)

    def inputs(self, given: Iterable[Any]) -> dict[str, Any]:
        """The inputs by port name."""
        found: dict[str, Any] = {}
        for value in given:
            name, data = self.built.data(value, f"{self.step.where}: inputs")
            name = f"INPUT_{name}" if name in self.step.outputs else name  # v1's name for it
            if name in found and not same_data(found[name], data):
                raise DefinitionError(
                    f"two inputs are named {name!r}", where=self.step.where, fix="rename one with x.as_input('other')"
                )
            found.setdefault(name, data)
        return found

    def argument(self, value: Any, inputs: dict[str, Any]) -> Any:
        """One argument: text, a number, or what stands for a port's path."""
        from airflow_mlpipe.model.step import InputPath, OutputPath

        bare = _bound(value)[1]
        if isinstance(bare, StepOutput) and bare.producer is self.step:
            return OutputPath(str(bare.name))
        if isinstance(bare, (StepOutput, DataReference, FileDataset)) or is_data_parameter(bare):
            return InputPath(self._port(value, inputs))
        return self.value(value, f"{self.step.where}: arguments")

    def _port(self, value: Any, inputs: dict[str, Any]) -> str:
        """The input that an argument repeats, or a new one."""
        name, data = self.built.data(value, f"{self.step.where}: arguments")
        for known, other in inputs.items():
            if same_data(other, data) and (known == name or not isinstance(value, InputPortBinding) or not value.name):
                return known
        added = self.inputs([value])
        (name,) = added
        if name in inputs:
            raise DefinitionError(
                f"two inputs are named {name!r}", where=self.step.where, fix="rename one with x.as_input('other')"
            )
        inputs[name] = added[name]
        return name

    def value(self, value: Any, where: str) -> Any:
        """A plain value, or the template of a parameter.  :raises DefinitionError: for what is neither."""
        if isinstance(value, PipelineParameter):
            if isinstance(value.default_value, DataPath):
                raise DefinitionError(
                    "a parameter of data comes with how it arrives",
                    where=where,
                    given=value,
                    fix="write (parameter, DataPathComputeBinding())",
                )
            self.built.use(value)
            return value.template
        if isinstance(value, (*_VALUES, os.PathLike)):
            return value
        raise DefinitionError(
            "not an argument",
            where=where,
            given=value,
            valid="text, a number, a bool, a path, a PipelineParameter, or a data object",
        )


def same_data(one: Any, other: Any) -> bool:
    """Whether two data objects of ours are the same data: outputs by object, references by what they point to."""
    if isinstance(one, model.DataReference) and isinstance(other, model.DataReference):
        return (one.datastore, one.path, one.name) == (other.datastore, other.path, other.name)
    return one is other


def _unique(name: str, taken: Iterable[str]) -> str:
    """The name, or with ``_2``, ``_3`` ... behind it: two steps of v1 may share one."""
    known, found, number = set(taken), name, 1
    while found in known:
        number += 1
        found = f"{name}_{number}"
    return found
