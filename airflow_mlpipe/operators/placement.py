"""Where Airflow runs a step's task: what a compute of kind ``airflow`` says becomes arguments of the operator.

Airflow places a task by its DAG, so this is done while the DAG file is parsed, and reads ``[mlpipe] computes`` and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.model.resources import Gpu, Resources

_ELSEWHERE = frozenset({"local", "docker", "kubernetes"})


def placed(target: object, resources: object, given: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Arguments of Airflow's BaseOperator that the compute adds; what the author gave stays.

    :param target: ``compute_target``. :param given: the arguments that there are.
    :raises ConfigurationError: for a compute that is described wrongly.
    :raises DefinitionError: when it does not have such GPUs.
    """
    if not isinstance(target, str) or target in _ELSEWHERE:
        return {}
    from airflow_mlpipe.hooks.settings import configured_computes

    described = configured_computes().get(target)
    if described is None or described.get("kind") != "airflow":
        return {}
    from airflow_mlpipe.compute.airflow import AirflowConfig
    from airflow_mlpipe.compute.config import parse_compute

    config = parse_compute(described, where=f"[mlpipe] computes: {target}")
    assert isinstance(config, AirflowConfig)
    wanted = resources if isinstance(resources, Resources) else Resources()
    found = {name: getattr(config, name) for name in ("executor", "queue", "pool") if getattr(config, name) is not None}
    if config.pool is not None and isinstance(wanted.gpu, Gpu):
        found["pool_slots"] = wanted.gpu.count
    if "executor_config" not in given and (form := _executor_config(config, wanted, where)):
        found["executor_config"] = form
    return {name: value for name, value in found.items() if name not in given}


def _executor_config(config: Any, resources: Resources, where: str) -> dict[str, Any]:
    if resources == Resources() or config.form == "nothing":
        return {}
    if config.form == "docker":
        from airflow_mlpipe.executors import DockerConfig

        gpus = resources.gpu.count if isinstance(resources.gpu, Gpu) else None
        asked = DockerConfig(cpus=resources.cpu, memory=resources.memory, gpus=gpus, shm=resources.shm)
        return asked.executor_config()
    from airflow_mlpipe.compute.airflow import pod_override

    return {"pod_override": _pod(pod_override(config, resources, where=where))}


def _pod(document: Mapping[str, Any]) -> Any:
    """The object that Airflow's KubernetesExecutor wants.  Its client takes a second to import, once a process."""
    import json
    from types import SimpleNamespace

    from kubernetes.client import ApiClient

    return ApiClient().deserialize(SimpleNamespace(data=json.dumps(document)), "V1Pod")
