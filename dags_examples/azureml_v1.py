"""A script for the Azure ML SDK v1, of which only the import lines were changed.

In the DAGs folder it is a DAG.  Started by hand, ``python azureml_v1.py``, it runs the pipeline on this machine, or
where ``MLPIPE_API_URL`` says that it is deployed.  What ``config.json`` maps are the names of datastores and computes.
"""

from airflow_mlpipe.azureml import (
    ComputeTarget,
    DataReference,
    Datastore,
    Experiment,
    OutputFileDatasetConfig,
    Pipeline,
    PipelineData,
    PipelineParameter,
    PythonScriptStep,
    RunConfiguration,
    Workspace,
)

workspace = Workspace.from_config(path="azureml_v1")
cluster = ComputeTarget(workspace=workspace, name="cpu-cluster")

run_config = RunConfiguration()
run_config.environment.python.user_managed_dependencies = True
run_config.environment.environment_variables = {"OMP_NUM_THREADS": "1"}

raw = DataReference(
    datastore=Datastore.get(workspace, "measurements"),
    data_reference_name="raw",
    path_on_datastore="penguins.csv",
)
prepared = PipelineData("prepared", datastore=workspace.get_default_datastore())
model = OutputFileDatasetConfig(name="model")
score = PipelineData("score", pipeline_output_name="score")
passes = PipelineParameter(name="passes", default_value=300)

prepare = PythonScriptStep(
    name="prepare penguins",
    script_name="prepare.py",
    source_directory="azureml/prepare",
    arguments=["--raw", raw.as_mount(), "--test-share", 0.25, "--out", prepared],
    inputs=[raw],
    outputs=[prepared],
    compute_target=cluster,
    runconfig=run_config,
)
train = PythonScriptStep(
    name="train",
    script_name="train.py",
    source_directory="azureml/train",
    arguments=["--data", prepared, "--passes", passes, "--model", model],
    inputs=[prepared],
    compute_target=cluster,
    runconfig=run_config,
)
evaluate = PythonScriptStep(
    name="evaluate",
    script_name="evaluate.py",
    source_directory="azureml/train",
    arguments=["--data", prepared, "--model", model.as_input("model"), "--score", score],
    inputs=[prepared],
    outputs=[score],
    compute_target=cluster,
    runconfig=run_config,
)

# The last step is enough: those whose data it reads are pulled in.
pipeline = Pipeline(workspace, steps=[evaluate], description="Weights of penguins, by a v1 script")
pipeline.validate()

run = Experiment(workspace, "penguins").submit(pipeline, pipeline_parameters={"passes": 200})
run.wait_for_completion(show_output=True)
for step in run.get_steps():
    print(step.name, step.get_status(), step.get_metrics())
