"""Waiting, without a worker slot, until the execution of the same fingerprint has ended: LeaseTrigger.

It only looks; the decision is made again in the worker when the task resumes.  It never fires within the first seconds:
Airflow 3.3 fails a task whose trigger fires before the scheduler has seen that the task was deferred.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlpipe.errors import MLPipeError

LEAST_SECONDS = 5.0


class LeaseTrigger(BaseTrigger):
    """Fires when nobody holds a live lease of the fingerprint any more.

    :param fingerprint: what is waited for. :param owner: who executes it, for people.
    :param seconds: between two looks, and before the first; at least 5.
    """

    def __init__(self, fingerprint: str, owner: str, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fingerprint = fingerprint
        self.owner = owner
        self.seconds = max(seconds, LEAST_SECONDS)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For the triggerer's database."""
        members = {"fingerprint": self.fingerprint, "owner": self.owner, "seconds": self.seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", members

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the lease is gone or has expired."""
        from airflow_mlpipe.hooks.workspace import open_workspace

        workspace = None
        while True:
            await asyncio.sleep(self.seconds)
            try:
                if workspace is None:
                    workspace = await asyncio.to_thread(open_workspace)
                busy = await asyncio.to_thread(workspace.leases.peek, self.fingerprint)
            except MLPipeError as error:
                # The worker will meet the same trouble and has the retries to deal with it.
                self.log.warning("cannot look at the lease, resuming the task: %s", error)
                busy = None
            if busy is None:
                yield TriggerEvent({"fingerprint": self.fingerprint})  # type: ignore[no-untyped-call]
                return
            self.log.info("still waiting for %s", busy.owner)
