"""What can go wrong between this machine and a deployment's REST API."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_mlpipe.errors import MLPipeError, Terminal, Transient
from airflow_mlpipe.experiment.records import RunStatus, StepStatus


class UsageError(MLPipeError, Terminal, ValueError):
    """The request is wrong (unknown DAG, parameter or step, a paused DAG, no credentials); nothing was started."""


class UnknownDagError(UsageError):
    """The deployment has no DAG of that id."""


class ApiError(MLPipeError):
    """The REST API refused a request.

    :ivar status: the HTTP status; 0 when there was no answer.
    """

    def __init__(
        self,
        what: str,
        *,
        status: int = 0,
        where: str | None = None,
        given: object = None,
        valid: Iterable[object] | str | None = None,
        fix: str | None = None,
    ) -> None:
        self.status = status
        super().__init__(what, where=where, given=given, valid=valid, fix=fix)


class AuthenticationError(ApiError, Terminal):
    """The API does not accept the credentials, or they do not permit the request."""


class ApiUnavailableError(ApiError, Transient):
    """The API did not answer after several tries."""


class RunFailedError(MLPipeError):
    """A run ended in another state than success.

    :ivar run: its last status. :ivar steps: those that failed.
    """

    def __init__(self, run: RunStatus, steps: tuple[StepStatus, ...]) -> None:
        self.run = run
        self.steps = steps
        failed = ", ".join(s.name for s in steps) or "no step of its own"
        super().__init__(f"the run ended as {run.state}; failed: {failed}", where=str(run), fix=f"see {run.url}")


class WaitTimeoutError(MLPipeError, Transient):
    """The run had not ended when the time to wait was over.  The run goes on.

    :ivar run: its last status.
    """

    def __init__(self, run: RunStatus, timeout_seconds: float) -> None:
        self.run = run
        super().__init__(
            f"not ended after {timeout_seconds:g} s of waiting (state {run.state}); the run goes on",
            where=str(run),
            fix=f"see {run.url}, or wait again",
        )
