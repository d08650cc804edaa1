"""ModuleStep: a step of the organisation's library of modules, by v1's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_mlpipe.azureml.compute import compute_name
from airflow_mlpipe.azureml.outputs import StepOutput
from airflow_mlpipe.azureml.runconfig import translate
from airflow_mlpipe.azureml.steps import PipelineStep
from airflow_mlpipe.azureml.warn import ignored
from airflow_mlpipe.errors import DefinitionError

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.build import Built
    from airflow_mlpipe.azureml.workspace import Workspace

_PUBLISH = "write module.yaml beside the script, and `airflow mlpipe module publish`"


class ModuleVersion:
    """A module with a version; it is looked up when the pipeline is made."""

    def __init__(self, workspace: Workspace, module_name: str, version: str | None = None) -> None:
        self.name = module_name
        self.version = version

    @classmethod
    def get(cls, workspace: Workspace, module_version_id: str | None = None, **others: Any) -> NoReturn:
        """v1's, by an id of Azure's.  :raises DefinitionError: always."""
        raise DefinitionError("modules have no ids", where="ModuleVersion.get", fix="write Module.get(ws, name=...)")

    @property
    def request(self) -> str:
        """How our ModuleStep names it."""
        return f"{self.name}@{self.version}" if self.version else self.name


class Module:
    """A module of the library, by its name.  Modules are published from the command line, not by a script."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace = workspace
        self.name = name

    @classmethod
    def get(cls, workspace: Workspace, module_id: str | None = None, name: str | None = None, **others: Any) -> Module:
        """The module of a name.  :raises DefinitionError: for an id of Azure's."""
        if name is None:
            raise DefinitionError(
                "modules have no ids", where="Module.get", given=module_id, fix="write Module.get(ws, name=...)"
            )
        return cls(workspace, name)

    @classmethod
    def create(cls, *others: Any, **more: Any) -> NoReturn:
        """v1's.  :raises DefinitionError: always."""
        raise DefinitionError("modules are not made by a script", where="Module.create", fix=_PUBLISH)

    def publish_python_script(self, *others: Any, **more: Any) -> NoReturn:
        """v1's.  :raises DefinitionError: always."""
        raise DefinitionError("modules are not published by a script", where="Module.publish", fix=_PUBLISH)

    publish = publish_adla_script = publish_azure_batch = publish_python_script

    def resolve(self, version: str | None = None, **others: Any) -> ModuleVersion:
        """A version of it; the library's default without one."""
        return ModuleVersion(self.workspace, self.name, version)


class ModuleStep(PipelineStep):
    """A step of a module.

    :param module: with ``version``, or ``module_version``. :param inputs_map: data by port of the module.
    :param outputs_map: outputs by port.
    :raises DefinitionError: for none or both of them; the ports are checked when the pipeline is made.
    """

    def __init__(
        self,
        module: Module | None = None,
        version: str | None = None,
        module_version: ModuleVersion | None = None,
        inputs_map: Mapping[str, Any] | None = None,
        outputs_map: Mapping[str, Any] | None = None,
        compute_target: Any = None,
        runconfig: Any = None,
        runconfig_pipeline_params: Mapping[str, Any] | None = None,
        arguments: Any = None,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        if (module is None) == (module_version is None):
            raise DefinitionError("give exactly one of module= and module_version=", where="ModuleStep")
        found = module_version or (module.resolve(version) if module else None)
        assert found is not None
        super().__init__(
            name or found.name,
            compute_target=compute_target,
            runconfig=runconfig,
            params=params,
        )
        if arguments:
            raise DefinitionError(
                "the arguments of a module are in its module.yaml", where=self.where, given=arguments, fix=_PUBLISH
            )
        ignored(self.where, {"runconfig_pipeline_params": runconfig_pipeline_params, **others}, why="see module.yaml")
        self.module = found
        self.inputs_map = dict(inputs_map or {})
        self.outputs_map = dict(outputs_map or {})
        for port, output in self.outputs_map.items():
            if not isinstance(output, StepOutput) or output.producer is not None:
                raise DefinitionError(
                    "an output is a PipelineData of this step alone", where=f"{self.where}: outputs_map", given=output
                )
            output.name, output.producer = port, self
        self.outputs = dict(self.outputs_map)

    def add_task(self, built: Built, task_id: str) -> Any:
        """Make the task.  :raises DefinitionError: what the module's description refuses."""
        from airflow_mlpipe.azureml.build import Ports
        from airflow_mlpipe.operators.module import ModuleStep as Operator

        compute = compute_name(built.target(self), built.workspace.config, where=self.where)
        runs = translate(self.runconfig, compute, built.folder, where=self.where)
        ports = Ports(built, self)
        return Operator(
            task_id=task_id,
            dag=built.dag,
            module=self.module.request,
            inputs={n: built.data(v, f"{self.where}: inputs_map[{n!r}]")[1] for n, v in self.inputs_map.items()},
            outputs={n: built.output(o, n) for n, o in self.outputs.items()},
            params={n: ports.value(v, f"{self.where}: params[{n!r}]") for n, v in self.params.items()},
            compute_target=compute,
            environment=runs.environment,
            resources=runs.resources,
        )
