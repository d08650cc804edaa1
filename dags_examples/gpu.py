"""A network trained with PyTorch on whatever its target has, a GPU or none; the log says which device it used.

The compute is one word, ``GPU_TARGET`` in the environment of Airflow: ``local`` trains beside the worker, a compute
that runs containers trains in the image ``GPU_IMAGE``, which has PyTorch in it.  ``GPU_COUNT`` asks for GPUs.  Where it
runs, and on how many GPUs, does not count for reuse; the environment does.
"""

import os

import pendulum
from airflow.sdk import Param, dag

from airflow_mlpipe import Environment, PipelineData, Resources, ScriptStep

TARGET = os.environ.get("GPU_TARGET", "local")
IMAGE = os.environ.get("GPU_IMAGE", "pytorch/pytorch:latest")
GPUS = int(os.environ.get("GPU_COUNT", "0"))


@dag(
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1),
    tags=["mlpipe", "example"],
    doc_md=__doc__,
    params={"epochs": Param(20, type="integer", minimum=1), "width": Param(64, type="integer", minimum=1)},
)
def gpu():
    model = PipelineData("model", kind="file", filename="model.pt")
    ScriptStep(
        task_id="train",
        source_directory="gpu",
        script_name="train.py",
        arguments=["--epochs", "{{ params.epochs }}", "--width", "{{ params.width }}", "--model", model],
        outputs=[model],
        compute_target=TARGET,
        environment=Environment(requirements="gpu/requirements.txt") if TARGET == "local" else Environment(image=IMAGE),
        resources=Resources(gpu=GPUS) if GPUS else None,
    )


gpu()
