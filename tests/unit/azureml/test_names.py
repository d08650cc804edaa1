"""The names of the package, and those that it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import airflow_mlpipe
from airflow_mlpipe import azureml
from airflow_mlpipe.azureml.refused import REFUSED
from airflow_mlpipe.azureml.v2.components import NOT_YET

PAGE = (Path(__file__).parents[3] / "docs" / "azure-ml.md").read_text()


@pytest.mark.parametrize("name", azureml.__all__)
def test_every_name_can_be_imported(name):
    """Nothing is announced that is not there."""
    assert getattr(azureml, name) is not None


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refused_name_says_what_to_use(name):
    """The import fails, with the equivalent in the message."""
    with pytest.raises(ImportError, match="use ") as error:
        getattr(azureml, name)
    assert REFUSED[name] in str(error.value)


@pytest.mark.parametrize("name", sorted({*azureml.__all__, *REFUSED}))
def test_the_page_says_what_each_name_is(name):
    """``docs/azure-ml.md`` names what is there and what is not."""
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("kind", sorted(NOT_YET))
def test_the_page_says_which_jobs_are_not_imported(kind):
    """With what is used instead."""
    assert f"| `{kind}` |" in PAGE


def test_the_root_package_points_here():
    """Whoever writes v1's names there is told where they are."""
    for name in ("PythonScriptStep", "OutputFileDatasetConfig", "PipelineParameter", "RunConfiguration"):
        with pytest.raises(ImportError, match=r"airflow_mlpipe\.azureml"):
            getattr(airflow_mlpipe, name)


def test_what_a_script_imports_is_light():
    """``Run`` in a step's program costs no Airflow."""
    code = (
        "import sys; from airflow_mlpipe.azureml import Run; Run.get_context().log('x', 1);"
        "print(*[m for m in sys.modules if m.split('.')[0] in ('airflow', 'httpx', 'sqlalchemy', 'yaml')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["x: 1", ""]
