"""The examples in the repository are what the documentation says they are, and they run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "dags_examples"


@pytest.fixture
def examples(tmp_path):
    """A copy of the examples: one of them edits itself."""
    folder = tmp_path / "dags"
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_order_of_the_digits_example_follows_from_its_data_alone(run_dag, examples):
    """Nobody wrote `>>`, and the edges are those of the data."""
    dag = run_dag.parse(folder=examples, dag_id="digits")
    assert ">>" not in (examples / "digits.py").read_text().partition('"""\n\nimport')[2]
    assert dag.get_task("pixels.features").upstream_task_ids == {"prepare"}
    assert dag.get_task("pca.train").upstream_task_ids == {"pca.features"}
    assert dag.get_task("pca.evaluate").upstream_task_ids == {"pca.features", "pca.train"}
    assert dag.get_task("report").upstream_task_ids == {"prepare", "choose"}
    assert dag.get_task("choose").upstream_task_ids == {
        f"{kind}.{step}" for kind in ("pixels", "pca", "gradients") for step in ("train", "evaluate")
    }


_SERIALISE = """
import json
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag({folder!r})
assert not bag.import_errors, bag.import_errors
print(json.dumps([DagSerialization.to_dict(dag) for _, dag in sorted(bag.dags.items())], sort_keys=True))
"""


