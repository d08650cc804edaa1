"""The whole environment of a step's process, and its command line."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_mlpipe.errors import ConfigurationError, DefinitionError
from airflow_mlpipe.model import Environment, PipelineData
from airflow_mlpipe.model.step import CodeSpec, InputPath, OutputPath, OutputPort, StepSpec, Text
from airflow_mlpipe.runtime.command import command_line, working_folder
from airflow_mlpipe.runtime.environments import Interpreter
from airflow_mlpipe.runtime.kernel import PYSITE
from airflow_mlpipe.runtime.layout import Layout, Staged
from airflow_mlpipe.runtime.runner import Folders
from airflow_mlpipe.runtime.variables import FIXED, LONGEST, Surroundings, make_variables
from airflow_mlpipe.runtime.view import View

WORKER = {
    "PATH": "/usr/bin:/bin",
    "AIRFLOW__CORE__FERNET_KEY": "k",
    "AIRFLOW_CONN_DB": "mysql://u:p@h",
    "AWS_SECRET_ACCESS_KEY": "k",
    "PYTHONPATH": "/opt/airflow",
    "HOME": "/home/airflow",
    "SSL_CERT_FILE": "/etc/ca.pem",
    "https_proxy": "http://proxy:3128",
    "HTTP_PROXY": "http://user:secret@proxy:3128",
    "CUDA_VISIBLE_DEVICES": "1",
    "MY_REGION": "eu",
}
VENV = Interpreter(python=Path("/cache/env/bin/python"), prefix=Path("/cache/env"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Folders of an attempt."""
    layout = Layout(tmp_path / "attempt")
    layout.make()
    return layout


def variables_of(
    layout: Layout, *, staged: Staged | None = None, secrets: Mapping[str, str] | None = None, **step: Any
) -> dict[str, str]:
    """The environment of a step."""
    around = Surroundings(
        folders=Folders(
            layout=layout,
            checkpoints=Path("/cache/checkpoints/fp"),
            caches=Path("/cache/xdg"),
            pysite=PYSITE if step.get("sorted_listings", True) else None,
        ),
        staged=staged or Staged(),
        interpreter=VENV,
        view=View(),
        worker=WORKER,
    )
    return make_variables(StepSpec(label="demo/prepare", kind="script", **step), around, secrets or {})


def test_the_environment_is_the_documented_minimum_and_ours(layout: Layout) -> None:
    """Every name that a step sees without declaring anything: an addition changes this test."""
    assert set(variables_of(layout)) == {
        *FIXED,
        *("PATH", "VIRTUAL_ENV", "HOME", "TMPDIR", "XDG_CACHE_HOME", "USER", "LOGNAME", "PYTHONPATH"),
        *("SSL_CERT_FILE", "https_proxy", "CUDA_VISIBLE_DEVICES"),
        *("MLPIPE_PARAMS", "MLPIPE_METRICS", "MLPIPE_RESULT", "MLPIPE_CHECKPOINT_DIR"),
    }


def test_no_secret_of_the_worker_is_in_it(layout: Layout) -> None:
    """Neither Airflow's own, nor a cloud's, nor a proxy's password."""
    text = json.dumps(variables_of(layout))
    assert not any(word in text for word in ("FERNET", "AIRFLOW", "mysql", "AWS_SECRET", "secret@", "/opt/airflow"))


def test_the_environments_programs_come_first(layout: Layout) -> None:
    """Then the worker's PATH."""
    assert variables_of(layout)["PATH"] == "/cache/env/bin:/usr/bin:/bin"


def test_home_and_temporary_files_are_the_attempts_own(layout: Layout) -> None:
    """Empty at the start."""
    variables = variables_of(layout)
    for name in ("HOME", "TMPDIR"):
        assert Path(variables[name]).parent == layout.root
        assert not list(Path(variables[name]).iterdir())


def test_declared_variables_win_over_the_fixed_ones(layout: Layout) -> None:
    """The author's word counts: its values are in the fingerprint."""
    variables = variables_of(layout, environment=Environment(variables={"TZ": "Europe/Berlin", "OMP_NUM_THREADS": "2"}))
    assert (variables["TZ"], variables["OMP_NUM_THREADS"]) == ("Europe/Berlin", "2")


def test_passed_variables_come_from_the_worker(layout: Layout) -> None:
    """One that is not set there is an error, not an empty text."""
    assert variables_of(layout, environment=Environment(pass_variables=("MY_REGION",)))["MY_REGION"] == "eu"
    with pytest.raises(ConfigurationError, match="MY_ZONE"):
        variables_of(layout, environment=Environment(pass_variables=("MY_ZONE",)))


