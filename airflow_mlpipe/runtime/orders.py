"""Stage: what a worker gives to another machine, before anything is started there."""

from __future__ import annotations

from airflow_mlpipe.runtime.code import publish_code
from airflow_mlpipe.runtime.documents.order import Order
from airflow_mlpipe.runtime.function import check_pickles
from airflow_mlpipe.runtime.job import Job
from airflow_mlpipe.runtime.stores import EngineStores
from airflow_mlpipe.store.layout import order_key


def make_order(job: Job, stores: EngineStores, *, allow_pickle: bool = False) -> Order:
    """The order of a job; its snapshot is published.

    :raises ConfigurationError: an input is a pickle, and the deployment allows none. :raises StoreError: and its kinds.
    """
    check_pickles(job.step, allowed=allow_pickle)
    code = publish_code(job.snapshot, stores.contents("")) if job.snapshot is not None else None
    return Order.of(job, code=code, allow_pickle=allow_pickle)


def put_order(order: Order, stores: EngineStores) -> str:
    """Write it to the workspace, for a machine that takes no large files; its key.

    As long as it is there, gc keeps the code that it names.

    :raises DefinitionError: when a parameter is not JSON. :raises StoreError: and its kinds.
    """
    key = order_key(order.job.fingerprint, order.job.attempt)
    stores.contents("").store.put(key, order.to_bytes())
    return key
