"""What a task may ask for, and the messages when it asks wrongly."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.executors.config import DockerConfig, read_config


def test_the_dataclass_and_its_dictionary_are_the_same():
    """What ``executor_config()`` returns reads back as what it was made from, also through JSON."""
    config = DockerConfig(
        image="i", cpus=1, memory="1Gi", gpus=["0"], shm="64Mi", mounts=["/a:/b"], network="n", environment={"A": "1"}
    )
    written = config.executor_config()
    assert read_config(json.loads(json.dumps(written))) == config
    assert DockerConfig(gpus=1).executor_config() == {"docker": {"gpus": 1}}


@pytest.mark.parametrize("executor_config", [None, {}, {"pod_override": object()}, {"docker": None}])
def test_a_task_may_ask_for_nothing(executor_config):
    """Members of other executors are theirs."""
    assert read_config(executor_config) == DockerConfig()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "executor_config['docker']: not a dictionary"),
        ({"gpu": 1}, "unknown member. given: ['gpu']. valid: 'image', 'cpus', 'memory', 'gpus', 'shm', 'mounts'"),
        ({"image": ""}, "executor_config['docker']['image']: wrong value"),
        ({"image": 7}, "executor_config['docker']['image']: wrong value"),
        ({"cpus": "2"}, "executor_config['docker']['cpus']: wrong value"),
        ({"cpus": 0}, "executor_config['docker']['cpus']: wrong value"),
        ({"cpus": True}, "executor_config['docker']['cpus']: wrong value"),
        ({"cpus": float("nan")}, "executor_config['docker']['cpus']: wrong value"),
        ({"memory": "lots"}, "executor_config['docker']['memory']: not an amount of memory"),
        ({"memory": "1Mi"}, "executor_config['docker']['memory']: wrong value. given: '1Mi'. valid: 6Mi or more"),
        ({"shm": -1}, "executor_config['docker']['shm']: not an amount of memory"),
        ({"gpus": -1}, "executor_config['docker']['gpus']: wrong value"),
        ({"gpus": "two"}, "executor_config['docker']['gpus']: wrong value"),
        ({"gpus": [0]}, "executor_config['docker']['gpus']: wrong value"),
        ({"mounts": "/a:/b"}, "executor_config['docker']['mounts']: wrong value"),
        ({"mounts": ["/a"]}, "executor_config['docker']['mounts']: not a mount"),
        ({"mounts": ["a/b:/c"]}, "executor_config['docker']['mounts']: not a mount"),
        ({"mounts": ["/a:b"]}, "executor_config['docker']['mounts']: not a mount"),
        ({"mounts": ["/a:/b:rx"]}, "executor_config['docker']['mounts']: not a mount"),
        ({"network": 1}, "executor_config['docker']['network']: wrong value"),
        ({"environment": ["A"]}, "executor_config['docker']['environment']: wrong value"),
        ({"environment": {"A=B": "1"}}, "executor_config['docker']['environment']: wrong value"),
        (
            {"environment": {"A": 1}},
            "executor_config['docker']['environment']['A']: the value is no text. given: 'int'",
        ),
    ],
)
def test_a_wrong_member_is_named(given, words):
    """The message says which member, what was given, and what is valid."""
    with pytest.raises(DefinitionError) as error:
        read_config({"docker": given})
    assert words in str(error.value)


def test_the_value_of_a_variable_is_not_in_the_message():
    """It may be one that should not be there at all."""
    with pytest.raises(DefinitionError) as error:
        DockerConfig(environment={"A": 5051})  # type: ignore[dict-item]
    assert "5051" not in str(error.value)


def test_a_dag_file_that_asks_for_a_gpu_imports_no_executor():
    """DAG files are parsed again and again."""
    program = (
        "import sys; from airflow_mlpipe.executors import DockerConfig; DockerConfig(gpus=1);"
        "print([m for m in ('docker', 'airflow', 'airflow.executors.base_executor') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
