"""What Airflow learns of this package: its connection type, config section and commands.

Named by the entry point ``apache_airflow_provider``.  Imported at every start of Airflow, so it imports nothing.
"""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """The provider's description, as ``airflow/provider_info.schema.json`` defines it."""
    return {
        "package-name": "airflow-provider-mlpipe",
        "name": "MLPipe",
        "description": "ML pipelines in Airflow: steps with declared inputs and outputs, reused when nothing changed.",
        "connection-types": [_DATASTORE, _COMPUTE],
        "config": {
            "mlpipe": {"description": "Options of airflow_mlpipe.", "options": _options()},
            "mlpipe_docker": {"description": "Options of its DockerExecutor.", "options": _docker_options()},
        },
        "executors": ["airflow_mlpipe.executors.DockerExecutor"],
        "cli": ["airflow_mlpipe.cli.definition.get_provider_cli_commands"],
        "task-decorators": [{"name": "step", "class-name": "airflow_mlpipe.decorators.step.step_task"}],
    }


def _field(label: str, description: str, kind: str = "string") -> dict[str, Any]:
    return {"label": label, "description": description, "schema": {"type": [kind, "null"]}}


_DATASTORE = {
    "connection-type": "mlpipe_datastore",
    "hook-class-name": "airflow_mlpipe.hooks.datastore.DatastoreHook",
    "hook-name": "MLPipe Datastore",
    "conn-fields": {
        "url": _field("URL", "The root: s3://bucket/prefix, abfs://container/prefix, file:///folder, gs://..."),
        "connection": _field(
            "Connection", "Airflow connection of another provider that holds the credentials (aws, wasb...)"
        ),
        "endpoint_url": _field("Endpoint URL", "Of a store that is not the cloud's own, for example http://minio:9000"),
        "region": _field("Region", "Of an S3 bucket"),
        "account_name": _field("Account name", "Of an Azure storage account; by default the login"),
        "anonymous": _field("Anonymous", "Sign no request", "boolean"),
    },
    "ui-field-behaviour": {
        "hidden-fields": ["host", "port", "schema", "extra"],
        "relabeling": {"login": "Access key / account", "password": "Secret key"},
        "placeholders": {},
    },
}


_COMPUTE = {
    "connection-type": "mlpipe_compute",
    "hook-class-name": "airflow_mlpipe.hooks.computes.ComputeHook",
    "hook-name": "MLPipe Compute",
    "conn-fields": {
        "kind": _field("Kind", "docker or kubernetes"),
        "network": _field("Network", "That containers join"),
        "runtime": _field("Runtime", "Of the engine, for example nvidia"),
        "user": _field("User", "Of containers whose image names none: worker, image, or uid:gid"),
        "read_only": _field("Read-only root", "Whether the image's own files are read-only", "boolean"),
        "pull": _field("Pull", "missing, always or never"),
        "login": _field("Registry login", "Airflow connection of type docker"),
        "tls_ca": _field("CA certificate", "File, for tcp://"),
        "tls_cert": _field("Client certificate", "File, for tcp://"),
        "tls_key": _field("Client key", "File, for tcp://"),
        "kubeconfig": _field("Kubeconfig", "File; by default KUBECONFIG or ~/.kube/config"),
        "context": _field("Context", "Of the kubeconfig"),
        "in_cluster": _field("In cluster", "Use the service account of the worker's own pod", "boolean"),
        "connection": _field("Kubernetes connection", "Airflow connection of type kubernetes, instead of these three"),
        "namespace": _field("Namespace", "Of the pods"),
        "service_account": _field("Service account", "Of the pods"),
        "agent_image": _field("Agent image", "Of the container that stages and publishes"),
        "image_pull_secrets": _field("Image pull secrets", "Names, with commas"),
        "resolve_digest": _field("Resolve tags", "Ask the registry for the digest of a tag", "boolean"),
        "gpu_resource": _field("GPU resource", "nvidia.com/gpu"),
        "gpus": _field("GPUs", 'By model: {"a100": {"node_selector": {"gpu": "a100"}, "memory": "40Gi"}}'),
        "priority_class": _field("Priority class", "Of the pods"),
        "runtime_class": _field("Runtime class", "Of the pods"),
        "queue": _field("Queue", "Of Kueue"),
        "template": _field("Pod template", "JSON or YAML, merged container by container"),
        "volumes": _field("Volumes", 'Datastores that are claims: {"models": "models-claim"}'),
        "labels": _field("Labels", "Of the pods, as JSON"),
        "annotations": _field("Annotations", "Of the pods, as JSON"),
        "queue_seconds": _field("Queue seconds", "How long a pod may wait for a node"),
        "image_seconds": _field("Image seconds", "How long a pod may wait for an image"),
        "publish_seconds": _field("Publish seconds", "How long publishing may take"),
    },
    "ui-field-behaviour": {
        "hidden-fields": ["login", "password", "port", "schema", "extra"],
        "relabeling": {"host": "Engine"},
        "placeholders": {"host": "unix:///var/run/docker.sock"},
    },
}


def _option(
    description: str,
    default: str | None = None,
    *,
    kind: str = "string",
    example: str | None = None,
    sensitive: bool = False,
) -> dict[str, Any]:
    option = {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": example,
        "default": default,
    }
    return {**option, "sensitive": True} if sensitive else option


