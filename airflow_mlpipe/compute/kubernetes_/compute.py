"""The Kubernetes compute: a pod runs the program, an agent in it moves the data, the worker decides what counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.base import OnLine, Polled, Recheck
from airflow_mlpipe.compute.config import refuse_no_image
from airflow_mlpipe.compute.kubernetes_.attempt import Place, PodAttempt
from airflow_mlpipe.compute.kubernetes_.client import Cluster, open_cluster
from airflow_mlpipe.compute.kubernetes_.gpus import gpu_demand
from airflow_mlpipe.compute.kubernetes_.names import workspace_label
from airflow_mlpipe.compute.kubernetes_.polling import poll_pod
from airflow_mlpipe.compute.kubernetes_.spec import pod_of
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ConfigurationError
from airflow_mlpipe.model.resources import Gpu
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.stores import EngineStores, Host

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Client = Callable[[], "tuple[ApiClient, str | None]"]
"""A client of a cluster, and the namespace that comes with it."""


class KubernetesCompute:
    """Runs steps in pods.

    :param workspace: URL of the workspace, which tells deployments apart that share a namespace.
    :param login: user and password for the registry of a connection; called when an image is resolved.
    :param client: of the connection that the compute names, instead of a kubeconfig.
    """

    def __init__(
        self,
        name: str,
        config: KubernetesConfig,
        stores: EngineStores,
        host: Host,
        *,
        workspace: str,
        login: Callable[[], dict[str, str] | None] = lambda: None,
        client: Client | None = None,
    ) -> None:
        self._name, self._config = name, config
        self._stores, self._host = stores, host
        self._workspace = workspace_label(workspace)
        self._login, self._client = login, client
        self._cancelled = False

    @property
    def name(self) -> str:
        """See :attr:`Compute.name`."""
        return self._name

    @property
    def _where(self) -> str:
        return f"compute {self._name!r}"

    @cached_property
    def cluster(self) -> Cluster:
        """The namespace that its pods are in."""
        if self._client is not None:
            api, namespace = self._client()
            return Cluster(api, self._config.namespace or namespace or "default", where=self._where)
        api, own = open_cluster(self._config, where=self._where)
        return Cluster(api, own, where=self._where)

    def check(self, spec: StepSpec) -> None:
        """See :meth:`Compute.check`."""
        if spec.environment.image is None:
            refuse_no_image(self._name, where=spec.label)
        if not self._config.agent_image:
            raise ConfigurationError(
                "the compute does not name the image of the agent, which moves the data",
                where=f"{self._where}: agent_image",
                fix="build it from the project's Dockerfile.agent, push it, and give its name",
            )
        if spec.resources and isinstance(gpu := spec.resources.gpu, Gpu):
            gpu_demand(gpu, self._config, where=spec.label)

    def pin(self, image: str, *, where: str) -> PinnedImage:
        """See :meth:`Compute.pin`."""
        from airflow_mlpipe.compute.kubernetes_.images import pin_image

        cache = self._host.cache.absolute() / "images"
        return pin_image(image, self._config, where=where, login=self._login, secret=self._pull_secret, cache=cache)

    def _pull_secret(self, name: str) -> dict[str, Any] | None:
        return self.cluster.read("secret", name)

    def describe(self, job: Job) -> Mapping[str, Any]:
        """See :meth:`Compute.describe`: the pod."""
        self.check(job.step)
        return pod_of(job, plan(job), self._config, workspace=self._workspace)

    def run(self, job: Job, on_line: OnLine, recheck: Recheck | None = None) -> JobResult:
        """See :meth:`Compute.run`."""
        return self._attempt_of(job, on_line).run(recheck)

    def start(self, job: Job, on_line: OnLine) -> str:
        """See :meth:`Detachable.start`.  What an earlier try left of this task, and does the same, is gone on with."""
        return str(self._attempt_of(job, on_line).begin()["metadata"]["name"])

    def poll(self, handle: str, since: str) -> Polled:
        """See :meth:`Detachable.poll`."""
        return poll_pod(self.cluster, handle, since, self._config, where=self._where)

    def kill(self, handle: str) -> None:
        """See :meth:`Detachable.kill`.  Its secret goes with it, what it wrote to the workspace with gc."""
        self.cluster.delete("pod", handle, grace=0)

    def _attempt_of(self, job: Job, on_line: OnLine) -> PodAttempt:
        self.check(job.step)
        place = Place(
            cluster=self.cluster,
            config=self._config,
            stores=self._stores,
            workspace=self._workspace,
            allow_pickle=self._host.allow_pickle,
        )
        return PodAttempt(job, place, on_line=on_line, cancelled=lambda: self._cancelled)

    def cancel(self) -> None:
        """See :meth:`Compute.cancel`."""
        self._cancelled = True  # the loop looks at it: a signal handler must not talk to a cluster
