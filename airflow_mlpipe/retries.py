"""Which failures are worth a retry: a policy for Airflow's ``retry_policy=``.

What fails under a step - an engine that is gone, a store that does not answer - may work the next time.  What the
step's own code does wrong, it does wrong again, at the price of another run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airflow_mlpipe.errors import RetryMeError, StepError, Terminal

if TYPE_CHECKING:
    from airflow.sdk import Context


class RetryInfrastructure(RetryPolicy):
    """Retry what the infrastructure did, fail at once what the program did.

    ``retries=`` of the task still says how often at most.  A program that asks for a retry (exit code 75) gets it.

    :param retry_delay: before a retry; by default the task's.
    """

    def __init__(self, retry_delay: timedelta | None = None) -> None:
        self.retry_delay = retry_delay

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """See :class:`airflow.sdk.definitions.retry_policy.RetryPolicy`."""
        if isinstance(exception, RetryMeError):
            return RetryDecision.retry(self.retry_delay, "the program asks for a retry")
        if isinstance(exception, (StepError, Terminal)):
            return RetryDecision.fail("the step's own failure")
        return RetryDecision.retry(self.retry_delay, f"not the step's failure: {type(exception).__name__}")

    def serialize(self) -> dict[str, Any]:
        """Plain members."""
        return {"retry_delay": self.retry_delay.total_seconds() if self.retry_delay is not None else None}

    @classmethod
    def deserialize(cls, data: Mapping[str, Any]) -> RetryInfrastructure:
        """Read :meth:`serialize` back."""
        seconds = data.get("retry_delay")
        return cls(timedelta(seconds=seconds) if seconds is not None else None)