def _options() -> dict[str, Any]:
    return {
        "workspace": _option(
            "URL of the workspace, where reuse records and outputs are kept. Default: a folder under AIRFLOW_HOME, "
            "which serves one machine; with workers on several, an object store.",
            example="s3://ml/workspace",
        ),
        "workspace_connection": _option(
            "Airflow connection with the credentials of the workspace.", example="aws_default"
        ),
        "datastores": _option(
            "Datastores by name, next to the Airflow connections of type mlpipe_datastore, as JSON.",
            example='{"lake": {"url": "s3://lake/raw", "connection": "aws_default"}}',
        ),
        "computes": _option(
            "Computes by name, next to the Airflow connections of type mlpipe_compute, as JSON.",
            example='{"gpu": {"kind": "docker", "gpus": {"a100": {"devices": ["0", "1"], "memory": "40Gi"}}}}',
        ),
        "cache": _option(
            "Folder of a worker's host for blobs and environments. Default: mlpipe/cache under AIRFLOW_HOME."
        ),
        "scratch": _option("Folder of a worker's host for running attempts, on the file system of the cache."),
        "salt": _option("Part of every fingerprint: change it, and nothing recorded before is reused.", default=""),
        "lease_seconds": _option(
            "How long an execution without a heartbeat keeps others from executing the same.", "60", kind="float"
        ),
        "wait_seconds": _option(
            "How often a waiting step looks whether the other has finished; at least 5.", "10", kind="float"
        ),
        "gc_grace_hours": _option("Garbage collection takes nothing younger.", "24", kind="float"),
        "xcom_fallback": _option(
            "With `[core] xcom_backend = airflow_mlpipe.xcom.XComBackend`: the backend of values that it does not own. "
            "Default: Airflow's own.",
            example="airflow.providers.common.io.xcom.backend.XComObjectStorageBackend",
        ),
        "compute_retries": _option(
            "How often a step is run again, within one try, when its compute failed and not its program.",
            "3",
            kind="integer",
        ),
        "compute_retry_seconds": _option("Seconds before the first of these; doubled each time.", "10", kind="float"),
        "keep_failed": _option("Keep the folder of a failed attempt for a look.", "False", kind="boolean"),
        "allow_pickle": _option(
            "Whether steps may return `Pickle(value)`, and such values are read. Reading a pickle executes whatever it "
            "holds: allow it only if you trust everybody who can write to the workspace.",
            "False",
            kind="boolean",
        ),
        "module_libraries": _option(
            "Datastores with libraries of modules, separated by commas; `workspace` is the workspace itself. Two that "
            "can answer one request are an error.",
            "workspace",
            example="workspace,organisation",
        ),
        "module_refresh_seconds": _option(
            "How long a host believes what it last heard of a library: which versions there are, and which of them are "
            "deprecated or yanked.",
            "300",
            kind="float",
        ),
        "uv": _option("The uv program that builds environments. Default: from PATH, or the Python package uv."),
    }


def _docker_options() -> dict[str, Any]:
    return {
        "host": _option(
            "URL of the engine. Default: DOCKER_HOST, else Docker's usual socket.", example="tcp://gpu-1:2376"
        ),
        "tls_ca_cert": _option("File with the certificate of the CA that signed the engine's."),
        "tls_client_cert": _option("File with the certificate by which the engine knows this client."),
        "tls_client_key": _option("File with its key."),
        "timeout": _option("Seconds that an answer of the engine may take.", "60", kind="float"),
        "deployment": _option(
            "Value of the label by which this deployment knows its containers on an engine that others use, too. "
            "Default: a digest of the database's address and of `[api] base_url`."
        ),
        "api_url": _option(
            "The Execution API as containers reach it. Default: `[core] execution_api_server_url`.",
            example="http://host.docker.internal:8080/execution/",
        ),
        "image": _option("Image of tasks that name none. It has the deployment's Airflow.", example="ml/airflow:7"),
        "pull": _option("When images are pulled: missing, always or never.", "missing"),
        "network": _option("Network of tasks that name none. Default: Docker's bridge.", example="airflow"),
        "allowed_networks": _option("Networks that tasks may name besides, separated by commas."),
        "mounts": _option(
            "Mounts of every container, SOURCE:TARGET (read-only) or SOURCE:TARGET:rw, separated by commas.",
            example="/srv/dags:/opt/airflow/dags:ro",
        ),
        "allowed_mounts": _option(
            "Folders (with all below them) and volumes of the engine's machine that tasks may mount, separated by "
            "commas.",
            example="/srv/datasets,models",
        ),
        "environment": _option(
            "Variables of every container, separated by commas: NAME for the scheduler's value, or NAME=value. "
            "No secrets: they can be inspected.",
            example="AIRFLOW__CORE__DAGS_FOLDER,HF_HOME=/cache",
        ),
        "labels": _option("Labels of every container, name=value, separated by commas."),
        "slots": _option("How many containers run at one time. Default: `[core] parallelism`.", kind="integer"),
        "grace_seconds": _option("How long a cancelled task has to end before it is killed.", "30", kind="float"),
        "orphan_seconds": _option(
            "When ended containers of schedulers that died are removed, after they were first seen.",
            "300",
            kind="float",
        ),
        "keep_failed": _option(
            "Keep containers that ended with an error, for a look; nothing removes them then.", "False", kind="boolean"
        ),
    }
