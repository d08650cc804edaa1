"""Functions as steps, between a script, an ordinary task and each other: values move by their types.

``digits`` and ``features`` return tables, ``train`` a model and its metrics; ``report`` is a script that gets the table
as a file, ``announce`` an ordinary Airflow task that gets the metrics as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pendulum
from airflow.sdk import Param, dag, task

from airflow_mlpipe import Environment, Outputs, PipelineData, ScriptStep, step

if TYPE_CHECKING:  # imported where the steps run, not while Airflow parses this file
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression

SEED = 0
LEARNING = Environment(requirements="functions/requirements.txt")


@step(environment=LEARNING)
def digits() -> pd.DataFrame:
    """The handwritten digits that come with scikit-learn: 1,797 images of 8 x 8 pixels."""
    data = load_digits(as_frame=True)
    return data.frame


@step(environment=LEARNING)
def features(table: pd.DataFrame, components: int = 16) -> Outputs(table=pd.DataFrame, axes=np.ndarray):
    """Project the pixels on their principal components."""
    pixels = table.drop(columns="target")
    found = PCA(components, random_state=SEED, svd_solver="full").fit(pixels)
    projected = pd.DataFrame(found.transform(pixels), columns=[f"c{i}" for i in range(components)])
    return Outputs(table=projected.assign(target=table["target"]), axes=found.components_)


@step(environment=LEARNING)
def train(table: pd.DataFrame, regularization: float) -> Outputs(model=LogisticRegression, metrics=dict):
    """Fit a classifier on the first three quarters, and count its errors on the rest."""
    cut = len(table) * 3 // 4
    inputs, target = table.drop(columns="target"), table["target"]
    model = LogisticRegression(C=1 / regularization, max_iter=2000).fit(inputs[:cut], target[:cut])
    return {"model": model, "metrics": {"accuracy": float(model.score(inputs[cut:], target[cut:])), "rows": cut}}


@task
def announce(metrics: dict) -> str:
    """An ordinary task: it gets the dict itself."""
    line = f"accuracy {metrics['accuracy']:.3f} on {metrics['rows']} rows"
    print(line)
    return line


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    params={"regularization": Param(1.0, type="number", exclusiveMinimum=0)},
    tags=["example"],
)
def functions():
    """Digits -> features -> train -> announce, and a report by a script."""
    projected = features(digits())
    trained = train(projected.table, regularization="{{ params.regularization }}")
    announce(trained.metrics)
    report = PipelineData("report", kind="file", filename="report.txt")
    ScriptStep(
        task_id="report",
        source_directory="functions",
        script_name="report.py",
        arguments=["--table", projected.table, "--out", report],
        outputs=[report],
        environment=LEARNING,
    )


functions()
