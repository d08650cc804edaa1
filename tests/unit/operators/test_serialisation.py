"""A DAG file costs little to parse and serialises to the same bytes each time.

With its keys sorted, which is how Airflow hashes it: the order of keys is that of Airflow's own sets.
"""

from __future__ import annotations

import os
import subprocess
import sys
from textwrap import dedent

import pytest

EVERYTHING = """
    from datetime import timedelta
    import pendulum
    from airflow.sdk import DAG, Param, TaskGroup, task
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow_mlpipe import (
        CommandStep, DataReference, Datastore, Environment, Gpu, PipelineData, Resources, Reuse,
        ScriptStep, reuse_unchanged,
    )
    from airflow_mlpipe.model.data import Volatile
    from airflow_mlpipe.model.environment import Secret

    lake = Datastore("lake", url="file:///lake")
    with DAG("everything", schedule=None, start_date=pendulum.datetime(2026, 1, 1), params={"lr": Param(0.1), "b": 1}):
        raw = DataReference(lake, "raw/*.csv", name="raw")
        data, model, plot = PipelineData("data"), PipelineData("model"), PipelineData("plot", kind="file")
        part = PipelineData("part", asset="file:///part", volatile=[Volatile("*.txt")])
        with TaskGroup("group"):
            ScriptStep(
                task_id="train", script_name="step.py", inputs=[data], outputs=[model, plot],
                arguments=["--lr", "{{ params.lr }}", data, model, 1, 1.5, True],
                parameters={"zeta": 1, "alpha": {"b": 1, "a": 2}},
                environment=Environment(variables={"B": "1", "A": "2"}, pass_variables=("Z", "Y")),
                resources=Resources(cpu=2, memory="1Gi", gpu=Gpu(1)), retries=2,
                reuse=Reuse(ignore=("b", "a"), max_age=timedelta(days=3)),
                secrets={"two": Secret(variable="t"), "one": Secret(connection="c")},
                resource_inputs=[DataReference(lake, "w")],
            )
        prepare = ScriptStep(task_id="prepare", source_directory="scripts", script_name="train.py",
                             inputs=[raw], arguments=[raw, data], outputs=[data], include=["*.json"])

        @task
        def numbers():
            return [["1"], ["2"]]

        split = ScriptStep.partial(task_id="split", script_name="step.py", inputs=[data], outputs=[part]).expand(
            arguments=[[data, part, "1"], [data, part, "2"]])
        ScriptStep.partial(task_id="more", script_name="step.py").expand(arguments=numbers())
        ScriptStep.partial(task_id="each", script_name="step.py", arguments=[part]).expand(inputs=split.output)
        ScriptStep(task_id="gather", script_name="step.py", inputs={
            "parts": part, "models": [model, data], "x": prepare.outputs["data"]})
        CommandStep(task_id="sort", command=["sort", data, "{{ ds }}"], outputs=[PipelineData("sorted", kind="file")])
        BashOperator(task_id="bash", bash_command="true", pre_execute=reuse_unchanged(inputs=[raw], params=["lr"]))
"""

SERIALISE = """
    import json, sys
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization
    bag = DagBag(dag_folder=sys.argv[1])
    assert not bag.import_errors, bag.import_errors
    print(json.dumps(DagSerialization.to_dict(bag.dags["everything"]), sort_keys=True))
"""


def python(code, *arguments, **variables):
    """Run code in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", dedent(code), *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_identical_bytes_under_two_hash_seeds(project):
    """Two interpreters with different hash seeds serialise one DAG file to the same bytes."""
    file = project / "dag.py"
    file.write_text(dedent(EVERYTHING))
    first, second = (python(SERIALISE, str(file), PYTHONHASHSEED=seed) for seed in ("1", "4242"))
    assert "group.train" in first
    assert first == second


def test_the_serialised_dag_holds_no_addresses(project):
    """Nothing is serialised by its `repr`: no memory addresses."""
    file = project / "dag.py"
    file.write_text(dedent(EVERYTHING))
    assert " at 0x" not in python(SERIALISE, str(file))


def test_the_serialised_dag_can_be_read_back(project):
    """What the scheduler does: edges survive."""
    file = project / "dag.py"
    file.write_text(dedent(EVERYTHING))
    code = (
        SERIALISE
        + """
    back = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["everything"]))
    print(sorted(back.get_task("gather").upstream_task_ids), sorted(back.get_task("each").upstream_task_ids))
    """
    )
    assert python(code, str(file)) == "['group.train', 'prepare', 'split'] ['split']"


def test_importing_the_package_imports_none_of_the_heavy_libraries():
    """`import airflow_mlpipe`, and all that a DAG file takes from it, leaves the clouds alone."""
    code = """
    import sys
    import airflow.sdk
    before = set(sys.modules)
    import airflow_mlpipe
    for name in airflow_mlpipe.__all__:
        getattr(airflow_mlpipe, name)
    heavy = "docker kubernetes boto3 botocore azure pyarrow mlflow s3fs adlfs gcsfs obstore fsspec pandas numpy fastapi"
    print(sorted({m.partition(".")[0] for m in set(sys.modules) - before} & set(heavy.split())))
    """
    assert python(code) == "[]"


def test_parsing_a_file_reads_no_file_but_its_own(project):
    """Constructors do no I/O beyond a `stat` of script, folder and requirements: nothing is opened, nothing listed."""
    (project / "requirements.txt").write_text("")
    (project / "dag.py").write_text("")
    code = """
    import sys
    from airflow.sdk import DAG
    from airflow_mlpipe import *
    from airflow_mlpipe import DataReference, Datastore, Environment, PipelineData, ScriptStep
    seen = []
    def make(name):
        with DAG(name, schedule=None) as dag:
            dag.fileloc = sys.argv[1] + "/dag.py"
            raw = DataReference(Datastore("lake", url="file://" + sys.argv[1]), "dag.py", name="raw")
            out = PipelineData("out")
            ScriptStep(task_id="a", script_name="train.py", source_directory="scripts", inputs=[raw], outputs=[out],
                       arguments=[raw, out, "{{ params.x }}"], environment=Environment(requirements="requirements.txt"))
            ScriptStep.partial(task_id="b", script_name="step.py", inputs=[out]).expand(arguments=[["1"], ["2"]])
        dag.resolve_template_files()
    make("warm")  # modules are imported now
    watched = ("open", "os.listdir", "os.scandir", "socket.connect", "subprocess.Popen")
    sys.addaudithook(lambda event, args: seen.append((event, args)) if event in watched else None)
    make("cold")
    ours = [entry for entry in list(seen) if sys.argv[1] in str(entry) or entry[0] not in ("open",)]
    print(ours)
    """
    assert python(code, str(project)) == "[]"


@pytest.mark.parametrize("module", ["airflow_mlpipe.provider", "airflow_mlpipe.cli.definition"])
def test_what_airflow_loads_at_every_start_is_light(module):
    """The provider's description and the commands import neither operators nor stores."""
    code = f"""
    import sys
    import {module}
    layers = tuple(f"airflow_mlpipe.{{name}}" for name in ("operators", "store", "hooks"))
    print(sorted(m for m in sys.modules if m.startswith(layers)))
    """
    assert python(code) == "[]"
