"""``download`` of what a step published."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_mlpipe.azureml.run import PortDataReference
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.hooks.workspace import Stores
from airflow_mlpipe.model.reference import OutputReference


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PortDataReference:
    """An output, the file ``m.txt``."""
    monkeypatch.setenv("AIRFLOW__MLPIPE__WORKSPACE", (tmp_path / "workspace").as_uri())
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "cache"))
    digest = Stores().contents("").put_bytes(b"model")
    return PortDataReference(
        OutputReference(
            name="model",
            kind="file",
            digest=digest,
            identity=digest,
            datastore="",
            uri="",
            size=5,
            files=1,
            filename="m.txt",
        )
    )


def test_the_same_file_may_be_there(port: PortDataReference, tmp_path: Path) -> None:
    """A script that runs again downloads what it has already."""
    assert port.download(str(tmp_path / "to")) == 1
    assert port.download(str(tmp_path / "to")) == 1
    assert (tmp_path / "to" / "m.txt").read_text() == "model"


def test_another_file_is_not_overwritten_unless_one_says_so(port: PortDataReference, tmp_path: Path) -> None:
    """The error says how."""
    there = tmp_path / "to" / "m.txt"
    there.parent.mkdir()
    there.write_text("mine")
    with pytest.raises(DefinitionError, match="overwrite=True"):
        port.download(str(tmp_path / "to"))
    assert there.read_text() == "mine"
    port.download(str(tmp_path / "to"), overwrite=True)
    assert there.read_text() == "model"
