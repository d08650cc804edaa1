"""What happens when a datastore does not answer: the same operation again, a few times, then a clear error.

Every remote store sends its operations through a :class:`Guard`, which turns the client's exceptions into this
package's: no answer becomes :class:`StoreUnavailableError` after several tries, refused credentials become a
:class:`StoreError` at once, an absent object an :class:`ObjectNotFoundError`.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import tenacity

from airflow_mlpipe.errors import MLPipeError, ObjectNotFoundError, StoreError, StoreUnavailableError

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often an operation is tried.

    :param tries: at most, at least 1.
    :param seconds: no new try begins later than this after the first began.
    :param first: seconds of the first wait; each next one is about twice as long, with jitter.
    :param longest: seconds that one wait is at most.
    """

    tries: int = 5
    seconds: float = 30.0
    first: float = 0.25
    longest: float = 5.0


class Fault(enum.Enum):
    """What a client's exception means."""

    ABSENT = "absent"
    DENIED = "denied"
    UNANSWERED = "unanswered"
    REFUSED = "refused"


Classify = Callable[[BaseException], Fault | None]
"""Tells what an exception means; ``None`` for one that is not the store's."""


class Guard:
    """Runs a store's operations: tries again what may succeed, and translates what does not.

    :param url: of the store, without credentials.
    :param classify: knows the exceptions of the client. :param credentials: where the credentials come from, in words.
    """

    def __init__(self, url: str, classify: Classify, credentials: str, policy: RetryPolicy | None = None) -> None:
        self._url = url
        self._classify = classify
        self._credentials = credentials
        self._policy = policy or RetryPolicy()

    def run(self, operation: str, key: str, step: Callable[[], T], *, writes: bool = False) -> T:
        """Run ``step``, again if the store does not answer.

        :param writes: whether an absent thing can only be the bucket.
        :raises StoreUnavailableError: after the last try. :raises ObjectNotFoundError: :raises StoreError: at once.
        """
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - see _raise
            # What nearly always happens ends here, and pays nothing for what follows.
            if (
                isinstance(error, MLPipeError)
                or self._classify(error) is not Fault.UNANSWERED
                or self._policy.tries < 2
            ):
                self._raise(error, operation, key, 1, writes)
            first = error
        tries = 0

        def again() -> T:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise first
            return step()

        try:
            return self._retrying(operation, key)(again)
        except Exception as error:  # noqa: BLE001 - see _raise
            self._raise(error, operation, key, tries, writes)

    def _retrying(self, operation: str, key: str) -> tenacity.Retrying:
        policy = self._policy
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda e: self._classify(e) is Fault.UNANSWERED),
            stop=tenacity.stop_after_attempt(policy.tries) | tenacity.stop_before_delay(policy.seconds),
            wait=tenacity.wait_exponential_jitter(policy.first, policy.longest, jitter=policy.first),
            before_sleep=lambda state: self._note(operation, key, state),
            reraise=True,
        )

    def once(self, operation: str, key: str, step: Callable[[], T], *, writes: bool = False) -> T:
        """Run ``step``, whose requests the client itself tries again, and translate its errors as :meth:`run` does."""
        try:
            return step()
        except Exception as error:  # noqa: BLE001 - see _raise
            self._raise(error, operation, key, self._policy.tries, writes)

    def _raise(self, error: Exception, operation: str, key: str, tries: int, writes: bool) -> NoReturn:
        """Every client has a zoo of exceptions of its own; those that ``classify`` does not know go on as they are."""
        fault = None if isinstance(error, MLPipeError) else self._classify(error)
        if fault is None:
            raise error
        raise self._translated(fault, operation, key, tries, error, writes) from error

    def _note(self, operation: str, key: str, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        wait = state.next_action.sleep if state.next_action else 0.0
        _log.info("%s: %s of %s: no answer (%s), again in %.1f s", self._url, operation, key, brief(error), wait)

    def _translated(
        self, fault: Fault, operation: str, key: str, tries: int, error: Exception, writes: bool
    ) -> StoreError:
        if fault is Fault.ABSENT and writes:
            return StoreError(
                f"cannot {operation}: there is no such bucket or container",
                where=self._url,
                given=key,
                fix="create it, or correct the URL of the datastore",
            )
        if fault is Fault.ABSENT:
            return ObjectNotFoundError("there is no such object", where=self._url, given=key)
        if fault is Fault.DENIED:
            return StoreError(
                f"access denied to {operation} ({brief(error)})",
                where=self._url,
                given=key,
                fix=f"check the credentials, which come from {self._credentials}, and what they may do",
            )
        if fault is Fault.UNANSWERED:
            return StoreUnavailableError(
                f"no answer to {operation} after {tries} tries ({brief(error)})",
                where=self._url,
                given=key,
                fix="see that the store runs and can be reached from this machine, then run the task again",
            )
        return StoreError(f"the store refused to {operation} ({brief(error)})", where=self._url, given=key)


def brief(error: BaseException | None) -> str:
    """The gist of a client's exception on one line: some print whole responses, request headers included."""
    text = " ".join(str(error).partition("Debug source:")[0].split())
    name = type(error).__name__
    return f"{name}: {text[:400]}" if text else name
