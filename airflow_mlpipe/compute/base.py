"""The port to every kind of compute: what the rest of the package needs of one.

A compute executes one :class:`~airflow_mlpipe.runtime.job.Job` at a time and keeps these promises, whatever it is:

- the program sees the paths, arguments and variables that ``runtime`` documents, and empty output folders;
- a result is returned exactly when every declared output is published; anything else is an error of
  :mod:`airflow_mlpipe.errors`, the program's fault (:class:`StepError`) told apart from the compute's;
- lines reach ``on_line`` as they appear, each once;
- nothing that was started is left when ``run`` returned or raised, and ``cancel`` ends it from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.job import Job, JobResult, PinnedImage

OnLine = Callable[[str], object]
Recheck = Callable[[], object]
"""Raises ``InputChangedError`` when an input is not what its fingerprint says any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A program that nobody follows.

    :param running: whether it still runs. :param lines: those that came since. :param since: the moment of the last.
    """

    running: bool
    lines: tuple[str, ...] = ()
    since: str = ""


class Compute(Protocol):
    """Executes jobs on one target."""

    @property
    def name(self) -> str:
        """As authors write it in ``compute_target=``."""
        ...

    def check(self, spec: StepSpec) -> None:
        """Whether this compute can execute such a step at all; costs nothing.

        :raises DefinitionError: the step asks for what this kind of compute does not have; the message says the fix.
        :raises ConfigurationError: the deployment lacks something.
        """
        ...

    def pin(self, image: str, *, where: str) -> PinnedImage:
        """Resolve an image, once for each task.

        :raises DefinitionError: this compute has no containers. :raises ComputeError: the image cannot be had.
        """
        ...

    def describe(self, job: Job) -> Mapping[str, Any]:
        """What would be asked for, in the words of the engine, as JSON and without secrets; asks nobody."""
        ...

    def run(self, job: Job, on_line: OnLine, recheck: Recheck | None = None) -> JobResult:
        """Stage, run, verify and publish one attempt.

        :param recheck: called after exit code 0 and before anything is published; its error is passed through.
        :raises StepError: the program's fault. :raises MLPipeError: else; ``Transient`` ones may succeed later.
        """
        ...

    def cancel(self) -> None:
        """End the attempt; ``run`` raises ``StepCancelledError``.  From any thread, and from a signal handler."""
        ...


@runtime_checkable
class Detachable(Protocol):
    """What a compute has, too, whose programs go on while nobody follows them: the triggerer waits, and no worker.

    :meth:`Compute.run` of the same job then goes on with what was started.
    """

    def start(self, job: Job, on_line: OnLine) -> str:
        """Stage the job and start its program; what it is called, for the other two.  Errors as :meth:`Compute.run`."""
        ...

    def poll(self, handle: str, since: str) -> Polled:
        """Look at it, and at its lines after a moment.  It blocks.  :raises ComputeError: when that cannot be done."""
        ...

    def kill(self, handle: str) -> None:
        """End it, and remove all that it has.  It blocks."""
        ...
