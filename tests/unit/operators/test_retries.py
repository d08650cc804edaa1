"""Which failures are tried again, by whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from airflow_mlpipe import RetryInfrastructure
from airflow_mlpipe.errors import (
    ComputeError,
    ConfigurationError,
    OutOfMemoryError,
    ProgramFailedError,
    RetryMeError,
    StepCancelledError,
    StoreUnavailableError,
)
from airflow_mlpipe.operators.again import Patience

GONE = ComputeError("the engine is gone", reason="engine")


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (GONE, RetryAction.RETRY),
        (StoreUnavailableError("no answer"), RetryAction.RETRY),
        (OSError("disk"), RetryAction.RETRY),
        (RetryMeError("75", exit_code=75), RetryAction.RETRY),
        (ProgramFailedError("exit code 1", exit_code=1), RetryAction.FAIL),
        (OutOfMemoryError("too much", exit_code=-9), RetryAction.FAIL),
        (ConfigurationError("no such compute"), RetryAction.FAIL),
    ],
)
def test_the_policy_retries_what_the_infrastructure_did(error: Exception, action: RetryAction) -> None:
    """And fails at once what the program did."""
    assert RetryInfrastructure().evaluate(error, 1, 3).action is action


def test_the_policy_keeps_its_delay_when_it_is_serialised() -> None:
    """It is a member of a task."""
    policy = RetryInfrastructure.deserialize(RetryInfrastructure(timedelta(minutes=5)).serialize())
    assert policy.evaluate(GONE, 1, 3).retry_delay == timedelta(minutes=5)


def test_what_a_compute_failed_is_done_again_and_then_given_up() -> None:
    """So often as is said, each time with a line."""
    lines: list[str] = []
    calls: list[int] = []

    def fails(number: int) -> str:
        calls.append(number)
        if number < 2:
            raise GONE
        return "done"

    assert Patience(retries=2, delay=0.0, say=lines.append).call(fails, where="step") == "done"
    assert calls == [0, 1, 2]
    assert [line.rpartition("(")[2] for line in lines] == ["1 of 2, within this try)", "2 of 2, within this try)"]
    with pytest.raises(ComputeError):
        Patience(retries=1, delay=0.0, say=lines.append).call(fails, where="step")


def test_other_errors_are_passed_on_and_a_cancelled_step_does_not_wait() -> None:
    """The author's retries, and Airflow's kill, are not ours to decide on."""

    def fails(number: int) -> None:
        raise ProgramFailedError("exit code 1", exit_code=1)

    patience = Patience(retries=5, delay=3600.0, say=lambda _: None)
    with pytest.raises(ProgramFailedError):
        patience.call(fails, where="step")
    asked = iter([False, True])

    def gone(number: int) -> None:
        raise GONE

    with pytest.raises(StepCancelledError):
        patience.call(gone, where="step", cancelled=lambda: next(asked))
