"""One attempt of a step in a cluster: find what an earlier try left, else start; follow; take the result; remove.

Guarantees: the pod that an earlier try of the same task started is followed to its end, or its finished result is
taken, if it does the same; any other that it left is removed.  When :meth:`PodAttempt.run` returned or raised, the pod
is gone and its secret with it - unless the cluster does not answer: then the next try finds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from airflow_mlpipe.compute.kubernetes_ import state
from airflow_mlpipe.compute.kubernetes_.agent import files_of, with_own_uris
from airflow_mlpipe.compute.kubernetes_.client import Cluster, Object
from airflow_mlpipe.compute.kubernetes_.following import Following, Limits
from airflow_mlpipe.compute.kubernetes_.names import PREFIX, name_of, selector_of
from airflow_mlpipe.compute.kubernetes_.spec import pod_of, secret_of
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ComputeError, MLPipeError, ProgramFailedError, StepCancelledError
from airflow_mlpipe.runtime.candidates import Candidates
from airflow_mlpipe.runtime.checkpoints import Checkpoints
from airflow_mlpipe.runtime.function import FunctionError
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.runtime.orders import make_order, put_order
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.runtime.verdict import Ended, check
from airflow_mlpipe.store.layout import order_key

_QUOTA_ROUND = 10.0  # seconds between tries to fit a pod into a quota
_ROUND = 0.5  # seconds between looks whether the step was cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a deployment runs pods.

    :param workspace: a digest, which tells deployments apart that share a namespace.
    """

    cluster: Cluster
    config: KubernetesConfig
    stores: EngineStores
    workspace: str
    allow_pickle: bool = False


