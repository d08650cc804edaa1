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
        "config": {"mlpipe": {"description": "Options of airflow_mlpipe.", "options": _options()}},
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
        "kind": _field("Kind", "docker"),
        "network": _field("Network", "That containers join"),
        "runtime": _field("Runtime", "Of the engine, for example nvidia"),
        "user": _field("User", "Of containers whose image names none: worker, image, or uid:gid"),
        "read_only": _field("Read-only root", "Whether the image's own files are read-only", "boolean"),
        "pull": _field("Pull", "missing, always or never"),
        "login": _field("Registry login", "Airflow connection of type docker"),
        "tls_ca": _field("CA certificate", "File, for tcp://"),
        "tls_cert": _field("Client certificate", "File, for tcp://"),
        "tls_key": _field("Client key", "File, for tcp://"),
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
        "uv": _option("The uv program that builds environments. Default: from PATH, or the Python package uv."),
    }
