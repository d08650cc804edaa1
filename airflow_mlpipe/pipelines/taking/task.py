"""A step of a DAG as a record: a step of ours, of our own class, mapped or not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.model.step import InputPath, OutputPath
from airflow_mlpipe.operators.definition import effective_reuse
from airflow_mlpipe.operators.placement import placed
from airflow_mlpipe.pipelines.reading.order import all_sources
from airflow_mlpipe.pipelines.records import ArgumentText, Expansion, Input, Output, OutputOf, Step, StepKind
from airflow_mlpipe.pipelines.taking.airflow import attribute, step_settings
from airflow_mlpipe.pipelines.taking.values import DataNames, asset_record, is_plain

Name = Callable[[str], None]

_KINDS: dict[str, StepKind] = {
    "airflow_mlpipe.operators.script.ScriptStep": "script",
    "airflow_mlpipe.operators.command.CommandStep": "command",
    "airflow_mlpipe.operators.module.ModuleStep": "module",
    "airflow_mlpipe.operators.transfer.DataTransferStep": "transfer",
}
_DEFAULT_CODE = {"script": "closure", "command": "directory"}
# In a step an argument has another name than in its constructor, where Airflow has an attribute of that name.
_ATTRIBUTES = {"outputs": "output_data", "resources": "step_resources"}


def kind_of(task: Any) -> StepKind | None:
    """Which kind of step a task is; ``None`` for an ordinary operator, a function, and a class of an author's."""
    cls = getattr(task, "operator_class", None) if task.is_mapped else type(task)
    kind = class_kind(cls)
    return None if task.is_mapped and kind in ("module", "transfer") else kind


def class_kind(cls: Any) -> StepKind | None:
    """Which kind of step a class is."""
    return _KINDS.get(f"{getattr(cls, '__module__', '')}.{getattr(cls, '__qualname__', '')}")


