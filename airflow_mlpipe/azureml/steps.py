"""Steps of v1, as records: a Pipeline makes tasks of them.  Their mistakes are found when they are made."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.outputs import OutputFileDatasetConfig, StepOutput
from airflow_mlpipe.azureml.warn import ignored
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.names import check_port

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.build import Built

_SHELL = re.compile(r"[\s;&|<>$`'\"\\*?~#(){}]")


class PipelineStep:
    """What all steps of v1 have in common.

    :ivar arguments: as the author wrote them. :ivar inputs: likewise. :ivar outputs: with those of the arguments.
    :ivar after: steps that come before this one without giving it data.
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
    ) -> None:
        self.where = f"{type(self).__name__}({name!r})"
        given: object = name
        if not isinstance(given, str) or not given:
            raise DefinitionError("a step has a name", where=type(self).__name__, given=name)
        self.name = name
        self.inputs = _listed(inputs, f"{self.where}: inputs")
        self.arguments = _listed(arguments, f"{self.where}: arguments")
        self.outputs = self._own(_listed(outputs, f"{self.where}: outputs"))
        self.compute_target = compute_target
        self.runconfig = runconfig
        self.params = {check_port(str(n), where=f"{self.where}: params"): v for n, v in (params or {}).items()}
        self.source_directory = source_directory
        self.allow_reuse = allow_reuse
        self.version = version
        self.after: list[PipelineStep] = []

    def run_after(self, step: PipelineStep) -> None:
        """Let this step start when that one has ended, without data between them.

        :raises DefinitionError: for what is no step.
        """
        if not isinstance(step, PipelineStep):
            raise DefinitionError("run_after takes a step", where=self.where, given=step)
        if step not in self.after:
            self.after.append(step)

    def _own(self, given: list[Any]) -> dict[str, StepOutput]:
        """The outputs by name: those that were listed, and those that only an argument names."""
        own: dict[str, StepOutput] = {}
        said = [*given, *(a for a in self.arguments if isinstance(a, OutputFileDatasetConfig) and a.producer is None)]
        for number, output in enumerate(dict.fromkeys(said), start=1):
            if not isinstance(output, StepOutput):
                raise DefinitionError(
                    "not an output",
                    where=f"{self.where}: outputs",
                    given=output,
                    valid="PipelineData or OutputFileDatasetConfig",
                )
            if output.producer is not None and output.producer is not self:
                raise DefinitionError(
                    f"output {output.name!r} is declared by two steps, {output.producer.name!r} and {self.name!r}",
                    where=self.where,
                    fix="give each step an output of its own",
                )
            name = output.name or f"output_{number}"
            if name in own:
                raise DefinitionError(f"two outputs are named {name!r}", where=self.where, fix="rename one")
            output.name, output.producer = name, self
            own[name] = output
        return own

    def get_output(self, name: str | None = None) -> StepOutput:
        """An output by name, or the only one.  :raises DefinitionError: when there is none."""
        if name is None and len(self.outputs) == 1:
            return next(iter(self.outputs.values()))
        if name not in self.outputs:
            raise DefinitionError(
                "the step has no such output", where=self.where, given=name, valid=sorted(self.outputs) or "it has none"
            )
        return self.outputs[name]

    def add_task(self, built: Built, task_id: str) -> Any:
        """Make the task, or the group, of a step that runs no program of the author's."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.where


class ProgramStep(PipelineStep):
    """A step that runs a program: the arguments that such steps share."""

    def __init__(
        self,
        name: str,
        *,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        hash_paths: Any = None,
        resource_inputs: Sequence[Any] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(name, **common)
        self.resource_inputs = _listed(resource_inputs, f"{self.where}: resource_inputs")
        ignored(self.where, {"hash_paths": hash_paths}, why="what the script imports counts, and nothing else")
        ignored(
            self.where,
            {"runconfig_pipeline_params": runconfig_pipeline_params},
            why="a step runs on one machine",
        )


class PythonScriptStep(ProgramStep):
    """A Python script of a folder.

    :param script_name: relative to ``source_directory``, which is relative to the file of the pipeline.
    :raises DefinitionError: for mistakes that show before the pipeline is made.
    """

    def __init__(
        self,
        script_name: str,
        name: str | None = None,
        arguments: Sequence[Any] | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        hash_paths: Any = None,
        resource_inputs: Sequence[Any] | None = None,
    ) -> None:
        given: object = script_name
        if not isinstance(given, str) or not given:
            raise DefinitionError("script_name is the name of a script", where="PythonScriptStep", given=script_name)
        self.script_name = os.path.normpath(script_name)
        super().__init__(
            name or script_name,
            arguments=arguments,
            compute_target=compute_target,
            runconfig=runconfig,
            runconfig_pipeline_params=runconfig_pipeline_params,
            inputs=inputs,
            outputs=outputs,
            params=params,
            source_directory=source_directory,
            allow_reuse=allow_reuse,
            version=version,
            hash_paths=hash_paths,
            resource_inputs=resource_inputs,
        )


class CommandStep(ProgramStep):
    """A command.

    :param command: a text, that bash reads, or a list.  In v1 a list was joined to such a text; here its items are the
        program's arguments, unless one of them is text with a meaning for a shell: then bash reads it, and data and
        parameters are handed to it as ``"$1"``, ``"$2"`` ..., so that no value is taken for syntax.
    """

    def __init__(
        self,
        command: str | Sequence[Any] | None = None,
        name: str | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        inputs: Sequence[Any] | None = None,
        outputs: Sequence[Any] | None = None,
        params: Mapping[str, Any] | None = None,
        source_directory: str | None = None,
        allow_reuse: bool = True,
        version: str | None = None,
        resource_inputs: Sequence[Any] | None = None,
    ) -> None:
        if not command:
            raise DefinitionError("command is a text or a list", where="CommandStep", given=command)
        arguments = shell_command(command)
        words = str(command if isinstance(command, str) else command[0]).split()
        super().__init__(
            name or os.path.basename(words[0] if words else "command"),
            arguments=arguments,
            compute_target=compute_target,
            runconfig=runconfig,
            runconfig_pipeline_params=runconfig_pipeline_params,
            inputs=inputs,
            outputs=outputs,
            params=params,
            source_directory=source_directory,
            allow_reuse=allow_reuse,
            version=version,
            resource_inputs=resource_inputs,
        )


def shell_command(command: str | Sequence[Any]) -> list[Any]:
    """A v1 command as a program and its arguments."""
    items = [command] if isinstance(command, str) else list(command)
    if not any(isinstance(item, str) and _SHELL.search(item) for item in items):
        return items
    script, values = [], []
    for item in items:
        if isinstance(item, str):
            script.append(item)
        else:
            values.append(item)
            script.append(f'"${{{len(values)}}}"')
    return ["bash", "-c", " ".join(script), "bash", *values]


class StepSequence:
    """Steps in order, without data between them: a list in the list is steps beside each other."""

    def __init__(self, steps: Sequence[Any] | None = None) -> None:
        self.steps = list(steps or ())

    def extend(self, steps: Sequence[Any]) -> None:
        """Add more at the end."""
        self.steps += list(steps)


def in_order(given: Any) -> list[PipelineStep]:
    """The steps of a list, of lists in it, and of sequences, whose order becomes ``run_after``.

    :raises DefinitionError: for what is no step.
    """
    if isinstance(given, PipelineStep):
        return [given]
    if isinstance(given, StepSequence):
        layers = [in_order(layer) for layer in given.steps]
        for before, layer in pairwise(layers):
            for step in layer:
                for earlier in before:
                    step.run_after(earlier)
        return [step for layer in layers for step in layer]
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [step for one in given for step in in_order(one)]
    raise DefinitionError(
        "not a step", where="Pipeline(steps)", given=given, valid="a step, a list of steps, or a StepSequence"
    )


def _listed(given: Any, where: str) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Sequence):
        raise DefinitionError("a list is expected", where=where, given=given)
    return list(given)
