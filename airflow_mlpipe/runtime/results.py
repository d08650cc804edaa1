"""Publish: from what a program left behind to a :class:`JobResult`, wherever it ran."""

from __future__ import annotations

from collections.abc import Callable

from airflow_mlpipe.runtime.cache import BlobCache
from airflow_mlpipe.runtime.function import read_returned, typed, verify_returned
from airflow_mlpipe.runtime.job import Job, JobResult
from airflow_mlpipe.runtime.layout import Layout, Staged
from airflow_mlpipe.runtime.left import check_left
from airflow_mlpipe.runtime.outcome import read_metrics, read_result
from airflow_mlpipe.runtime.publish import publish, verify
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.store.oserrors import os_errors


def publish_results(
    job: Job,
    layout: Layout,
    staged: Staged,
    stores: EngineStores,
    *,
    cache: BlobCache | None,
    on_line: Callable[[str], object],
    verified: Callable[[], object] = lambda: None,
) -> JobResult:
    """Look at everything, then store the outputs.  How long the program ran is not known here.

    :param cache: that the outputs' files move into; ``None``: they stay. :param verified: called before the first
        output is stored; its error is passed through.
    :raises StepError: what the program left is at fault. :raises StoreError: and its kinds, of the datastores.
    """
    step, where = job.step, job.step.label
    with os_errors(where, "publish the outputs", layout.root):
        check_left(step, layout)
    result = read_result(layout.result, where=where)
    metrics = read_metrics(layout.metrics, on_line)
    with os_errors(where, "publish the outputs", layout.root):
        returned = read_returned(layout, where) if step.function is not None else None
        found = verify(step, staged, on_line) if returned is None else verify_returned(step, staged, returned)
        verified()
        outputs = publish(found, job.fingerprint, stores, cache)
    return JobResult(
        outputs=outputs if returned is None else typed(outputs, returned),
        result=result,
        values={} if returned is None else returned.inline,
        metrics=metrics,
    )
