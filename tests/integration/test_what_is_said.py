"""What the log and the reasons tell, where the decision alone would leave a reader guessing."""

from __future__ import annotations

WIDENED = """
from airflow_mlpipe import CommandStep, PipelineData, ScriptStep

with DAG("widened", schedule=None):
    ScriptStep(task_id="step", source_directory="scripts", script_name="step.py")
"""

ODD = """
from airflow_mlpipe import Reuse, reuse_unchanged

with DAG("odd", schedule=None):

    @task(pre_execute=reuse_unchanged(@HOOK@))
    def gives():
        return @VALUE@

    gives()
"""


def test_a_closure_that_widened_says_where_and_why(run_dag):
    """The log names the line that made the whole source folder count; other steps say nothing of the kind."""
    files = {"scripts/step.py": "import importlib\nimportlib.import_module('ot' + 'her')\n", "scripts/other.py": ""}
    run = run_dag(WIDENED, files=files)
    assert "step.py:2: import_module with a computed name; so the whole source folder counts" in run["step"].log
    plain = run_dag(files={"scripts/step.py": "import other\n"})
    assert plain.executed == ["step"]
    assert "source folder counts" not in plain["step"].log


def test_after_a_result_that_was_not_recorded_the_reasons_still_compare(run_dag):
    """An operator whose result cannot be recorded, or is not to be, says next time what changed."""
    for value, hook in enumerate(("", "reuse=Reuse(policy='never')")):
        run_dag(ODD.replace("@HOOK@", hook).replace("@VALUE@", "{1, 2}"))
        changed = run_dag(ODD.replace("@HOOK@", "").replace("@VALUE@", f"[{value}]"))
        assert changed["gives"].reasons == ["CODE gives() changed"]


def test_a_parameter_that_is_a_run_parameter_is_said_once(run_dag):
    """A step's own parameter that takes a run parameter as it is gives one reason, with the typed values."""
    source = """
        from airflow_mlpipe import Output, PipelineData, ScriptStep
        with DAG("once", schedule=None, params={"depth": 3}):
            ScriptStep(task_id="step", source_directory="src", script_name="once.py", outputs=[PipelineData("out")],
                       arguments=[Output("out")], parameters={"depth": "{{ params.depth }}"})
    """
    assert run_dag(source, files={"src/once.py": "print('once')\n"}).executed == ["step"]
    assert run_dag(source, conf={"depth": 4})["step"].reasons == ["PARAM depth 3 -> 4"]
