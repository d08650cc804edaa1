"""Pickles, on a real Airflow: written and read where the author and the deployment both say so, and nowhere else."""

from __future__ import annotations

import shutil
import sys

import pytest

DAG = """
    import pendulum
    from airflow.sdk import DAG, task
    from airflow_mlpipe import Outputs, Pickle, step
    import odd

    @step
    def made(n: int):
        return Pickle(odd.Odd(n))

    @step
    def both(n: int) -> Outputs(model=dict, n=int):
        return Outputs(model={"inner": [Pickle(odd.Odd(n))], "n": n}, n=n)

    @step
    def taken(value: odd.Odd, again) -> int:
        assert type(value) is type(again) is odd.Odd
        return value.n + again.n

    @step
    def opened(model: dict) -> int:
        return odd.Odd(1).n + model["inner"][0].n

    @task
    def ordinary(value):
        import sys
        return type(value).__name__

    with DAG("pickles", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
        value = made(3)
        taken(value, value)
        opened(both(4).model)
        ordinary(value)
"""

ODD = """
import os

class Odd:
    def __init__(self, n):
        self.n = n

    def __setstate__(self, state):
        open(os.path.join("@MARKS@", "unpickled"), "a").close()
        self.__dict__ = state
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A DAG whose values leave a mark when they are unpickled."""
    monkeypatch.syspath_prepend(tmp_path / "dags")
    monkeypatch.delitem(sys.modules, "odd", raising=False)  # that of another test
    return {"pipeline.py": DAG, "odd.py": ODD.replace("@MARKS@", str(tmp_path))}


@pytest.fixture
def allow(monkeypatch):
    """Switch the option."""
    return lambda value: monkeypatch.setenv("AIRFLOW__MLPIPE__ALLOW_PICKLE", value)


def test_a_pickle_moves_between_steps_where_it_is_allowed(run_dag, files, allow, tmp_path):
    """Who takes it gets the value itself, alone or among others, whatever it is annotated as; an ordinary task, too."""
    allow("True")
    run = run_dag(files=files)
    assert set(run.states.values()) == {"success"}, run.log
    assert run["taken"].xcoms["return_value"] == 6
    assert run["opened"].xcoms["return_value"] == 5
    assert run["ordinary"].xcoms["return_value"] == "Odd"
    row = run["made"].xcoms["return_value"]
    assert (row["format"], row["preview"]) == ("pickle/1", {"class": "odd.Odd"})
    assert (tmp_path / "unpickled").exists()
    assert run_dag(files=files).executed == []


def test_without_the_option_nothing_is_pickled(run_dag, files):
    """The error names the option and the ways out, alone and for a member; nothing is published."""
    run = run_dag(files=files)
    assert (run["made"].state, run["both"].state) == ("failed", "failed")
    for task, place in (("made", "the result"), ("both", "the returned model['inner'][0]")):
        log = run[task].log
        assert f"{place}: pickles are not written in this deployment" in log
        for words in ("[mlpipe] allow_pickle = True", "return a supported type", "its Path", "materializer"):
            assert words in log
    assert not list(run_dag.workspace.rglob("*.pickle"))


def test_without_the_option_nothing_is_unpickled(run_dag, files, allow, tmp_path):
    """Pickles that were made elsewhere are refused, before they are fetched; a member before it is read."""
    allow("True")
    run_dag(files=files)
    allow("False")
    (tmp_path / "unpickled").unlink()
    changed = files["pipeline.py"].replace("return value.n +", "return 0 + value.n +").replace("odd.Odd(1).n", "2")
    run = run_dag(files={**files, "pipeline.py": changed})
    assert (run["made"].decision, run["both"].decision) == ("reused", "reused")
    assert "input 'value': pickles are not read in this deployment" in run["taken"].log
    assert "argument 'model': pickles are not read in this deployment" in run["opened"].log
    assert "pickles are not read in this deployment" in run["ordinary"].log
    assert "pickles/" in run["ordinary"].log
    assert {run[task].state for task in ("taken", "opened", "ordinary")} == {"failed"}
    assert not (tmp_path / "unpickled").exists()


def test_a_refused_pickle_is_not_even_fetched(run_dag, files, allow, monkeypatch, tmp_path):
    """Its data may be gone: what is said is that it is not read."""
    from airflow_mlpipe import load
    from airflow_mlpipe.errors import ConfigurationError

    allow("True")
    row = run_dag(files=files)["made"].xcoms["return_value"]
    allow("False")
    shutil.rmtree(run_dag.workspace / "blobs")
    monkeypatch.setenv("AIRFLOW__MLPIPE__CACHE", str(tmp_path / "other-cache"))
    with pytest.raises(ConfigurationError, match="not read in this deployment"):
        load(row)


def test_neither_an_argument_nor_a_variable_of_a_step_turns_the_option_on(run_dag, files):
    """It is the deployment's: what a step is given, and what it sets, says nothing."""
    text = files["pipeline.py"].replace(
        "@step\n    def made(n: int):",
        "@step\n    def made(n: int, allow_pickle: bool = True):\n"
        "        import os\n        os.environ['AIRFLOW__MLPIPE__ALLOW_PICKLE'] = 'True'",
    )
    run = run_dag(files={**files, "pipeline.py": text})
    assert run["made"].state == "failed"
    assert "pickles are not written in this deployment" in run["made"].log


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("lambda: 1", "builtins.function cannot be pickled"),
        ("here()", "define its classes in a module that both"),
    ],
)
def test_what_cannot_be_pickled_or_unpickled_says_why(run_dag, allow, value, words):
    """A function without a name, and a class of the DAG file, which the consumer's process does not have."""
    allow("True")
    run = run_dag(
        f"""
        from airflow_mlpipe import Pickle, step

        class Here:
            pass

        def here():
            return Here()

        @step
        def made():
            return Pickle({value})

        @step
        def taken(value) -> str:
            return type(value).__name__

        with DAG("pickles", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            taken(made())
        """
    )
    assert words in run.log
    assert run["taken"].state in ("failed", "upstream_failed")


def test_the_backend_of_ordinary_tasks_asks_for_the_option_too(run_dag, files, allow, monkeypatch):
    """An ordinary task returns a pickle where it is allowed, and fails where it is not."""
    from airflow.sdk.execution_time import lazy_sequence, task_runner, xcom

    import airflow_mlpipe.xcom

    for module in (xcom, task_runner, lazy_sequence):
        if hasattr(module, "XCom"):
            monkeypatch.setattr(module, "XCom", airflow_mlpipe.xcom.XComBackend)
    source = """
        from airflow_mlpipe import Pickle
        import odd

        with DAG("ordinary", schedule=None, start_date=pendulum.datetime(2026, 1, 1)):
            @task
            def made():
                return Pickle(odd.Odd(2))

            @task
            def taken(value):
                return value.n

            taken(made())
        """
    run = run_dag(source, files={"odd.py": files["odd.py"]})
    assert run["made"].state == "failed"
    assert "pickles are not written in this deployment" in run["made"].log
    allow("True")
    assert run_dag(source)["taken"].xcoms["return_value"] == 2
