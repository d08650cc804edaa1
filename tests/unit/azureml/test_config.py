"""``config.json``: the names of a workspace."""

from __future__ import annotations

import json

import pytest

from airflow_mlpipe.azureml.config import WorkspaceConfig, find_config, read_config
from airflow_mlpipe.errors import ConfigurationError

AZURES = {"subscription_id": "0", "resource_group": "g", "workspace_name": "team"}


def test_the_file_of_v1_is_found_above_the_script(tmp_path):
    """Also in the folder ``.azureml``."""
    (tmp_path / ".azureml").mkdir()
    (tmp_path / ".azureml" / "config.json").write_text(json.dumps(AZURES))
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_config(str(tmp_path / "a" / "b")).workspace_name == "team"


def test_without_a_file_the_names_are_airflows(tmp_path):
    """A datastore is a connection then."""
    store = WorkspaceConfig().datastore("lake")
    assert (store.name, store.url) == ("lake", None)


def test_a_folder_is_relative_to_the_file(tmp_path):
    """And a URL may name the connection with its credentials."""
    members = {**AZURES, "datastores": {"here": "data", "there": "s3://bucket/x|aws"}}
    (tmp_path / "config.json").write_text(json.dumps(members))
    config = read_config(tmp_path / "config.json")
    assert config.datastore("here").url == (tmp_path / "data").as_uri()
    assert (config.datastore("there").url, config.datastore("there").connection) == ("s3://bucket/x", "aws")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a workspace configuration"),
        ("[]", "a JSON object"),
        ('{"datastore": {}}', r"unknown members.*'datastore'.*'datastores'"),
        ('{"datastores": {"x": 1}}', "maps names to text"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(tmp_path, text, message):
    """With what it may say."""
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        find_config(str(tmp_path))


def test_a_path_that_is_not_there_is_refused(tmp_path):
    """``Workspace.from_config(path=...)``."""
    with pytest.raises(ConfigurationError, match="no such file"):
        find_config(str(tmp_path), "nowhere")
