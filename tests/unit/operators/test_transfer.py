"""DataTransferStep as it is written: what is refused while the DAG file is parsed, and what is serialised."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_mlpipe import CommandStep, DataReference, Datastore, DataTransferStep, PipelineData, Reuse
from airflow_mlpipe.errors import DefinitionError, PathError
from airflow_mlpipe.transfer.pace import Pace

LAKE = Datastore("lake", url="file:///srv/lake")
SHELF = Datastore("shelf")
RAW = DataReference(LAKE, "raw/")


def transfer(**given):
    """A step in a DAG of its own."""
    with DAG("transfers", schedule=None):
        return DataTransferStep(
            **({"task_id": "t", "source": RAW, "destination": DataReference(SHELF, "in/raw/")} | given)
        )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"source": None}, "a transfer has one source"),
        ({"source": "raw/"}, "a DataReference, or an output"),
        ({"source": [RAW, RAW]}, "a step for each"),
        ({"source": 5}, "not a data object"),
        ({"destination": "in/raw"}, "DataReference\\(datastore, path\\)"),
        ({"destination": PipelineData("x")}, "needs a datastore and a path"),
        ({"destination": DataReference(SHELF, "in/*.csv")}, "a path, not a pattern"),
        ({"destination": DataReference(SHELF, "in", version="1")}, "no version"),
        ({"destination": DataReference(LAKE, "raw")}, "the same place"),
        ({"mode": "mirror"}, "'copy', 'sync', 'move'"),
        ({"bandwidth": "fast"}, "not a rate"),
        ({"concurrency": 0}, "1 to 256"),
        ({"include": "*.csv"}, "a list of patterns"),
        ({"script_name": "x.py"}, "no script_name"),
        ({"compute_target": "docker"}, "no compute_target"),
        ({"environment": None}, "no environment"),
        ({"outputs": []}, "no outputs"),
        ({"reuse": "never"}, "reuse must be of type Reuse"),
    ],
)
def test_a_mistake_is_told_while_the_file_is_parsed(wrong, says):
    """Naming the step and what would be right."""
    with pytest.raises(DefinitionError, match=says) as caught:
        transfer(**wrong)
    assert "step 't'" in str(caught.value)


def test_a_path_that_leaves_its_datastore_cannot_be_written():
    """Neither side's."""
    with pytest.raises(PathError):
        transfer(destination=DataReference(SHELF, "../x"))


def test_a_transfer_is_not_mapped():
    """And the message says what to write instead."""
    with DAG("mapped", schedule=None), pytest.raises(DefinitionError, match="a loop"):
        DataTransferStep.partial(task_id="t", destination=DataReference(SHELF, "in"))


def test_what_default_args_say_of_programs_is_not_about_it():
    """A DAG whose steps run on another compute may hold a transfer."""
    defaults = {"compute_target": "gpus", "environment": object(), "secrets": {"a": 1}, "include": ["src"]}
    with DAG("defaults", schedule=None, default_args={k: v for k, v in defaults.items() if k != "include"}):
        step = DataTransferStep(task_id="t", source=RAW, destination=DataReference(SHELF, "in"))
    assert (step.compute_target, step.environment, step.secrets) == ("local", None, None)


def test_edges_are_those_of_the_data_whichever_way_they_are_written():
    """A PipelineData as the destination, a step's output as the source, and an output of it further on."""
    there, copy = PipelineData("there", datastore=SHELF, path="in/{run}"), PipelineData("made")
    with DAG("edges", schedule=None) as dag:
        CommandStep(task_id="reads", command=["ls", there], inputs=[there])
        first = DataTransferStep(task_id="first", source=RAW, destination=there)
        DataTransferStep(task_id="second", source=first.outputs["there"], destination=DataReference(SHELF, "b"))
        CommandStep(task_id="makes", command=["touch", copy], outputs=[copy])
        DataTransferStep(task_id="third", source=copy, destination=DataReference(SHELF, "c"))
    edges = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert edges == {"reads": {"first"}, "first": set(), "second": {"first"}, "makes": set(), "third": {"makes"}}


def test_placeholders_of_a_destination_become_templates():
    """So that they are rendered like everything else."""
    step = transfer(destination=PipelineData("x", datastore=SHELF, path="{dag}/{run}/x", kind="file"))
    assert step.destination["path"] == ("{{ dag.dag_id | replace('/', '_') }}/{{ run_id | replace('/', '_') }}/x")


def test_templates_wait_for_a_run():
    """They are checked when they are rendered."""
    step = transfer(
        source=DataReference(LAKE, "raw/{{ ds }}/"),
        destination=DataReference(SHELF, "in/{{ params['day'] }}/"),
        mode="{{ params.mode }}",
        bandwidth="{{ params.rate }}",
        dry_run="{{ params.dry }}",
        include=["{{ params.kind }}"],
    )
    assert set(step.template_fields) >= {"inputs", "destination", "mode", "include", "bandwidth", "dry_run"}


def test_it_serialises_to_the_same_bytes_each_time():
    """Or Airflow would make a new DAG version at each parse."""

    def serialised():
        step = transfer(mode="sync", include=["*.csv"], exclude=["tmp/"], bandwidth="1 MiB/s", reuse=Reuse(version="2"))
        return json.dumps(DagSerialization.to_dict(step.dag), sort_keys=True)

    assert serialised() == serialised()


def test_killing_the_task_ends_the_transfer():
    """Also when it has not begun."""
    step = transfer()
    step.on_kill()
    step._pace = Pace()
    step.on_kill()
    assert step._pace.cancelled
