"""Handwritten digits: one clean-up, three kinds of features, a model of each, the best one, a report.

    prepare -> features (three kinds, in parallel) -> train -> evaluate -> choose -> report

Nobody writes ``>>`` here: the order follows from who reads whose data.  The scripts are ordinary programs, which run by
hand as well, and know nothing of Airflow or of this package.  They run in an environment of their own, made from
``digits/requirements.txt``.
"""

import pendulum
from airflow.sdk import Param, TaskGroup, dag

from airflow_mlpipe import Environment, Input, PipelineData, ScriptStep

KINDS = {
    "pixels": [],
    "pca": ["--components", "{{ params.components }}"],
    "gradients": ["--bins", "{{ params.bins }}"],
}
# One thread: the digits are small, three models are trained at once, and sums come out the same on every machine.
LEARN = Environment(
    requirements="digits/requirements.txt",
    variables={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
)


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    tags=["mlpipe", "example"],
    doc_md=__doc__,
    default_args={"source_directory": "digits", "environment": LEARN},
    params={
        "test_share": Param(0.25, type="number", exclusiveMinimum=0, maximum=0.5, description="kept for testing"),
        "components": Param(24, type="integer", minimum=1, maximum=64, description="principal components to keep"),
        "bins": Param(8, type="integer", minimum=2, maximum=36, description="directions of an edge"),
        "regularization": Param(1.0, type="number", exclusiveMinimum=0, description="C of the logistic regression"),
    },
)
def digits():
    prepared = PipelineData("prepared")
    ScriptStep(
        task_id="prepare",
        script_name="prepare.py",
        arguments=["--out", prepared, "--test-share", "{{ params.test_share }}"],
        outputs=[prepared],
    )

    models, scores = [], []
    for kind, options in KINDS.items():
        with TaskGroup(kind):
            features, model, score = PipelineData("features"), PipelineData("model"), PipelineData("score")
            ScriptStep(
                task_id="features",
                script_name="features.py",
                arguments=["--data", prepared, "--out", features, "--kind", kind, *options],
                inputs=[prepared],
                outputs=[features],
            )
            ScriptStep(
                task_id="train",
                script_name="train.py",
                arguments=["--features", features, "--regularization", "{{ params.regularization }}", "--model", model],
                inputs=[features],
                outputs=[model],
            )
            ScriptStep(
                task_id="evaluate",
                script_name="evaluate.py",
                arguments=["--name", kind, "--features", features, "--model", model, "--scores", score],
                inputs=[features, model],
                outputs=[score],
            )
        models.append(model)
        scores.append(score)

    best = PipelineData("best")
    ScriptStep(
        task_id="choose",
        script_name="choose.py",
        arguments=["--scores", Input("scores"), "--models", Input("models"), "--best", best],
        inputs={"scores": scores, "models": models},
        outputs=[best],
    )
    plot = PipelineData("plot", kind="file", filename="report.png")
    summary = PipelineData("summary", kind="file", filename="report.md")
    ScriptStep(
        task_id="report",
        script_name="report.py",
        arguments=["--data", prepared, "--best", best, "--plot", plot, "--summary", summary],
        inputs=[prepared, best],
        outputs=[plot, summary],
    )


digits()