def test_ports_have_our_names_and_azures(layout: Layout) -> None:
    """So that scripts written for Azure ML run unchanged."""
    staged = Staged(inputs={"raw": Path("/in")}, outputs={"model": Path("/out")})
    variables = variables_of(layout, staged=staged)
    for name in ("MLPIPE_INPUT_RAW", "AZURE_ML_INPUT_raw", "AZUREML_DATAREFERENCE_raw"):
        assert variables[name] == "/in"
    for name in ("MLPIPE_OUTPUT_MODEL", "AZURE_ML_OUTPUT_model", "AZUREML_DATAREFERENCE_model"):
        assert variables[name] == "/out"


def test_ports_that_differ_only_in_case_are_refused(layout: Layout) -> None:
    """They would share a variable."""
    with pytest.raises(DefinitionError, match="MLPIPE_INPUT_RAW"):
        variables_of(layout, staged=Staged(inputs={"raw": Path("/a"), "Raw": Path("/b")}))


def test_parameters_are_typed_in_the_file_and_text_in_azures_variables(layout: Layout) -> None:
    """A long one is only in the file: Linux has a limit per variable."""
    parameters = {"lr": 0.1, "name": "a", "flag": True, "grid": [1, 2], "none": None, "long": "x" * (LONGEST + 1)}
    variables = variables_of(layout, parameters=parameters)
    assert json.loads(Path(variables["MLPIPE_PARAMS"]).read_text()) == parameters
    texts = {n.removeprefix("AML_PARAMETER_"): v for n, v in variables.items() if n.startswith("AML_PARAMETER_")}
    assert texts == {"lr": "0.1", "name": "a", "flag": "True", "grid": "[1, 2]", "none": "None"}


def test_a_secret_is_a_file_that_only_the_owner_reads(layout: Layout) -> None:
    """Its value is in no variable."""
    variables = variables_of(layout, secrets={"db": "s3cret\n"})
    path = Path(variables["MLPIPE_SECRET_DB"])
    assert path.read_text() == "s3cret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "s3cret" not in json.dumps(variables)


def test_sorted_listings_can_be_switched_off(layout: Layout) -> None:
    """Then nothing of ours is on the step's path; the author's own PYTHONPATH stays either way."""
    environment = Environment(variables={"PYTHONPATH": "/lib"})
    assert variables_of(layout, sorted_listings=False, environment=environment)["PYTHONPATH"] == "/lib"
    assert variables_of(layout, environment=environment)["PYTHONPATH"].endswith("/pysite:/lib")
    assert "PYTHONPATH" not in variables_of(layout, sorted_listings=False)


def step_with(entry: str | None, *command: Any) -> StepSpec:
    """A step with such a command line."""
    code = CodeSpec(root="/src", entry=entry) if entry else None
    outputs = (OutputPort(data=PipelineData("model")),)
    return StepSpec(label="demo/train", kind="script", code=code, command=command, outputs=outputs)


def test_a_python_script_runs_in_the_steps_python(layout: Layout) -> None:
    """With the code folder as its current folder."""
    step = step_with("train.py", Text("--lr", "--lr"), Text("{{ params.lr }}", 0.1))
    assert command_line(step, layout, Staged(), VENV, View()) == (
        str(VENV.python),
        f"{layout.code}/train.py",
        "--lr",
        "0.1",
    )
    assert working_folder(step, layout) == layout.code


def test_another_script_runs_directly(layout: Layout) -> None:
    """By its ``#!`` line."""
    assert command_line(step_with("run.sh"), layout, Staged(), VENV, View()) == (f"{layout.code}/run.sh",)


def test_a_command_runs_as_it_is(layout: Layout) -> None:
    """In an empty folder."""
    step = step_with(None, Text("sort", "sort"), InputPath("raw"), OutputPath("model"))
    staged = Staged(inputs={"raw": Path("/in/raw.csv")}, outputs={"model": Path("/out")})
    assert command_line(step, layout, staged, VENV, View()) == ("sort", "/in/raw.csv", "/out")
    assert working_folder(step, layout) == layout.work


def test_an_absent_optional_input_is_an_empty_argument(layout: Layout) -> None:
    """The number of arguments does not depend on the data."""
    assert command_line(step_with(None, Text("x", "x"), InputPath("extra")), layout, Staged(), VENV, View()) == (
        "x",
        "",
    )


def test_an_unknown_output_and_an_empty_command_are_refused(layout: Layout) -> None:
    """With the outputs that there are."""
    with pytest.raises(DefinitionError, match=r"'other'.*'model'"):
        command_line(step_with(None, OutputPath("other")), layout, Staged(outputs={"model": Path("/o")}), VENV, View())
    with pytest.raises(DefinitionError, match="empty"):
        command_line(step_with(None), layout, Staged(), VENV, View())
