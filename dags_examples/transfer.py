"""Data between datastores: what a step made goes to a shelf, and from there, without its notes, to a mirror.

Run it again: both transfers list each side, find nothing changed, and are reused.  Run it with another number of days:
only the files of the days that were added are sent, and ``mirror`` removes those of days that went.
``{"dry_run": true}`` says what would be done.

The two datastores are folders beside Airflow's; give them the URL of a bucket, or only the name of a connection, and
nothing else changes.
"""

import os
from pathlib import Path

import pendulum
from airflow.sdk import Param, dag

from airflow_mlpipe import DataReference, Datastore, DataTransferStep, PipelineData, ScriptStep

HOME = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "mlpipe"
SHELF = Datastore("shelf", url=(HOME / "shelf").as_uri())
MIRROR = Datastore("mirror", url=(HOME / "mirror").as_uri())


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    tags=["mlpipe", "example"],
    doc_md=__doc__,
    params={"days": Param(5, type="integer", minimum=1, maximum=31), "dry_run": Param(False, type="boolean")},
)
def transfer():
    made, total = PipelineData("made"), PipelineData("total")
    there = PipelineData("there", datastore=SHELF, path="days")
    ScriptStep(
        task_id="make",
        source_directory="transfer",
        script_name="make.py",
        arguments=["{{ params.days }}", made],
        outputs=[made],
    )
    DataTransferStep(task_id="publish", source=made, destination=there, mode="sync", dry_run="{{ params.dry_run }}")
    mirror = DataTransferStep(
        task_id="mirror",
        source=there,
        destination=DataReference(MIRROR, "days/", name="mirrored"),
        mode="sync",
        exclude=["*.txt"],
        bandwidth="50 MiB/s",
    )
    ScriptStep(
        task_id="count",
        source_directory="transfer",
        script_name="count.py",
        arguments=[mirror.outputs["mirrored"], total],
        outputs=[total],
    )


transfer()
