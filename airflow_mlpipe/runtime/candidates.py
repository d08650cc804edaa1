"""Publish: what an attempt on another machine leaves in the workspace for the worker to take.

A candidate is written last, when all contents are in place, and only if there is none: of two that publish one attempt
the first counts.  It is a result for the worker alone.  The worker decides - the program's exit code, inputs that are
what they were - and makes the record; nobody else ever finds a candidate.  One that no worker takes is garbage when it
is older than the grace time of gc; until then its contents are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow_mlpipe.errors import ComputeError, MLPipeError, ObjectNotFoundError
from airflow_mlpipe.runtime.documents.failure import failure_from_bytes, failure_to_bytes
from airflow_mlpipe.runtime.documents.result import result_from_bytes, result_to_bytes
from airflow_mlpipe.runtime.job import JobResult
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import candidate_key, failure_key


class Candidates:
    """The candidates of a workspace.

    :param store: of the workspace.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    # ---- the agent's side ------------------------------------------------------------------------------------------

    def offer(self, result: JobResult, *, attempt: str, key: str | None = None) -> bool:
        """Write a candidate; ``False`` when there is one already, which counts.

        :param key: where, if not where the attempt's has its place.
        """
        return self._store.create(key or candidate_key(attempt), result_to_bytes(result, attempt=attempt))

    def fail(self, error: BaseException, *, key: str) -> None:
        """Say beside a candidate's place why there is none."""
        self._store.put(failure_key(key), failure_to_bytes(error))

    # ---- the worker's side -----------------------------------------------------------------------------------------

    def read(self, attempt: str) -> JobResult | None:
        """The candidate of an attempt; ``None`` when there is none, and no error either.

        :raises MLPipeError: the error that the attempt ended with. :raises CorruptedError: for something else there.
        """
        key = candidate_key(attempt)
        if (data := self._get(key)) is not None:
            return result_from_bytes(data, attempt=attempt, where=self._store.uri(key))
        if (error := self.error(attempt)) is not None:
            raise error
        return None

    def error(self, attempt: str) -> MLPipeError | None:
        """The error that an attempt ended with, whether or not there is a candidate too."""
        key = failure_key(candidate_key(attempt))
        data = self._get(key)
        return None if data is None else failure_from_bytes(data, where=self._store.uri(key))

    def commit(
        self,
        attempt: str,
        *,
        where: str,
        seconds: float,
        peak_bytes: int | None = None,
        recheck: Callable[[], object] | None = None,
    ) -> JobResult:
        """Take the candidate of an attempt whose program ended with exit code 0.

        It stays until :meth:`forget`, so that a worker that dies before it has made the record loses nothing.

        :param where: the step, for messages. :param seconds, peak_bytes: of the program, as the compute saw it.
        :param recheck: called first; its error is passed through.
        :raises ComputeError: when there is none. :raises MLPipeError: the error that the attempt ended with.
        """
        if recheck is not None:
            recheck()
        result = self.read(attempt)
        if result is None:
            raise ComputeError(
                "the program ended well, and what publishes its outputs ended before it was done",
                reason="lost",
                where=where,
                fix="look into the agent's log; the task's retries run the step again",
            )
        return replace(result, seconds=seconds, peak_bytes=peak_bytes)

    def forget(self, attempt: str) -> None:
        """Remove the candidate of an attempt, and its error."""
        key = candidate_key(attempt)
        self._store.delete([key, failure_key(key)])

    def _get(self, key: str) -> bytes | None:
        try:
            return self._store.get(key)
        except ObjectNotFoundError:
            return None
