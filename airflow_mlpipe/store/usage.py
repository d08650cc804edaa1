"""When results were last used, so that gc can tell what nobody wants any more.

The modification time of one empty object per fingerprint, by the store's clock.  Losing one makes a result look as old
as its record, no more.
"""

from __future__ import annotations

import logging

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.store.base import ObjectStore
from airflow_mlpipe.store.layout import usage_key

log = logging.getLogger(__name__)


class Usage:
    """The times of last use in a workspace."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def touch(self, fingerprint: str) -> None:
        """Note that a result is used now.  A store that refuses is logged: a reuse must not fail for bookkeeping."""
        try:
            self._store.put(usage_key(fingerprint), b"")
        except StoreError as error:
            log.warning("The use of %s could not be noted: %s", fingerprint, error)

    def last(self, fingerprint: str) -> float | None:
        """When a result was last used, seconds since the epoch by the store's clock; ``None`` when never noted."""
        info = self._store.head(usage_key(fingerprint))
        return None if info is None else info.modified
