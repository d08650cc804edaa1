"""What the SDK v1 has and this package has not, with what is used instead.  ``docs/azure-ml.md`` shows the same."""

from __future__ import annotations

_SERVICE = "Airflow's operator of that service, with pre_execute=reuse_unchanged(...)"
_TRIALS = "ScriptStep.partial(...).expand(arguments=[...]), each trial reused by itself"

REFUSED = {
    "AdlaStep": "nothing: Azure Data Lake Analytics was retired",
    "AutoMLConfig": "@step or ScriptStep with .partial().expand() over the models to try",
    "AutoMLStep": "@step or ScriptStep with .partial().expand() over the models to try",
    "AutoMLRun": "run.find_step_run('name')[0]",
    "AzureBatchStep": _SERVICE,
    "BanditPolicy": _TRIALS,
    "BatchCompute": _SERVICE,
    "DatabricksCompute": _SERVICE,
    "DatabricksStep": _SERVICE,
    "Estimator": "PythonScriptStep",
    "EstimatorStep": "PythonScriptStep",
    "HyperDriveConfig": _TRIALS,
    "HyperDriveStep": _TRIALS,
    "HyperDriveStepRun": "run.find_step_run('name')[0]",
    "InputPortDef": "inputs: of module.yaml",
    "KustoCompute": _SERVICE,
    "KustoStep": _SERVICE,
    "LinkFileOutputDatasetConfig": "PipelineData",
    "MpiStep": "CommandStep(command=['mpirun', ...]) on one machine",
    "Model": "an output of the step that trains, kept with `airflow mlpipe pin`",
    "NotebookRunnerStep": "CommandStep(command=['jupyter', 'nbconvert', '--to', 'notebook', '--execute', ...])",
    "OutputPortDef": "outputs: of module.yaml",
    "ParallelRunConfig": "ScriptStep.partial(...).expand(inputs=...) over the parts of the data",
    "ParallelRunStep": "ScriptStep.partial(...).expand(inputs=...) over the parts of the data",
    "PipelineDraft": "a branch of the repository that holds the file",
    "PipelineEndpoint": "the DAG: POST /api/v2/dags/<dag>/dagRuns",
    "PublishedPipeline": "the DAG: POST /api/v2/dags/<dag>/dagRuns",
    "RandomParameterSampling": _TRIALS,
    "RScriptStep": "CommandStep(command=['Rscript', 'script.R', ...])",
    "Schedule": "Pipeline(..., dag_args={'schedule': '@daily'})",
    "ScheduleRecurrence": "Pipeline(..., dag_args={'schedule': '@daily'})",
    "ScriptRunConfig": "a Pipeline of one PythonScriptStep",
    "SqlDataReference": "a step that queries the database, with Airflow's hook of it",
    "SynapseSparkStep": _SERVICE,
    "TabularDataset": "the file itself, read in the script",
    "TrainingOutput": "an output of the step that trains",
}
"""By v1's name."""
