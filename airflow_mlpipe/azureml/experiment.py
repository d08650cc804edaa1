"""Experiment: starts a run of a pipeline, where its DAG is deployed or else on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.azureml.data import DataPath
from airflow_mlpipe.azureml.parameters import PipelineParameter
from airflow_mlpipe.azureml.pipeline import Pipeline
from airflow_mlpipe.azureml.run import PipelineRun
from airflow_mlpipe.azureml.unstarted import UNSTARTED
from airflow_mlpipe.azureml.warn import ignored, warn
from airflow_mlpipe.azureml.where import parsing
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.experiment.params import CONF, check_names

if TYPE_CHECKING:
    from airflow_mlpipe.azureml.workspace import Workspace
    from airflow_mlpipe.experiment import Experiment as Deployment


class Experiment:
    """A name for runs.  Here runs belong to their DAG, so the name is shown and has no other meaning."""

    def __init__(self, workspace: Workspace, name: str, **others: Any) -> None:
        ignored("Experiment", others, why="runs belong to their DAG")
        self.workspace = workspace
        self.name = name

    def submit(
        self,
        config: Pipeline,
        tags: Mapping[str, str] | None = None,
        *,
        pipeline_parameters: Mapping[str, Any] | None = None,
        continue_on_step_failure: bool | None = None,
        regenerate_outputs: bool = False,
        **others: Any,
    ) -> Any:
        """Start a run.

        With ``MLPIPE_API_URL`` set, of the DAG that is deployed there; else, and if it is not deployed there, of this
        file on this machine, in a process of its own.  While Airflow parses the file, nothing is started, and what is
        returned does nothing.

        :param pipeline_parameters: values by name. :param regenerate_outputs: whether every step executes.
        :raises DefinitionError: for what is no pipeline, or parameters that it does not have.
        """
        if not isinstance(config, Pipeline):
            raise DefinitionError(
                "only pipelines are submitted",
                where=f"Experiment({self.name!r}).submit",
                given=config,
                fix="make a Pipeline of one step: Pipeline(workspace, steps=[PythonScriptStep(...)])",
            )
        ignored("submit", {"tags": tags, **others}, why="a run is an Airflow DAG run")
        if continue_on_step_failure is False:
            why = "steps with no path from a failed one go on; dag_args={'fail_fast': True} ends them"
            ignored("submit", {"continue_on_step_failure": False}, why=why, unless=())
        conf = _conf(config, pipeline_parameters or {}, regenerate_outputs)
        if parsing():
            return UNSTARTED
        _tell_of_the_word(config.file)
        run = _deployed(config, conf) or _local(config, conf)
        sys.stdout.write(f"Experiment {self.name}: {run.dag_id}/{run.run_id}\n")
        return PipelineRun(self, config, run)

    def __repr__(self) -> str:
        return f"Experiment({self.name!r})"


def _conf(pipeline: Pipeline, given: Mapping[str, Any], refresh: bool) -> dict[str, Any]:
    where = f"pipeline_parameters of {pipeline.dag.dag_id!r}"
    check_names(given, pipeline.parameters, what="parameter", where=where)
    conf = {name: _value(pipeline.parameters[name], value, f"{where}: {name}") for name, value in given.items()}
    return conf | ({CONF: {"refresh": "all"}} if refresh else {})


def _value(parameter: PipelineParameter, value: Any, where: str) -> Any:
    default = parameter.default_value
    if isinstance(default, DataPath):
        if isinstance(value, DataPath):
            if value.datastore.to_model() != default.datastore.to_model():
                raise DefinitionError(
                    "the path is in another datastore than the parameter's default",
                    where=where,
                    given=value.datastore.name,
                    valid=(default.datastore.name,),
                )
            return value.path_on_datastore
        if isinstance(value, str):
            return value.lstrip("/")
        raise DefinitionError("the value is a DataPath", where=where, given=value)
    if not isinstance(value, (str, int, float, bool)):
        raise DefinitionError("the value of a parameter is text, a number or a bool", where=where, given=value)
    return _typed(value, default, where)


def _typed(value: Any, default: Any, where: str) -> Any:
    """v1 made text of every value, so a text is taken where its content is of the default's type."""
    kind = "text" if isinstance(default, str) else "a bool" if isinstance(default, bool) else "a number"
    if kind == "text":
        return str(value)
    if kind == "a bool" and isinstance(value, bool):
        return value
    if kind == "a bool" and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if kind == "a number" and not isinstance(value, bool):
        for number in (int, float):
            try:
                return value if isinstance(value, (int, float)) else number(value)
            except ValueError:
                continue
    raise DefinitionError(f"the parameter is {kind}", where=where, given=value)


def _tell_of_the_word(file: str) -> None:
    """Airflow looks into no file of its DAGs folder that does not say what it is for."""
    from airflow.utils.file import might_contain_dag

    if os.path.isfile(file) and not might_contain_dag(file, True):
        warn(
            f"{os.path.basename(file)} does not say the word 'dag', so Airflow would overlook it: add the comment # DAG"
        )


def _deployed(pipeline: Pipeline, conf: Mapping[str, Any]) -> Any:
    """A run of the deployed DAG; ``None`` where there is no deployment, or it has no such DAG."""
    url = os.environ.get("MLPIPE_API_URL")
    if not url:
        return None
    from airflow_mlpipe.experiment.errors import UnknownDagError

    dag_id = pipeline.dag.dag_id
    deployment = connect(url)
    try:
        run = deployment.submit(dag_id, conf=conf)
    except UnknownDagError:
        sys.stdout.write(f"DAG {dag_id!r} is not deployed at {url}; it runs on this machine\n")
        return None
    sys.stdout.write(f"DAG {dag_id!r} runs as it is deployed; this file is not sent: {run.url}\n")
    return run


def connect(url: str) -> Deployment:
    """A deployment, with the credentials of the environment."""
    from airflow_mlpipe.experiment import Experiment as Deployment
    from airflow_mlpipe.experiment.credentials import Credentials

    said = Credentials.resolve(os.environ)
    return Deployment(
        url=url,
        token=said.token,
        token_file=said.token_file,
        username=said.username,
        password=said.password,
        password_file=said.password_file,
    )


def _local(pipeline: Pipeline, conf: Mapping[str, Any]) -> Any:
    from airflow_mlpipe.azureml.local import start

    return start(pipeline.file, pipeline.dag.dag_id, conf, order=tuple(pipeline.graph))