def test_the_examples_serialise_to_the_same_bytes_under_every_hash_seed(examples):
    """Two interpreters give one serialised form, or Airflow would make a new DAG version at every parse."""
    first, second = (
        subprocess.run(
            [sys.executable, "-c", _SERIALISE.format(folder=str(examples))],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(EXAMPLES.parent)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for seed in ("0", "4242")
    )
    assert first == second
    assert len(json.loads(first)) == len(list(examples.glob("*.py")))


def test_any_operator_is_reused_when_its_command_is_the_same(run_dag, examples):
    """The Bash example executes once for each number of lines."""
    first = run_dag(folder=examples, dag_id="any_operator")
    again = run_dag(folder=examples, dag_id="any_operator")
    other = run_dag(folder=examples, dag_id="any_operator", conf={"lines": 7})
    assert [first.executed, again.executed, other.executed] == [["count"], [], ["count"]]
    assert again["count"].xcoms["return_value"] == first["count"].xcoms["return_value"] == "1000"
    assert other["count"].xcoms["return_value"] == "7"


def test_only_days_that_were_added_go_to_the_mirror(run_dag, examples, tmp_path, monkeypatch):
    """The transfer example is reused as a whole, sends one more day, and removes at the mirror what went."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    first = run_dag(folder=examples, dag_id="transfer")
    assert first["count"].xcoms["return_value"] == {"files": 5, "tables": 5, "sum": 1140}
    assert run_dag(folder=examples, dag_id="transfer").executed == []
    more = run_dag(folder=examples, dag_id="transfer", conf={"days": 6})
    assert "1 file to send" in more["mirror"].log
    fewer = run_dag(folder=examples, dag_id="transfer", conf={"days": 2})
    assert fewer["count"].xcoms["return_value"]["files"] == 2


@pytest.mark.slow
def test_a_mapped_step_executes_only_the_instance_that_was_added(run_dag, examples):
    """One more number of components: one more instance executes, and the step that gathers them all."""
    first = run_dag(folder=examples, dag_id="mapped")
    assert first.executed == [*(f"features[{i}]" for i in range(4)), "narrowest", "prepare"]
    again = run_dag(folder=examples, dag_id="mapped")
    assert again.executed == []
    file = examples / "mapped.py"
    file.write_text(file.read_text().replace("[8, 16, 24, 32]", "[8, 16, 24, 32, 40]"))
    more = run_dag(folder=examples, dag_id="mapped")
    assert more.executed == ["features[4]", "narrowest"]


@pytest.mark.slow
def test_functions_scripts_and_ordinary_tasks_pass_data_to_each_other(run_dag, examples):
    """The functions example executes once; another regularization executes the training and what takes its result."""
    first = run_dag(folder=examples, dag_id="functions")
    assert set(first.states.values()) == {"success"}, first.log
    assert first.executed == ["digits", "features", "report", "train"]
    assert first["train"].xcoms["model"]["type"] == "sklearn.LogisticRegression"
    assert float(first["announce"].xcoms["return_value"].split()[1]) > 0.85
    assert run_dag(folder=examples, dag_id="functions").executed == []
    changed = run_dag(folder=examples, dag_id="functions", conf={"regularization": 50.0})
    assert changed.executed == ["train"]
    assert changed["train"].reasons == ["PARAM regularization 1.0 -> 50.0"]


def test_the_gpu_example_trains_on_what_there_is_and_says_so(run_dag, examples, monkeypatch):
    """On this machine a CPU, which its log and its result name; the second run reuses the model."""
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    if not list(Path(wheels).glob("torch-2.13*")) or not wheels:
        pytest.skip("PyTorch's wheels for CPUs are not among this machine's wheels (PIP_FIND_LINKS)")
    monkeypatch.setenv("UV_FIND_LINKS", wheels)
    run = run_dag(folder=examples, dag_id="gpu", conf={"epochs": 6})
    assert run["train"].state == "success", run.log
    result = run["train"].xcoms["return_value"]
    assert result["accuracy"] > 0.8
    assert f"training on {result['device']}" in run["train"].log
    assert run_dag(folder=examples, dag_id="gpu", conf={"epochs": 6}).executed == []


def test_the_gpu_example_goes_to_another_compute_by_a_word(run_dag, examples, monkeypatch):
    """With the image that has PyTorch, and the GPUs that it asks for."""
    monkeypatch.setenv("GPU_TARGET", "docker")
    monkeypatch.setenv("GPU_COUNT", "2")
    step = run_dag.parse(folder=examples, dag_id="gpu").get_task("train")
    assert (step.compute_target, step.environment.image) == ("docker", "pytorch/pytorch:latest")
    assert step.step_resources.gpu.count == 2


def test_a_second_team_reuses_what_the_first_computed_with_the_same_modules(run_dag, examples):
    """Another DAG, other task ids, no template for the parameter: preparation and training are reused."""
    botany = run_dag(folder=examples, dag_id="team_botany")
    assert botany.executed == ["retrain.evaluate", "retrain.prepare", "retrain.train"], botany.log
    greenhouse = run_dag(folder=examples, dag_id="team_greenhouse")
    assert (greenhouse.reused, greenhouse.executed) == (["clean", "fit"], ["predict"]), greenhouse.log
    assert run_dag(folder=examples, dag_id="team_greenhouse").executed == []
    more = run_dag(folder=examples, dag_id="team_botany", conf={"epochs": 61})
    assert more.reused == ["retrain.prepare"]


@pytest.mark.parametrize("name", ["prepare", "train", "evaluate", "batch-score"])
def test_the_modules_of_the_examples_pass_their_tests(name: str, tmp_path: Path, monkeypatch):
    """The cases in their folders."""
    from airflow_mlpipe import modules

    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "cache"))
    (result,) = modules.test(EXAMPLES / "modules" / name)
    assert result.problems == ()


@pytest.mark.slow
def test_the_pipeline_in_yaml_runs_and_shares_its_steps_with_the_dag_in_python(run_dag, examples):
    """What the YAML has executed, the DAG of the same scripts reuses; the rest of that executes."""
    first = run_dag(folder=examples, dag_id="digits_in_yaml")
    assert first.state == "success", first.log
    assert len(first.executed) == 9
    second = run_dag(folder=examples, dag_id="digits")
    assert second.state == "success", second.log
    steps = [f"{kind}.{step}" for kind in ("pixels", "pca") for step in ("features", "train", "evaluate")]
    assert second.reused == sorted(["prepare", *steps])
    assert run_dag(folder=examples, dag_id="digits_in_yaml").executed == []
