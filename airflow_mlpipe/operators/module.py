"""ModuleStep: a step that somebody has written already, by name and version.

Its module says what it reads, writes, takes and runs; the author connects it.  From there on it is a step like those
that are written out: a module of a script has the fingerprint of the ScriptStep with the same code and arguments, in
whatever DAG, team and version.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.definitions._internal.contextmanager import DagContext

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.data import PipelineData
from airflow_mlpipe.model.environment import Environment
from airflow_mlpipe.model.resources import Resources
from airflow_mlpipe.model.reuse import Reuse
from airflow_mlpipe.modules.commands import command_of
from airflow_mlpipe.modules.definition import FILE, NO_CODE
from airflow_mlpipe.modules.params import check_param, complete_params, rendered
from airflow_mlpipe.operators.base import StepOperator
from airflow_mlpipe.operators.definition import check_files
from airflow_mlpipe.operators.module_call import ModuleMeta, find_module, params_of, refuse_program
from airflow_mlpipe.operators.module_functions import declare_ports, function_inputs, key_of, value_of
from airflow_mlpipe.operators.module_mapped import PARAMS, ModulePartial
from airflow_mlpipe.operators.module_ports import bind_inputs, bind_outputs
from airflow_mlpipe.operators.output_arg import OutputArg, OutputArgs
from airflow_mlpipe.operators.port_types import check_sources
from airflow_mlpipe.operators.ports import is_deferred
from airflow_mlpipe.operators.program import Said
from airflow_mlpipe.values.structure import encode

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_mlpipe.fingerprint.functions import FunctionCode
    from airflow_mlpipe.model.step import Argument
    from airflow_mlpipe.modules.resolved import ResolvedModule


class ModuleStep(StepOperator, metaclass=ModuleMeta):
    """Runs a module.

    A module that has steps becomes a TaskGroup of them; ``outputs`` of that are the module's.

    :param module: which: ``"featurize@1.2"``, ``"featurize>=1,<2"``, ``"featurize"`` (the default version),
        ``"team:featurize@1.2"`` (of that source), ``"./folder"`` (of that folder beside the DAG file).
    :param inputs: data by port. :param outputs: by port, the :class:`PipelineData` that other steps take, or that have
        options; those that are left out are ``step.outputs["port"]`` all the same.
    :param params: values of the module's parameters; may be templates.
    :param environment: instead of the module's own. :param resources: likewise.
    :param reuse: the policy; by default that of a step, and ``never`` for a module that is not deterministic.

    The other arguments are those of :class:`~airflow_mlpipe.operators.base.StepOperator` that are not about a program.

    :param resolved: not for authors.

    :raises DefinitionError: for a module that is not there, ports that are not connected or of another type, and values
        that the module's schema refuses.
    """

    template_fields: Sequence[str] = ("module", "module_version", "parameters", "inputs", "resource_inputs")
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "parameters": "json",
        "inputs": "json",
        "resource_inputs": "json",
    }
    ui_color = "#e4ecf7"

    def __init__(
        self,
        *,
        task_id: str,
        module: str,
        resolved: ResolvedModule | None = None,
        inputs: Any = None,
        outputs: Any = None,
        module_params: Mapping[str, Any] | None = None,
        environment: Environment | None = None,
        resources: Resources | None = None,
        reuse: Reuse | None = None,
        allow_reuse: bool | None = None,
        **kwargs: Any,
    ) -> None:
        where = f"step {task_id!r}"
        refuse_program(kwargs, where)
        found = resolved or find_module(module, kwargs.get("dag"), where)
        definition = found.definition
        if definition.kind == "pipeline":
            raise DefinitionError("a module that has steps is said in the step itself", where=where, fix="module=...")
        mapped = bool(getattr(self, "_BaseOperator__from_mapped", False))
        if not mapped:
            inputs = bind_inputs(definition, inputs, where=where)
        own, data = bind_outputs(definition, outputs, where=where)
        if reuse is None and allow_reuse is None:
            allow_reuse = definition.deterministic
        vars(self).update(
            kind=definition.kind,
            module=found.request.text,
            module_version=found.label,
            resolved=found,
            own_environment=environment is None,
            data_of_outputs=data,
        )
        declare_ports(self, definition)
        super().__init__(
            task_id=task_id,
            inputs=inputs,
            outputs=own,
            parameters=complete_params(
                definition.params, params_of(module_params, where), where=where, deferred=is_deferred
            ),
            source_directory=None if definition.kind == "function" else definition.source,
            script_name=None if definition.kind == "function" else definition.script,
            code=definition.code,
            include=definition.include,
            environment=environment or definition.environment,
            resources=resources or definition.resources,
            reuse=reuse,
            allow_reuse=True if allow_reuse is None else allow_reuse,
            **kwargs,
        )
        if not mapped:
            for port in self.inputs:
                check_sources(self, port)

    resolved: ResolvedModule

    @classmethod
    def complete(cls, said: Said, *, where: str) -> Said:
        """The module has said everything."""
        return said

    @classmethod
    def partial(cls, **kwargs: Any) -> ModulePartial:
        """The half of a mapped step that all instances share; ``params`` of it and of ``expand`` are put together."""
        where = f"step {kwargs.get('task_id')!r}"
        refuse_program(kwargs, where)
        if "params" in kwargs:
            kwargs[PARAMS] = params_of(kwargs.pop("params"), where)
        dag = kwargs.get("dag") or DagContext.get_current()
        found = find_module(kwargs.get("module"), dag, where)
        if found.definition.kind == "pipeline":
            raise DefinitionError(
                f"the module {found.definition.label} has steps, and several steps cannot be mapped at once",
                where=where,
                fix="map a TaskGroup that holds the step: @task_group and .expand()",
            )
        own, data = bind_outputs(found.definition, kwargs.get("outputs"), where=where)
        kwargs["outputs"] = own
        if kwargs.get("resources") is None and found.definition.resources is not None:
            kwargs["resources"] = found.definition.resources
        made = super().partial(**kwargs)
        made._expand_called = True  # it is replaced by ours, and would warn that it was never mapped
        return ModulePartial(
            operator_class=cls, kwargs=made.kwargs, params=made.params, resolved=found, data_of_outputs=data
        )

    def own_notes(self) -> Iterable[str]:
        """Which module it is, and what there is to say of it."""
        digest = f", {self.resolved.digest}" if self.resolved.digest else ""
        return (f"module {self.resolved.label}{digest}", *self.module_notes)

    module_notes: tuple[str, ...] = ()
    module_file: str | None = None

    def definition_file(self, dag_file: str) -> str:
        """The module's own, on this disk, where its code has been verified.

        :raises CorruptedError: when what the library has is not what was published.
        :raises DefinitionError: when the version was yanked meanwhile, and is not locked.
        """
        from airflow_mlpipe.hooks.workspace import Stores
        from airflow_mlpipe.modules.fetching import code_folder
        from airflow_mlpipe.modules.standing import standing_of

        if self.module_file is None:  # asked for several times in one try
            stores = Stores()
            notes = standing_of(self.resolved, stores, where=f"step {self.task_id!r}")
            file = os.path.join(code_folder(self.resolved, stores), FILE)
            vars(self).update(module_notes=notes, module_file=file)
        return str(self.module_file)

    def environment_file(self, dag_file: str) -> str:
        """The module's own, unless the author gave the environment."""
        return self.definition_file(dag_file) if self.own_environment else dag_file

    own_environment: bool

    def code_excludes(self) -> tuple[str, ...]:
        """The module's description and its tests, so that two versions with equal code are equal."""
        return NO_CODE if self.resolved.definition.source == "." else ()

    def check_files(self, dag_file: str | None, where: str, seen: set[tuple[object, ...]]) -> None:
        """The module's own were looked for when it was read; those of the author's environment are here."""
        if not self.own_environment:
            check_files({"environment": self.environment}, dag_file, where=where, seen=seen)

    def consumer_data(self) -> Mapping[str, PipelineData]:
        """By port, the author's objects."""
        return {key_of(self.resolved.definition, name): data for name, data in self.data_of_outputs.items()}

    @property
    def outputs(self) -> Mapping[str, OutputArg]:
        """The outputs by the module's names, to be passed on as another step's input."""
        definition = self.resolved.definition
        return OutputArgs.of(self, {port.name: key_of(definition, port.name) for port in definition.outputs})

    def pushed_outputs(self) -> tuple[str, ...]:
        """Of a function with one result that has no name: none, it is the return value."""
        return tuple(n for n in super().pushed_outputs() if key_of(self.resolved.definition, n) == n)

    def read_function(self, cache: Path | None) -> FunctionCode | None:
        """The code of a module that is a function: its file, and what that imports."""
        definition = self.resolved.definition
        if definition.kind != "function":
            return None
        from airflow_mlpipe.modules.functions import function_code

        return function_code(definition, os.path.dirname(self.definition_file("")), cache)

    def take_arguments(self) -> None:
        """Of a function: inputs are values, whose types are known once they are rendered."""
        if self.resolved.definition.kind == "function":
            ports, documents = function_inputs(self.inputs or [], where=f"step {self.task_id!r}")
            object.__setattr__(self, "inputs", ports)
            object.__setattr__(self, "parameters", {**(self.parameters or {}), **documents})

    data_of_outputs: Mapping[str, PipelineData]

    def take_parameters(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rendered, they are checked once more.  :raises DefinitionError: when the module's schema refuses one."""
        definition, where = self.resolved.definition, f"step {self.task_id!r}"
        found = {
            name: check_param(name, schema, rendered(schema, value_of(parameters[name])), where=where)
            for name, schema in sorted(definition.params.items())
            if name in parameters
        }
        if definition.kind != "function":
            return found
        inputs = {name: value for name, value in parameters.items() if name not in found}
        return {name: encode(value, lambda *_: None, path=name) for name, value in found.items()} | inputs

    def own_command(self, inputs: Iterable[str], parameters: Mapping[str, Any]) -> tuple[Argument, ...]:
        """The module's arguments with its parameters in them."""
        if self.resolved.definition.kind == "function":
            return ()
        return command_of(
            self.resolved.definition.arguments,
            inputs=frozenset(inputs),
            outputs=[output.name for output in self.output_data],
            params=parameters,
        )
