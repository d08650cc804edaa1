"""The first of two teams: it retrains its model with the template of the library in ``modules``.

    retrain (prepare -> train -> evaluate)

The library is a folder here. In an organisation it is published to a datastore once, with
``airflow mlpipe module publish``, and the DAGs stay as they are.
"""

from pathlib import Path

import pendulum
from airflow.sdk import Param, dag

from airflow_mlpipe import DataReference, Datastore, ModuleStep

FLOWERS = Datastore("flowers", url=(Path(__file__).parent / "modules" / "data").as_uri())


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    tags=["mlpipe", "example"],
    doc_md=__doc__,
    params={"epochs": Param(60, type="integer", minimum=1, description="how often the training sees all rows")},
)
def team_botany():
    ModuleStep(
        task_id="retrain",
        module="retrain@1.0",
        inputs={"raw": DataReference(FLOWERS, "iris.csv", name="raw")},
        params={"epochs": "{{ params.epochs }}"},
    )


team_botany()
