"""Pipeline: a DAG, made at once from the steps of v1 and those that they lead to."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_mlpipe.azureml.build import Built, closure
from airflow_mlpipe.azureml.steps import PipelineStep, in_order
from airflow_mlpipe.azureml.warn import ignored, warn
from airflow_mlpipe.azureml.where import calling_file, parsing
from airflow_mlpipe.errors import DefinitionError

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.datastore import Datastore
    from airflow_mlpipe.azureml.parameters import PipelineParameter
    from airflow_mlpipe.azureml.workspace import Workspace

_PUBLISH = "the file in the DAGs folder is the published pipeline; POST /api/v2/dags/<dag>/dagRuns starts it"


class Pipeline:
    """A pipeline, and the DAG that it is.

    Airflow finds the DAG by itself when the file lies in its DAGs folder and says ``dag`` somewhere.

    :param steps: a list of steps, lists and sequences of them; the last ones are enough.
    :param default_source_directory: of steps that name none.
    :param resolve_closure: whether steps that the given ones need are pulled in.
    :param dag_id: the DAG's id; by default the name of the file, the second one of a file with ``_2``.
    :param dag_args: further arguments of Airflow's DAG: ``schedule``, ``default_args``, ``tags`` ...
    :raises DefinitionError: for every mistake that can be seen without running a step.
    """

    def __init__(
        self,
        workspace: Workspace,
        steps: Any,
        description: str | None = None,
        default_datastore: Datastore | str | None = None,
        default_source_directory: str | None = None,
        resolve_closure: bool = True,
        *,
        dag_id: str | None = None,
        dag_args: Mapping[str, Any] | None = None,
        **others: Any,
    ) -> None:
        from airflow.sdk import DAG, Param

        ignored("Pipeline", others, why="a pipeline is an Airflow DAG")
        _check_default(default_datastore)
        self.workspace = workspace
        self.description = description
        self.file = calling_file()
        given = dict(dag_args or {})
        given["tags"] = sorted({"mlpipe", "azureml", *given.get("tags", ())})
        said = {"schedule": None, "doc_md": description, **given}
        dag = DAG(dag_id or _name_of(self.file), **said)
        dag.fileloc = self.file
        self._built = Built(workspace, dag, os.path.dirname(self.file), default_source_directory, {})
        with dag:
            for step in closure(in_order(steps), reach=resolve_closure):
                self._built.add(step)
        if not self._built.task_ids:
            raise DefinitionError("a pipeline has steps", where=f"Pipeline {dag.dag_id!r}")
        for name, parameter in sorted(self._built.parameters.items()):
            value, kind = parameter.schema
            dag.params[name] = Param(value, type=kind)
        self.dag = dag

    @property
    def steps(self) -> list[PipelineStep]:
        """All steps, those that were pulled in included, in the order of the data."""
        return list(self._built.task_ids)

    @property
    def task_ids(self) -> dict[str, list[str]]:
        """The tasks of the steps of each name."""
        found: dict[str, list[str]] = {}
        for step, task_id in self._built.task_ids.items():
            found.setdefault(step.name, []).append(task_id)
        return found

    @property
    def parameters(self) -> dict[str, PipelineParameter]:
        """By name."""
        return dict(self._built.parameters)

    @property
    def pipeline_outputs(self) -> dict[str, tuple[str, str]]:
        """Task and output of each ``pipeline_output_name``."""
        named = (
            (getattr(output, "pipeline_output_name", None), (task_id, name))
            for step, task_id in self._built.task_ids.items()
            for name, output in step.outputs.items()
        )
        return {name: place for name, place in named if name}

    @property
    def graph(self) -> dict[str, list[str]]:
        """The tasks that each task leads to."""
        return {task.task_id: sorted(task.downstream_task_ids) for task in self.dag.tasks}

    def validate(self) -> list[str]:
        """What is wrong: nothing, or the pipeline could not have been made.  Says so as v1 did."""
        if not parsing():
            sys.stdout.write(f"{len(self._built.task_ids)} steps are valid: {', '.join(self.dag.task_ids)}\n")
        return []

    def submit(
        self,
        experiment_name: str,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        regenerate_outputs: bool = False,
        **others: Any,
    ) -> Any:
        """Start a run; see :meth:`Experiment.submit`."""
        from airflow_mlpipe.azureml.experiment import Experiment

        return Experiment(self.workspace, experiment_name).submit(
            self,
            pipeline_parameters=pipeline_parameters,
            continue_on_step_failure=continue_on_step_failure,
            regenerate_outputs=regenerate_outputs,
            **others,
        )

    def publish(self, name: str | None = None, *others: Any, **more: Any) -> Published:
        """What stands for the published pipeline: the DAG, once its file is deployed.  A warning says so."""
        warn(f"Pipeline.publish: a script publishes nothing; {_PUBLISH}")
        return Published(self, name or self.dag.dag_id)

    @staticmethod
    def load_yaml(*others: Any, **more: Any) -> NoReturn:
        """v1's.  :raises DefinitionError: always."""
        raise DefinitionError(
            "YAML of the SDK v1 is not read", where="Pipeline.load_yaml", fix="write the steps in Python"
        )

    def __repr__(self) -> str:
        return f"Pipeline({self.dag.dag_id!r}, {len(self._built.task_ids)} steps)"


class Published:
    """A published pipeline: a DAG of a deployment.

    :ivar id: the DAG's. :ivar endpoint: where a POST starts a run, if ``MLPIPE_API_URL`` says where it is deployed.
    """

    def __init__(self, pipeline: Pipeline, name: str) -> None:
        self._pipeline = pipeline
        self.name = name
        self.id = pipeline.dag.dag_id
        url = os.environ.get("MLPIPE_API_URL", "").rstrip("/")
        self.endpoint = f"{url}/api/v2/dags/{self.id}/dagRuns"

    def submit(self, workspace: Workspace, experiment_name: str, **said: Any) -> Any:
        """Start a run; see :meth:`Experiment.submit`."""
        return self._pipeline.submit(experiment_name, **said)

    def __repr__(self) -> str:
        return f"Published({self.name!r})"


def _check_default(given: object) -> None:
    from airflow_mlpipe.azureml.datastore import Datastore

    if given is not None and not (isinstance(given, Datastore) and given.of_output() is None):
        name = getattr(given, "name", given)
        ignored("Pipeline", {"default_datastore": name}, why="outputs that name no datastore lie in the workspace")


_USED: dict[str, int] = {}


def _name_of(file: str) -> str:
    """The DAG's id from its file's name; the second pipeline of a file gets another one, the same at each parse."""
    stem = re.sub(r"[^\w.-]+", "_", os.path.splitext(os.path.basename(file))[0], flags=re.ASCII)
    number = _count(file)
    return stem if number == 1 else f"{stem}_{number}"


def _count(file: str) -> int:
    """Which pipeline of a file this is, counted in the module that is being executed."""
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    module = sys.modules.get(DagContext.current_autoregister_module_name or "__main__")
    counts: dict[str, int] = vars(module).setdefault("__mlpipe_pipelines__", {}) if module else _USED
    counts[file] = counts.get(file, 0) + 1
    return counts[file]
