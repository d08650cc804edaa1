"""What a deployment says of a Kubernetes cluster, checked when it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model.resources import parse_bytes

_USER = re.compile(r"\d+(:\d+)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuNodes:
    """Where a cluster has GPUs of one model.

    :param node_selector: labels of their nodes. :param affinity: a pod's ``affinity``, for what labels cannot say.
    :param tolerations: of these nodes' taints. :param memory: of each GPU, a Kubernetes quantity.
    :param resource: what is asked for, where it is not the cluster's usual one (``nvidia.com/mig-1g.10gb``).
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    memory: str | None = None
    resource: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A datastore that is a volume of the cluster: mounted, and not copied.

    :param claim: the PersistentVolumeClaim, in the pods' namespace. :param sub_path: the datastore's root in it.
    :param read_only: whether steps may only read it.
    """

    claim: str
    sub_path: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesConfig:
    """Pods of a Kubernetes cluster.

    :param kubeconfig: file; by default ``KUBECONFIG`` or ``~/.kube/config``. :param context: in it.
    :param in_cluster: use the service account of the worker's own pod.
    :param connection: an Airflow connection of type ``kubernetes``, instead of these three.
    :param namespace: of the pods; by default the context's.
    :param service_account: of the pods. :param agent_image: of the container that stages and publishes.
    :param image_pull_secrets: names of secrets in the namespace. :param login: Airflow connection of type ``docker``,
        for asking the registry. :param resolve_digest: whether tags are resolved through the registry.
    :param user: of images that name none: ``uid`` or ``uid:gid``; ``image`` for what the image says, root too.
    :param read_only: whether the image's own files are read-only for the program.
    :param gpu_resource: what a GPU is called. :param gpus: by model name.
    :param priority_class, runtime_class: of the pods. :param queue: of Kueue.
    :param template: a pod; ours is laid over it, container by container.
    :param volumes: datastores that are volumes of the cluster, by name; ``workspace`` is the workspace.
    :param labels, annotations: of pods and secrets.
    :param queue_seconds: how long a pod may wait for a node. :param image_seconds: how long for an image.
    :param publish_seconds: how long publishing may take after the program's end.
    """

    kind: ClassVar[str] = "kubernetes"
    kubeconfig: str | None = None
    context: str | None = None
    in_cluster: bool = False
    connection: str | None = None
    namespace: str | None = None
    service_account: str | None = None
    agent_image: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    login: str | None = None
    resolve_digest: bool = True
    user: str | None = None
    read_only: bool = False
    gpu_resource: str = "nvidia.com/gpu"
    gpus: Mapping[str, GpuNodes] = field(default_factory=dict)
    priority_class: str | None = None
    runtime_class: str | None = None
    queue: str | None = None
    template: Mapping[str, Any] = field(default_factory=dict)
    volumes: Mapping[str, Claim] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    queue_seconds: float = 86_400.0
    image_seconds: float = 600.0
    publish_seconds: float = 3_600.0

    @classmethod
    def read_member(cls, name: str, value: Any, where: str) -> Any:
        """The options that are no plain text.  :raises ConfigurationError: for one of another form."""
        if name == "gpus":
            return {k: _gpu_nodes(one, f"{where}.{k}") for k, one in _mapping(value, where).items()}
        if name == "volumes":
            return {k: _claim(one, f"{where}.{k}") for k, one in _mapping(value, where).items()}
        if name == "image_pull_secrets":
            return _names(value, where)
        if name == "template":
            return _template(value, where)
        return _texts(value, where) if name in ("labels", "annotations") else NotImplemented

    def check(self, where: str) -> None:
        """What no single option tells.  :raises ConfigurationError: in words."""
        if self.user is not None and self.user != "image" and not _USER.match(self.user):
            at = f"{where}: user"
            raise ConfigurationError("not a user", where=at, given=self.user, valid="image, or like 1000 or 1000:1000")
        ways = {"connection": self.connection, "in_cluster": self.in_cluster, "kubeconfig": self.kubeconfig}
        if len(given := sorted(name for name, value in ways.items() if value)) > 1:
            raise ConfigurationError("more than one way to the cluster", where=where, given=given, valid="one of them")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    """An object; as JSON text where it comes from a form."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ConfigurationError(f"not JSON ({error})", where=where, given=value) from error
    if not isinstance(value, Mapping):
        raise ConfigurationError("not a JSON object", where=where, given=value)
    return {str(k): v for k, v in value.items()}


def _texts(value: Any, where: str) -> Mapping[str, str]:
    found = _mapping(value, where)
    if wrong := sorted(k for k, v in found.items() if not isinstance(v, str)):
        raise ConfigurationError("not texts by name", where=where, given=wrong, fix="write every value in quotes")
    return found


def _names(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(",")]
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) and name for name in value):
        raise ConfigurationError("not a list of names", where=where, given=value)
    return tuple(value)


def _template(value: Any, where: str) -> Mapping[str, Any]:
    """A pod, as JSON or YAML; only its metadata and its specification count."""
    if isinstance(value, str):
        import yaml

        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigurationError(f"not YAML ({error})", where=where) from error
    found = _mapping(value, where)
    if unknown := sorted(set(found) - {"apiVersion", "kind", "metadata", "spec"}):
        raise ConfigurationError("not a pod", where=where, given=unknown, valid=("metadata", "spec"))
    spec = found.get("spec") or {}
    for kind in ("containers", "initContainers", "volumes"):
        for number, one in enumerate(spec.get(kind) or ()):
            if not isinstance(one, Mapping) or not one.get("name"):
                at = f"{where}: spec.{kind}[{number}]"
                raise ConfigurationError("it has no name, by which it is merged", where=at, given=one)
    return found


def _gpu_nodes(value: Any, where: str) -> GpuNodes:
    given = _of_form(value, {"node_selector", "affinity", "tolerations", "memory", "resource"}, where)
    tolerations = given.get("tolerations") or ()
    if not isinstance(tolerations, (list, tuple)) or not all(isinstance(t, Mapping) for t in tolerations):
        raise ConfigurationError("not a list of tolerations", where=f"{where}.tolerations", given=tolerations)
    if given.get("memory") is not None:
        parse_bytes(given["memory"], where=f"{where}.memory")
    return GpuNodes(
        node_selector=_texts(given.get("node_selector") or {}, f"{where}.node_selector"),
        affinity=_mapping(given.get("affinity") or {}, f"{where}.affinity"),
        tolerations=tuple(tolerations),
        memory=given.get("memory"),
        resource=given.get("resource"),
    )


def _claim(value: Any, where: str) -> Claim:
    given = _of_form({"claim": value} if isinstance(value, str) else value, {"claim", "sub_path", "read_only"}, where)
    if not isinstance(given.get("claim"), str):
        raise ConfigurationError("it names no claim", where=where, given=value, valid='{"claim": "models"}')
    return Claim(claim=given["claim"], sub_path=given.get("sub_path"), read_only=bool(given.get("read_only", False)))


def _of_form(value: Any, known: set[str], where: str) -> Mapping[str, Any]:
    given = _mapping(value, where)
    if unknown := sorted(set(given) - known):
        raise ConfigurationError("unknown option", where=where, given=unknown, valid=sorted(known))
    return given
