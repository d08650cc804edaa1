"""The local compute: a process of the machine that the Airflow worker runs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from airflow_mlpipe.compute.base import OnLine, Recheck
from airflow_mlpipe.errors import DefinitionError
from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.engine import Attempt
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage
from airflow_mlpipe.runtime.plan import plan
from airflow_mlpipe.runtime.stores import EngineStores, Host

NAME = "local"


def refuse_image(image: str, *, where: str) -> NoReturn:
    """Say that the local compute has no containers.

    :raises DefinitionError: always.
    """
    raise DefinitionError(
        "the local compute runs processes and no containers, so it cannot use an image",
        where=where,
        given=image,
        fix="choose a compute_target that runs containers, or give Environment(requirements=...) instead of image=",
    )


class LocalCompute:
    """Runs steps as processes beside the worker, which moves their data itself.

    ``Resources(memory=...)`` is a limit: a step that uses more is ended.  ``cpu`` and ``gpu`` are not enforced: which
    and how many the program may use is the worker's affair (pools, ``CUDA_VISIBLE_DEVICES``).
    """

    def __init__(self, stores: EngineStores, host: Host, *, name: str = NAME) -> None:
        self.name = name
        self._stores = stores
        self._host = host
        self._attempt: Attempt | None = None
        self._cancelled = False

    def check(self, spec: StepSpec) -> None:
        """See :meth:`Compute.check`."""
        if spec.environment.image is not None:
            refuse_image(spec.environment.image, where=spec.label)

    def pin(self, image: str, *, where: str) -> PinnedImage:
        """There are no images here.  :raises DefinitionError: always."""
        refuse_image(image, where=where)

    def describe(self, job: Job) -> Mapping[str, Any]:
        """See :meth:`Compute.describe`: the command line, with the paths that a container would see."""
        planned, resources = plan(job), job.step.resources
        limit = {"memory": resources.memory} if resources and resources.memory else {}
        return {"command": list(planned.argv), "limits": limit, "environment": dict(planned.environment)}

    def run(self, job: Job, on_line: OnLine, recheck: Recheck | None = None) -> JobResult:
        """See :meth:`Compute.run`."""
        self.check(job.step)
        self._attempt = Attempt(job, stores=self._stores, host=self._host, on_line=on_line)
        if self._cancelled:
            self._attempt.cancel()
        return self._attempt.run(recheck)

    def cancel(self) -> None:
        """See :meth:`Compute.cancel`."""
        self._cancelled = True
        if self._attempt is not None:
            self._attempt.cancel()
