"""How a container is made from its specification."""

from __future__ import annotations

import re
from typing import Any

from docker.errors import APIError

from kubernetes_double.kubelet import images
from kubernetes_double.kubelet.engine import Engine
from kubernetes_double.kubelet.environment import expand, variables
from kubernetes_double.kubelet.sandbox import Sandbox
from kubernetes_double.kubelet.tracked import Tracked
from kubernetes_double.kubelet.trouble import Trouble
from kubernetes_double.objects.quantities import quantity, whole
from kubernetes_double.objects.resources import Object
from kubernetes_double.objects.store import Store

_SMALLEST_MEMORY = 6 * 1024 * 1024  # the engine refuses less


def create(engine: Engine, store: Store, sandbox: Sandbox, pod: Object, tracked: Tracked, image: Object) -> str:
    """A container that is ready to be started; its id.

    :raises Trouble: ``CreateContainerConfigError`` or ``CreateContainerError``.
    """
    spec = tracked.spec
    known = variables(store, pod, spec, sandbox.address)
    uid, attempt = pod["metadata"]["uid"], tracked.attempt + 1
    arguments: dict[str, Any] = {
        "image": image["Id"],
        "name": f"kd-{engine.session}-{uid[:13]}-{spec['name']}-{attempt}",
        "environment": known,
        "working_dir": spec.get("workingDir"),
        "tty": spec.get("tty", False),
        "stdin_open": spec.get("stdin", False),
        "network_mode": f"container:{sandbox.id}",
        "ipc_mode": f"container:{sandbox.id}",
        "mounts": sandbox.mounts(spec, attempt),
        **_identity(pod, spec, image),
        **_confinement(spec.get("securityContext") or {}, pod["spec"].get("securityContext") or {}),
        **_limits(spec["resources"]),
    }
    if spec.get("command"):
        arguments["entrypoint"] = [expand(part, known) for part in spec["command"]]
        arguments["command"] = []
    if spec.get("args"):
        arguments["command"] = [expand(part, known) for part in spec["args"]]
    if pod["spec"].get("shareProcessNamespace"):
        arguments["pid_mode"] = f"container:{sandbox.id}"
    labels = {"mlpipe.kubernetes-double.pod": uid, "mlpipe.kubernetes-double.container": spec["name"]}
    try:
        return engine.create(labels, **{key: value for key, value in arguments.items() if value is not None})
    except APIError as error:
        raise Trouble("CreateContainerError", f"Error response from daemon: {error.explanation}") from error


def _identity(pod: Object, spec: dict[str, Any], image: Object) -> dict[str, Any]:
    """Who the container runs as."""
    whole_pod = pod["spec"].get("securityContext") or {}
    context = {**whole_pod, **(spec.get("securityContext") or {})}
    user, group = context.get("runAsUser"), context.get("runAsGroup")
    of_image = str((image.get("Config") or {}).get("User") or "")
    if context.get("runAsNonRoot"):
        _refuse_root(user, of_image.partition(":")[0], spec["name"], pod)
    named = str(user) if user is not None else of_image.partition(":")[0]
    if group is not None:
        named = f"{named or 0}:{group}"
    elif user is None:
        named = of_image
    groups = [*(whole_pod.get("supplementalGroups") or [])]
    if "fsGroup" in whole_pod:
        groups.append(whole_pod["fsGroup"])
    return {"user": named or None, "group_add": [str(each) for each in groups] or None}


def _refuse_root(user: int | None, of_image: str, name: str, pod: Object) -> None:
    metadata = pod["metadata"]
    told = f'(pod: "{metadata["name"]}_{metadata["namespace"]}({metadata["uid"]})", container: {name})'
    if user == 0:
        raise Trouble("CreateContainerConfigError", f"container's runAsUser breaks non-root policy {told}")
    if user is None and of_image in ("", "0", "root"):
        message = f"container has runAsNonRoot and image will run as root {told}"
        raise Trouble("CreateContainerConfigError", message)
    if user is None and not re.fullmatch(r"\d+", of_image):
        message = (
            f"container has runAsNonRoot and image has non-numeric user ({of_image}), cannot verify user is non-root "
            f"{told}"
        )
        raise Trouble("CreateContainerConfigError", message)


def _confinement(context: dict[str, Any], whole_pod: dict[str, Any]) -> dict[str, Any]:
    """What the container may do."""
    options = []
    if context.get("allowPrivilegeEscalation") is False:
        options.append("no-new-privileges:true")
    if (context.get("seccompProfile") or whole_pod.get("seccompProfile") or {}).get("type") == "Unconfined":
        options.append("seccomp=unconfined")
    capabilities = context.get("capabilities") or {}
    return {
        "read_only": context.get("readOnlyRootFilesystem", False),
        "privileged": context.get("privileged", False),
        "cap_add": capabilities.get("add"),
        "cap_drop": capabilities.get("drop"),
        "security_opt": options or None,
    }


def _limits(resources: dict[str, Any]) -> dict[str, Any]:
    """Limits that the kernel enforces."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found: dict[str, Any] = {}
    if "memory" in limits:
        found["mem_limit"] = found["memswap_limit"] = max(whole(limits["memory"]), _SMALLEST_MEMORY)
    if "cpu" in limits:
        found["cpu_period"], found["cpu_quota"] = 100000, max(1000, int(quantity(limits["cpu"]) * 100000))
    if "cpu" in requests:
        found["cpu_shares"] = max(2, int(quantity(requests["cpu"]) * 1024))
    return found


def image(engine: Engine, tracked: Tracked, told: Any) -> Object:
    """The image of a container, pulled if its policy says so.

    :param told: takes reason and message of what happens meanwhile.
    :raises Trouble: if it cannot be had.
    """
    name, policy = tracked.spec["image"], tracked.spec["imagePullPolicy"]
    images.check_name(name)
    found = None if policy == "Always" else images.find(engine.client, name)
    if found is not None:
        told("Pulled", f'Container image "{name}" already present on machine')
        return found
    if policy == "Never":
        message = f'Container image "{name}" is not present with pull policy of Never'
        raise Trouble("ErrImageNeverPull", message)
    told("Pulling", f'Pulling image "{name}"')
    images.pull(engine.client, name)
    found = images.find(engine.client, name)
    if found is None:
        raise Trouble("ErrImagePull", f'image "{name}" is not there after it was pulled')
    told("Pulled", f'Successfully pulled image "{name}"')
    return found
