"""Mistakes that are seen while the DAG file is parsed: each names the step, the value and the fix."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_mlpipe import Environment, Gpu, PipelineData, Resources, Reuse, ScriptStep
from airflow_mlpipe.errors import DefinitionError, PathError
from airflow_mlpipe.model.data import Datastore
from airflow_mlpipe.model.environment import Secret


def step(**more):
    return ScriptStep(**{"task_id": "train", "script_name": "step.py"} | more)


def test_a_missing_script_names_those_that_are_there(dag, project):
    """The folder that was looked in and its scripts are in the message."""
    with pytest.raises(DefinitionError) as error:
        step(script_name="trian.py", source_directory="scripts")
    message = str(error.value)
    assert message.startswith("step 'train': script_name: there is no such script")
    assert str(project / "scripts") in message
    assert "given: 'trian.py'. valid: 'train.py'" in message


def test_a_missing_folder_names_the_full_path(dag, project):
    """Relative to the DAG file, and the message says so."""
    with pytest.raises(DefinitionError) as error:
        step(source_directory="skripts")
    message = str(error.value)
    assert message.startswith("step 'train': source_directory: the source folder does not exist. given: 'skripts'")
    assert f"fix: create {project / 'skripts'}" in message
    assert "dag.py" in message


def test_a_missing_requirements_file_is_refused(dag, project):
    """Before uv is asked on a worker."""
    with pytest.raises(DefinitionError) as error:
        step(environment=Environment(requirements="requirements.txt"))
    message = str(error.value)
    assert message.startswith("step 'train': environment: the requirements file does not exist")
    assert f"fix: create {project / 'requirements.txt'}" in message


def test_a_script_outside_of_its_folder_is_refused(dag):
    """`..` would leave the code that is hashed."""
    with pytest.raises(DefinitionError, match=r"step 'train': script_name: .*leaves its root.*given: '../dag.py'"):
        step(script_name="../dag.py", source_directory="scripts")


def test_an_image_on_the_local_compute_is_refused(dag):
    """The local compute has no containers; the message shows what there is instead."""
    with pytest.raises(DefinitionError) as error:
        step(environment=Environment(image="registry/train:1.4"))
    message = str(error.value)
    assert message.startswith("step 'train': the local compute")
    assert "given: 'registry/train:1.4'" in message
    assert "fix: choose a compute_target that runs containers" in message


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"environment": "requirements.txt"}, "environment must be of type Environment"),
        ({"resources": {"cpu": 1}}, "resources must be of type Resources"),
        ({"reuse": "never"}, "reuse must be of type Reuse"),
        ({"compute_target": ["gpu"]}, "compute_target is the name of a compute"),
        ({"parameters": ["x"]}, "parameters is a dict of name to value"),
        ({"inputs": ["/data/x.csv"]}, "not a data object. given: '/data/x.csv'"),
        ({"code": "everything"}, "unknown code mode"),
        ({"code": "version"}, "code='version' needs a version"),
        ({"include": "*.json"}, "include is a list of patterns"),
        ({"secrets": {"token": "hunter2"}}, "a secret is given by reference"),
        ({"secrets": {"to-ken": Secret(variable="x")}}, "not a valid name"),
        ({"parameters": {"learning-rate": 1}}, "not a valid name"),
        ({"allow_reuse": "no"}, "allow_reuse is True or False"),
        ({"allow_reuse": False, "reuse": Reuse(policy="refresh")}, "contradict"),
        ({"script_name": ""}, "script_name is the name of a script"),
        ({"script_name": None}, "script_name is the name of a script"),
    ],
)
def test_a_wrong_option_is_refused_with_the_step(dag, more, expected):
    """Each option of the wrong type or form is one clear error."""
    with pytest.raises(DefinitionError) as error:
        step(**more)
    assert str(error.value).startswith("step 'train'")
    assert expected in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Reuse(policy="sometimes"),
        lambda: Reuse(ignore="lr"),
        lambda: Reuse(version=2),
        lambda: Reuse(max_age=60),
        lambda: Reuse(max_age=timedelta(0)),
        lambda: Resources(memory="lots"),
        lambda: Resources(cpu=0),
        lambda: Gpu(0),
        lambda: Environment(image="x", requirements="y"),
        lambda: Environment(variables={"N": 1}),
        lambda: Environment(requirements=["pandas"]),
        lambda: Environment(variables={"MLPIPE_X": "1"}),
        lambda: Environment(pass_variables=("AIRFLOW_HOME",)),
        lambda: Environment(pass_variables="HOME"),
        lambda: Datastore("not a name"),
        lambda: Datastore("lake", connection="aws"),
        lambda: PipelineData("x", kind="directory"),
        lambda: PipelineData("x", path="{job}/x"),
        lambda: PipelineData("x", filename="x.csv"),
        lambda: PipelineData("x", kind="file", filename="a/x.csv"),
        Secret,
        lambda: Secret(connection="a", variable="b"),
    ],
)
def test_a_value_that_cannot_be_is_refused_where_it_is_made(make):
    """Values check themselves, so the traceback points to the author's line."""
    with pytest.raises(DefinitionError):
        make()


def test_a_destination_that_leaves_its_root_is_refused():
    """`..` in the path of an output."""
    with pytest.raises(PathError, match=r"PipelineData\('x'\).*leaves its root.*given: '../x'"):
        PipelineData("x", path="../x")


def test_allow_reuse_false_is_the_policy_never(dag):
    """Azure ML's name means the same."""
    assert step(allow_reuse=False).reuse == Reuse(policy="never")
    assert step(task_id="other", allow_reuse=False, reuse=Reuse(version="2")).reuse == Reuse(
        policy="never", version="2"
    )


def test_the_source_folder_is_the_dag_files_own_by_default(dag):
    """A script beside the DAG file needs no folder."""
    assert step().source_directory == "."


def test_airflows_own_arguments_are_kept(dag):
    """Retries, pools, trigger rules and time-outs go to the operator as ever."""
    made = step(retries=3, pool="gpu", trigger_rule="all_done", execution_timeout=timedelta(minutes=5), queue="q")
    assert (made.retries, made.pool, made.trigger_rule, made.queue) == (3, "gpu", "all_done", "q")
    assert made.execution_timeout == timedelta(minutes=5)


def test_an_unknown_argument_is_airflows_error(dag):
    """A misspelled option is not swallowed."""
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises((TypeError, AirflowException), match="alow_reuse"):
        step(alow_reuse=False)


def test_a_definition_error_is_a_value_error():
    """Code that catches ValueError around a DAG file catches these."""
    assert issubclass(DefinitionError, ValueError)


def test_a_name_of_azure_ml_says_ours():
    """Who imports by habit reads what to import instead."""
    with pytest.raises(ImportError, match="no PythonScriptStep; use ScriptStep"):
        from airflow_mlpipe import PythonScriptStep  # noqa: F401
