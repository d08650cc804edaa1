"""Waiting, without a worker slot, until a program on another compute has ended: ComputeTrigger.

It shows the program's lines as they appear, keeps the lease of its fingerprint, and ends it when somebody marks or
clears the task.  What the end means is decided in the worker, when the task resumes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlpipe.errors import ComputeError, MLPipeError
from airflow_mlpipe.triggers.lease import LEAST_SECONDS

if TYPE_CHECKING:
    from airflow_mlpipe.compute.base import Detachable
    from airflow_mlpipe.hooks.workspace import Stores

_FAILURES = 30
"""Looks in a row that may fail, before the worker is left to say what is wrong."""


class ComputeTrigger(BaseTrigger):
    """Fires when a program has ended.

    :param compute: name of the compute. :param handle: what the program is called there.
    :param fingerprint: whose lease is renewed. :param owner: of the lease, plain members.
    :param seconds: between two looks, and before the first; at least 5. :param since: moment of the last line shown.
    """

    def __init__(
        self, compute: str, handle: str, fingerprint: str, owner: Mapping[str, Any], seconds: float, since: str = ""
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.compute, self.handle, self.fingerprint, self.owner = compute, handle, fingerprint, dict(owner)
        self.seconds = max(seconds, LEAST_SECONDS)
        self.since = since

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """For the triggerer's database."""
        names = ("compute", "handle", "fingerprint", "owner", "seconds", "since")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until it has ended, or until looking fails too often."""
        failures = 0
        stores: Stores | None = None
        while failures < _FAILURES:
            await asyncio.sleep(self.seconds)
            try:
                if stores is None:
                    stores = await asyncio.to_thread(_stores)
                running = await asyncio.to_thread(self._look, stores)
                failures = 0
            except ComputeError as error:
                self.log.warning("%s", error)
                failures, running = failures + 1, True
            except MLPipeError as error:
                self.log.warning("cannot look at the program, resuming the task: %s", error)
                running = False
            if not running:
                break
        yield TriggerEvent({"since": self.since})  # type: ignore[no-untyped-call]

    async def on_kill(self) -> None:
        """Somebody marked or cleared the task: end the program."""
        await asyncio.to_thread(lambda: _compute(self.compute, _stores()).kill(self.handle))

    def _look(self, stores: Stores) -> bool:
        from airflow_mlpipe.model.records import Producer

        stores.workspace.leases.renew(self.fingerprint, Producer.from_json(self.owner))
        polled = _compute(self.compute, stores).poll(self.handle, self.since)
        for line in polled.lines:
            self.log.info("%s", line)
        self.since = polled.since
        return polled.running


def _stores() -> Stores:
    from airflow_mlpipe.hooks.workspace import Stores

    return Stores()


def _compute(name: str, stores: Stores) -> Detachable:
    from airflow_mlpipe.compute.base import Detachable
    from airflow_mlpipe.compute.find import find_compute

    compute = find_compute(name, stores=stores)
    assert isinstance(compute, Detachable)
    return compute