class TakenStep:
    """One step while it is taken apart.

    :param data: names the pipeline's data. :param rebase: turns a path that is relative to the DAG file into one that
        is relative to the pipeline's. :param name: told what of the step has no form.
    """

    def __init__(self, task: Any, kind: StepKind, data: DataNames, rebase: Callable[[str], str], name: Name) -> None:
        self.task, self.kind, self._data, self._rebase, self._name = task, kind, data, rebase, name
        self.where = f"step {task.task_id!r}"
        self.broken = False

    def said(self, name: str, default: Any = None) -> Any:
        """An argument of the constructor."""
        if self.task.is_mapped:
            return self.task.partial_kwargs.get(name, default)
        return getattr(self.task, _ATTRIBUTES.get(name, name), default)

    def step(self) -> Step:
        """The record."""
        target, resources = self.said("compute_target", "local"), self.said("resources")
        program = self.kind in ("script", "command")
        step = Step(
            task_id=self.task.task_id,
            kind=self.kind,
            group=self._group(),
            inputs=self._ports(self.said("inputs")),
            resource_inputs=self._ports(self.said("resource_inputs")),
            outputs=tuple(self._output(one) for one in self.said("outputs") or ()),
            compute=target,
            resources=resources,
            environment=self._environment(),
            reuse=self._reuse(),
            secrets=dict(self.said("secrets") or {}),
            deferrable=self.said("deferrable"),
            sorted_listings=self.said("sorted_listings", True),
            settings=self._settings(placed(target, resources, {}, where=self.where)),
            **(self._program() if program else {}),
        )
        if self.kind == "module":
            from airflow_mlpipe.pipelines.taking.module import as_module

            step = as_module(self.task, step, self._rebase)
        if self.kind == "transfer":
            from airflow_mlpipe.pipelines.taking.transfer import as_transfer

            step = as_transfer(self.task, step, self._data)
        read = {source.step for source in all_sources(step)}
        return replace(step, after=tuple(sorted(self.task.upstream_task_ids - read)))

    def _broken(self, name: str) -> None:
        self.broken = True
        self._name(name)

    def _program(self) -> dict[str, Any]:
        source, code = self.said("source_directory"), self.said("code")
        return {
            "arguments": self._arguments(self.said("arguments"), "arguments"),
            "script": self.said("script_name"),
            "source": self._rebase(source) if source is not None else None,
            "parameters": self._parameters(self.said("parameters"), "parameters"),
            "code": code if code != _DEFAULT_CODE[self.kind] else None,
            "include": tuple(self.said("include") or ()),
            "expand": self._expansion() if self.task.is_mapped else None,
        }

    def _group(self) -> str | None:
        group = self.task.task_group
        found: str | None = group.group_id if group is not None else None
        return found

    def _environment(self) -> Environment | None:
        environment: Environment | None = self.said("environment")
        if environment is None or environment.requirements is None or os.path.isabs(environment.requirements):
            return environment
        return replace(environment, requirements=self._rebase(environment.requirements))

    def _reuse(self) -> Reuse | None:
        reuse = self.said("reuse")
        if self.task.is_mapped:
            reuse = effective_reuse(reuse, self.said("allow_reuse", True), where=self.where)
        return None if reuse == Reuse() else reuse

    def _settings(self, added: Mapping[str, Any]) -> dict[str, Any]:
        task, dag = self.task, self.task.dag

        def read(argument: str, default: Any) -> Any:
            found = task.partial_kwargs.get(argument) if task.is_mapped else attribute(task, argument, default)
            if argument == "resources" or (found is None and task.is_mapped):
                return default  # Airflow's own argument of this name, which a step does not take
            own = argument in ("start_date", "end_date") and found == getattr(dag, argument)
            return default if own else found

        if task.is_setup or task.is_teardown:
            self._name("setup or teardown")
        if [one for one in self.said("outlets") or () if not str(getattr(one, "name", "")).startswith("mlpipe:")]:
            self._name("outlets")
        params = self.task.partial_kwargs.get("params") if task.is_mapped else task.params
        if {*(params or ())} - {*dag.params}:
            self._name("params of the task")
        return step_settings(read, self._name, added)

    def _ports(self, ports: Any) -> tuple[Input, ...]:
        if isinstance(ports, Mapping) and not ports:
            return ()  # a mapped step keeps what its author wrote where that is nothing
        if ports is not None and not isinstance(ports, list):
            self._broken("inputs that are known in a run only")
            return ()
        found = []
        for port in ports or ():
            given = port.get("from")
            if "data" in port:
                found.append(Input(name=port["name"], sources=(self._data.of_plain(port["name"], port["data"]),)))
            elif isinstance(given, list):
                sources = [self._source(one, port["name"]) for one in given]
                found.append(Input(name=port["name"], sources=tuple(s for s in sources if s is not None), many=True))
            elif (source := self._source(given, port["name"])) is not None:
                found.append(Input(name=port["name"], sources=(source,)))
        return tuple(found)

    def _source(self, given: Any, port: str) -> OutputOf | None:
        from airflow.sdk.definitions.xcom_arg import PlainXComArg

        from airflow_mlpipe.operators.ports import output_names

        if not isinstance(given, PlainXComArg):
            self._broken(f"input {port!r}, which is no output of a step")
            return None
        producer, key = given.operator, given.key
        if kind_of(producer) is None or key not in output_names(producer):
            self._broken(f"input {port!r}, of task {producer.task_id!r}")
            return None
        return OutputOf(producer.task_id, key)

    def _output(self, data: Any) -> Output:
        asset = asset_record(data.asset)
        if data.asset is not None and asset is None:
            self._name(f"the asset of output {data.name!r}")
        return Output(
            name=data.name,
            kind=data.kind,
            filename=data.filename,
            optional=data.optional,
            datastore=data.datastore,
            path=data.path,
            asset=asset,
            volatile=data.volatile,
        )

    def _arguments(self, given: Any, what: str) -> tuple[ArgumentText, ...]:
        if given is not None and not isinstance(given, list):
            self._broken(f"{what} that are known in a run only")
            return ()
        found = [self._argument(one, f"{what}[{index}]") for index, one in enumerate(given or ())]
        return tuple(one for one in found if one is not None)

    def _argument(self, value: Any, what: str) -> ArgumentText | None:
        from airflow.sdk.definitions.xcom_arg import XComArg

        if isinstance(value, Mapping):
            return InputPath(value["input"]) if "input" in value else OutputPath(value["output"])
        if isinstance(value, (str, int, float, bool)) and is_plain(value):
            return value
        producers = sorted({operator.task_id for operator, _ in XComArg.iter_xcom_references(value)})
        self._broken(f"{what}, of task {', '.join(map(repr, producers))}" if producers else what)
        return None

    def _parameters(self, given: Any, what: str) -> dict[str, Any]:
        if given is not None and not isinstance(given, Mapping):
            self._broken(f"{what} that are known in a run only")
            return {}
        for name, value in (given or {}).items():
            if not is_plain(value):
                self._broken(f"{what}[{name!r}]")
        return {name: value for name, value in (given or {}).items() if is_plain(value)}

    def _expansion(self) -> Expansion | None:
        from airflow.sdk.definitions._internal.expandinput import DictOfListsExpandInput

        expand = self.task._get_specified_expand_input()
        values = expand.value if isinstance(expand, DictOfListsExpandInput) else None
        if values is None or {*values} - {"arguments", "parameters", "inputs"}:
            self._broken("expand over something else than arguments, parameters and inputs")
            return None
        if any(not isinstance(one, (list, tuple)) for one in values.values()):
            self._broken("expand over what is known in a run only")
            return None
        return Expansion(
            arguments=self._each(values, "arguments", self._arguments),
            parameters=self._each(values, "parameters", self._parameters),
            inputs=self._each(values, "inputs", lambda ports, _: self._ports(ports)),
        )

    @staticmethod
    def _each(values: Mapping[str, Any], name: str, take: Callable[[Any, str], Any]) -> Any:
        if name not in values:
            return None
        return tuple(take(one, f"instance {index}: {name}") for index, one in enumerate(values[name]))
