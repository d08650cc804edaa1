"""The job controller: makes the pods of a job, counts how they end, and ends the job."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from typing import Any

from kubernetes_double.api.status import ApiError
from kubernetes_double.control.tracking import FINALIZER, INDEX, Count, index_of, is_ended, release
from kubernetes_double.kubelet.status import condition
from kubernetes_double.objects import clock, deletion
from kubernetes_double.objects.admission import Admission, suffix
from kubernetes_double.objects.events import Recorder
from kubernetes_double.objects.resources import JOBS, PODS, Object
from kubernetes_double.objects.store import Store, key_of

_OVER = ("Complete", "Failed")


class Jobs:
    """Brings each job nearer to its end."""

    def __init__(self, store: Store, admission: Admission) -> None:
        self._store, self._admission = store, admission
        self._events = Recorder(store, "job-controller")
        self._counts: dict[str, Count] = {}

    def sync(self) -> None:
        """All jobs, and the pods of those that are no more."""
        staying = [job for job in self._store.all(JOBS) if "deletionTimestamp" not in job["metadata"]]
        jobs = {job["metadata"]["uid"]: job for job in staying}
        for pod in self._store.all(PODS):
            owners = {owner["uid"] for owner in pod["metadata"].get("ownerReferences") or []}
            if not owners & jobs.keys():
                release(self._store, pod)
        for job in jobs.values():
            if "selector" in job["spec"]:
                self._sync(job)

    def _sync(self, job: Object) -> None:
        pods = [pod for pod in self._store.all(PODS, job["metadata"]["namespace"]) if _belongs(pod, job)]
        count = self._counts.setdefault(job["metadata"]["uid"], Count())
        for pod in pods:
            if is_ended(pod):
                count.add(pod)
                release(self._store, pod)
        if is_over(job):
            self._expire(job)
            return
        active = [pod for pod in pods if not is_ended(pod) and "deletionTimestamp" not in pod["metadata"]]
        verdict = self._verdict(job, count, sum(_restarts(pod) for pod in active))
        if verdict is not None or job["spec"]["suspend"]:
            for pod in active:
                self._delete(pod)
            active = []
        elif not any("deletionTimestamp" in pod["metadata"] and not is_ended(pod) for pod in pods):
            active += self._fill(job, active, count)
        self._tell(job, len(active), count, verdict)

    def _verdict(self, job: Object, count: Count, restarts: int) -> tuple[str, str, str] | None:
        """Condition, reason, message, if the job is over."""
        spec = job["spec"]
        if len(count.succeeded) >= spec["completions"]:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        if len(count.failed) + restarts > spec["backoffLimit"]:
            return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        limit, began = spec.get("activeDeadlineSeconds"), job["status"].get("startTime")
        if limit is not None and began is not None and _seconds_since(began) >= limit:
            return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _fill(self, job: Object, active: list[Object], count: Count) -> list[Object]:
        spec = job["spec"]
        wanted = min(spec["parallelism"], spec["completions"] - len(count.succeeded)) - len(active)
        taken = count.done | {index_of(pod) for pod in active}
        free = [index for index in range(spec["completions"]) if index not in taken]
        made = []
        for number in range(max(0, wanted)):
            index = free[number] if spec["completionMode"] == "Indexed" else None
            if (pod := self._make(job, index)) is not None:
                made.append(pod)
        return made

    def _make(self, job: Object, index: int | None) -> Object | None:
        metadata = job["metadata"]
        pod: Object = copy.deepcopy(job["spec"]["template"])
        own = pod.setdefault("metadata", {})
        middle = "" if index is None else f"-{index}"
        own["name"] = f"{metadata['name'][:50]}{middle}-{suffix()}"
        own["finalizers"] = [FINALIZER]
        own["ownerReferences"] = [
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        if index is not None:
            own.setdefault("annotations", {})[INDEX] = str(index)
            own.setdefault("labels", {})[INDEX] = str(index)
            for container in pod["spec"]["containers"]:
                container.setdefault("env", []).append({"name": "JOB_COMPLETION_INDEX", "value": str(index)})
        try:
            made = self._store.create(PODS, self._admission.create(PODS, metadata["namespace"], pod))
        except ApiError as error:
            self._events.warning(job, "FailedCreate", f"Error creating: {error.message}")
            return None
        self._events.normal(job, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return made

    def _expire(self, job: Object) -> None:
        limit = job["spec"].get("ttlSecondsAfterFinished")
        ended = next(each for each in job["status"]["conditions"] if each["type"] in _OVER)
        if limit is not None and _seconds_since(ended["lastTransitionTime"]) >= limit:
            deletion.delete(self._store, key_of(JOBS, job), {"propagationPolicy": "Background"})

    def _delete(self, pod: Object) -> None:
        if "deletionTimestamp" not in pod["metadata"]:
            deletion.delete(self._store, key_of(PODS, pod), {})

    def _tell(self, job: Object, active: int, count: Count, verdict: tuple[str, str, str] | None) -> None:
        def change(job: Object) -> None:
            status: dict[str, Any] = job["status"]
            status.setdefault("startTime", clock.now())
            counts = {"active": active, "succeeded": len(count.succeeded), "failed": len(count.failed)}
            for name, number in counts.items():
                status.pop(name, None)
                if number:
                    status[name] = number
            if verdict is None:
                return
            kind, reason, message = verdict
            before = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
            condition(status, before, True, reason, message)
            condition(status, kind, True, reason, message)
            if kind == "Complete":
                status["completionTime"] = clock.now()

        try:
            changed = self._store.update(key_of(JOBS, job), change)
        except ApiError:
            return  # it is gone
        if verdict is not None:
            kind, reason, message = verdict
            if kind == "Complete":
                self._events.normal(changed, "Completed", "Job completed")
            else:
                self._events.warning(changed, reason, message)


def is_over(job: Object) -> bool:
    """Whether the job has ended, well or not."""
    conditions = job["status"].get("conditions") or []
    return any(each["type"] in _OVER and each["status"] == "True" for each in conditions)


def _belongs(pod: Object, job: Object) -> bool:
    owners = pod["metadata"].get("ownerReferences") or []
    return any(owner["uid"] == job["metadata"]["uid"] and owner.get("controller") for owner in owners)


def _restarts(pod: Object) -> int:
    if pod["spec"]["restartPolicy"] != "OnFailure":
        return 0
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses") or [])


def _seconds_since(time: str) -> float:
    return (datetime.now(timezone.utc) - clock.read(time)).total_seconds()
