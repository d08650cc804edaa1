"""Run parameters and variables that have a secret's name: they count, and nothing that is kept shows them."""

from __future__ import annotations

import json

PIPELINE = """
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow_mlpipe import Environment, Output, PipelineData, ScriptStep, reuse_unchanged

    with DAG("pipeline", schedule=None, params={"password": "correct horse", "tokenizer": "bert"}):
        ScriptStep(task_id="script", source_directory="src", script_name="main.py", outputs=[PipelineData("out")],
                   arguments=[Output("out"), "{{ params.password }}"],
                   parameters={"api_token": "{{ params.password }}"},
                   environment=Environment(variables={"HF_TOKEN": "staple-battery"}))
        ScriptStep(task_id="plain", source_directory="src", script_name="main.py", outputs=[PipelineData("out")],
                   arguments=[Output("out"), "{{ params.tokenizer }}"])
        BashOperator(task_id="bash", bash_command="echo {{ params.password }} | wc -c",
                     env={"HF_TOKEN": "staple-battery"}, pre_execute=reuse_unchanged())
"""
MAIN = {"src/main.py": "import pathlib, sys\npathlib.Path(sys.argv[1], 'n').write_text(str(len(sys.argv[2])))\n"}


def test_they_count_and_are_nowhere(run_dag):
    """The same password is a hit and another one a miss; neither is in the workspace or in an XCom."""
    first = run_dag(PIPELINE, files=MAIN)
    assert first.executed == ["bash", "plain", "script"]
    assert run_dag(PIPELINE).reused == ["bash", "plain", "script"]
    other = run_dag(PIPELINE, conf={"password": "correct house"})
    assert (other.executed, other.reused) == (["bash", "script"], ["plain"])
    third = run_dag(PIPELINE, conf={"tokenizer": "gpt"})
    assert third.executed == ["plain"]
    kept = b"".join(path.read_bytes() for path in run_dag.workspace.rglob("*") if path.is_file())
    told = json.dumps([dict(task.xcoms) for run in (first, other, third) for task in run.tasks.values()])
    for secret in ("correct horse", "correct house", "staple-battery"):
        assert secret.encode() not in kept
        assert secret not in told
