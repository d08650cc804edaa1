"""The second of two teams: it trains on the same flowers, with the same modules, and predicts for its own.

    prepare -> train -> score

Where ``team_botany`` has run, its preparation and its training are reused: another DAG, other task ids, parameters
written another way, and the same modules.
"""

from pathlib import Path

import pendulum
from airflow.sdk import dag

from airflow_mlpipe import DataReference, Datastore, ModuleStep, PipelineData

FLOWERS = Datastore("flowers", url=(Path(__file__).parent / "modules" / "data").as_uri())


@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), tags=["mlpipe", "example"], doc_md=__doc__)
def team_greenhouse():
    iris, ours = DataReference(FLOWERS, "iris.csv"), DataReference(FLOWERS, "greenhouse.csv")
    table, model = PipelineData("table"), PipelineData("our_model")
    ModuleStep(task_id="clean", module="prepare", inputs={"raw": iris}, outputs={"prepared": table})
    ModuleStep(
        task_id="fit", module="train>=1", inputs={"prepared": table}, outputs={"model": model}, params={"epochs": 60}
    )
    ModuleStep(
        task_id="predict",
        module="batch-score@1.0",
        inputs={"model": model, "data": ours},
        params={"column": "species"},
    )


team_greenhouse()