class PodAttempt:
    """Executes one job in a pod."""

    def __init__(
        self, job: Job, place: Place, *, on_line: Callable[[str], object], cancelled: Callable[[], bool]
    ) -> None:
        self._job, self._place = job, place
        self._cluster, self._config = place.cluster, place.config
        self._on_line, self._cancelled = on_line, cancelled
        self._where = job.step.label
        self._attempt = job.attempt  # of the pod: another one when it was found
        self._candidates = Candidates(place.stores.contents("").store)
        self._is_owned = True  # whether the secret goes with the pod

    def run(self, recheck: Callable[[], object] | None) -> JobResult:
        """From nothing to a published result.

        :raises StepError: the program's fault. :raises ComputeError: the cluster's.
        """
        pod = self.begin()
        try:
            ended = self._follow(pod)
            result = self._result(ended, recheck)
        except ComputeError as error:
            if error.reason != "api":  # then it could not be removed either, and the next try goes on with it
                self._remove(pod)
            raise
        except BaseException:
            self._remove(pod)
            raise
        self._remove(pod, succeeded=True)
        return result

    def begin(self) -> Object:
        """The pod that an earlier try left and that does the same, else a new one."""
        return self._find() or self._start()

    # ---- before ----------------------------------------------------------------------------------------------------

    def _find(self) -> Object | None:
        """What an earlier try of this task left: if it does the same and did not fail; else it goes."""
        found: Object | None = None
        for pod in self._cluster.list("pod", selector_of(self._job, self._place.workspace)):
            if found is None and self._is_ours(pod):
                found = pod
            elif not state.is_going(pod):
                self._cluster.delete("pod", pod["metadata"]["name"], uid=pod["metadata"]["uid"], grace=0)
        if found is None:
            return None
        annotations = found["metadata"]["annotations"]
        self._attempt = annotations[f"{PREFIX}attempt"]
        if state.terminated(found) is not None or state.phase(found) in state.ENDED:
            doing = "has ended"
        else:
            doing = "still runs" if state.running_since(found) is not None else "still waits"
        number = annotations.get(f"{PREFIX}try", "?")
        self._on_line(f"going on with the pod {found['metadata']['name']} of try {number}, which {doing}")
        return found

    def _is_ours(self, pod: Object) -> bool:
        annotations = pod["metadata"].get("annotations") or {}
        if not self._job.same or annotations.get(f"{PREFIX}same") != self._job.same or state.is_going(pod):
            return False
        if self._job.resumed:  # of the triggerer, which saw that it has ended: also if it failed
            return True
        end = state.terminated(pod)
        if end is None:
            return state.phase(pod) not in state.ENDED
        if end["exitCode"] != 0:
            return False
        return state.phase(pod) == "Running" or self._candidates.read(annotations[f"{PREFIX}attempt"]) is not None

    # ---- start -----------------------------------------------------------------------------------------------------

    def _start(self) -> Object:
        if self._cancelled():
            raise self._cancelled_error()
        job, config, workspace = self._job, self._config, self._place.workspace
        body = pod_of(job, plan(job), config, workspace=workspace)
        files = files_of(job, self._place.stores, config)
        put_order(make_order(job, self._place.stores, allow_pickle=self._place.allow_pickle), self._place.stores)
        secret = self._cluster.create("secret", secret_of(job, config, files, workspace=workspace))
        try:
            pod = self._create(body)
        except BaseException:
            self._cluster.delete("secret", secret["metadata"]["name"])
            raise
        try:
            self._cluster.own(secret["metadata"]["name"], pod)
        except MLPipeError:
            self._is_owned = False
        image = job.image.name if job.image else ""
        self._on_line(f"created the pod {pod['metadata']['name']} of {image} in {self._cluster.namespace}")
        return pod

    def _create(self, body: Any) -> Object:
        """Create the pod, as soon as the namespace's quota lets it in."""
        until, said = time.monotonic() + self._config.queue_seconds, False
        while True:
            try:
                return self._cluster.create("pod", body)
            except ComputeError as error:
                if error.reason != "quota" or time.monotonic() >= until:
                    raise
                if not said:
                    self._on_line(f"waiting for the namespace's quota: {error.what}")
                said = True
            again = time.monotonic() + _QUOTA_ROUND
            while time.monotonic() < again:
                if self._cancelled():
                    raise self._cancelled_error()
                time.sleep(_ROUND)

    def _cancelled_error(self) -> StepCancelledError:
        what = "the step was cancelled before its program started"
        return StepCancelledError(what, where=self._where, exit_code=0)

    # ---- follow, and after -----------------------------------------------------------------------------------------

    def _follow(self, pod: Object) -> Ended:
        job, resources = self._job, self._job.step.resources
        memory = resources.memory_bytes if resources else None
        following = Following(
            self._cluster,
            pod,
            self._config,
            Limits(timeout=job.timeout, grace=job.grace, memory=memory, where=self._where),
            on_line=self._on_line,
            cancelled=self._cancelled,
            agent_error=lambda: self._candidates.error(self._attempt),
            log_since=job.log_since,
        )
        ended = following.run()
        try:
            check(ended, self._where, self._program(), job.timeout, memory)
        except ProgramFailedError as error:
            if job.step.function is not None and isinstance(
                told := self._candidates.error(self._attempt), FunctionError
            ):
                raise told from error
            raise
        return ended

    def _program(self) -> str:
        return plan(self._job).argv[0]

    def _result(self, ended: Ended, recheck: Callable[[], object] | None) -> JobResult:
        result = self._candidates.commit(self._attempt, where=self._where, seconds=ended.seconds, recheck=recheck)
        return replace(result, outputs=with_own_uris(result.outputs, self._place.stores))

    def _remove(self, pod: Object, *, succeeded: bool = False) -> None:
        """Whatever happened: nothing of ours stays in the cluster, and no candidate in the workspace."""
        try:
            self._cluster.delete("pod", pod["metadata"]["name"], uid=pod["metadata"]["uid"], grace=0)
            if not self._is_owned:
                self._cluster.delete("secret", name_of(self._job))
            self._forget(pod, succeeded)
        except MLPipeError as error:
            self._on_line(f"cannot remove what is left of the pod: {error}")

    def _forget(self, pod: Object, succeeded: bool) -> None:
        fingerprint = pod["metadata"]["annotations"][f"{PREFIX}fingerprint"]
        contents = self._place.stores.contents("")
        contents.store.delete([order_key(fingerprint, self._attempt)])
        self._candidates.forget(self._attempt)
        if succeeded:
            Checkpoints(contents, fingerprint).forget()
