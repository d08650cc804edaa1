"""A step that is mapped: one instance for each number of components, each with a fingerprint of its own.

Adding a number to ``COMPONENTS`` executes one more instance of the mapped step, and ``narrowest`` again; the instances
that were there are reused.
"""

import pendulum
from airflow.sdk import dag

from airflow_mlpipe import Environment, Input, Output, PipelineData, ScriptStep

COMPONENTS = [8, 16, 24, 32]
LEARN = Environment(
    requirements="digits/requirements.txt",
    variables={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
)


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    tags=["mlpipe", "example"],
    doc_md=__doc__,
)
def mapped():
    prepared, features, best = PipelineData("prepared"), PipelineData("features"), PipelineData("best")
    ScriptStep(
        task_id="prepare",
        source_directory="digits",
        script_name="prepare.py",
        arguments=["--out", prepared],
        outputs=[prepared],
        environment=LEARN,
    )
    ScriptStep.partial(
        task_id="features",
        source_directory="digits",
        script_name="features.py",
        inputs=[prepared],
        outputs=[features],
        environment=LEARN,
    ).expand(
        arguments=[
            ["--data", Input("prepared"), "--kind", "pca", "--components", number, "--out", Output("features")]
            for number in COMPONENTS
        ]
    )
    # All instances' outputs together: a folder with the members 00000, 00001, ... in the order of the instances.
    ScriptStep(
        task_id="narrowest",
        source_directory="mapped",
        script_name="narrowest.py",
        arguments=["--features", Input("features"), "--best", best],
        inputs={"features": features},
        outputs=[best],
        environment=LEARN,
    )


mapped()
