"""A lease that is held: a heartbeat while the step runs, and a release at its end."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from airflow_mlpipe.errors import StoreError
from airflow_mlpipe.model.records import Producer
from airflow_mlpipe.store.base import ObjectStore

log = logging.getLogger(__name__)


class Lease:
    """The right to execute a fingerprint, as long as the heartbeat is renewed.

    A context manager: a daemon thread renews it from entering to leaving.  A renewal that fails is logged and tried
    again; it never ends the step, because a lease that runs out costs a second execution and no more.

    :param folder: prefix of the leases of the fingerprint. :param number: of this one.
    :param lease_seconds: how long after the last heartbeat it runs out; it is renewed three times as often.
    """

    def __init__(self, store: ObjectStore, folder: str, number: int, owner: Producer, *, lease_seconds: float) -> None:
        self.owner = owner
        self._store = store
        self._folder = folder
        self._number = number
        self._period = lease_seconds / 3
        self._lost = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def without_effect(cls, store: ObjectStore, owner: Producer) -> Lease:
        """The lease of a store that has none: nothing is renewed and nothing released."""
        return cls(store, "", 0, owner, lease_seconds=0.0)

    @property
    def effective(self) -> bool:
        """Whether it keeps others from executing the same."""
        return self._number > 0

    @property
    def lost(self) -> bool:
        """Whether somebody else was seen to have taken it over: then this execution is likely a second one."""
        return self._lost

    def __enter__(self) -> Lease:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def start(self) -> None:
        """Begin to renew it in the background.  Once is enough."""
        if self.effective and self._thread is None and not self._stop.is_set():
            self._thread = threading.Thread(target=self._renew, name="mlpipe-lease", daemon=True)
            self._thread.start()

    def beat(self) -> bool:
        """Renew it once, unless it is lost; ``False`` when it is, or when the store refused (which is logged)."""
        try:
            keys = {info.key for info in self._store.list(self._folder)}
            if self._key not in keys:
                self._lose()
                return False
            self._store.put(f"{self._key}.beat", b"")
        except StoreError as error:
            log.warning("The lease of %s could not be renewed: %s", self.owner, error)
            return False
        return True

    def release(self) -> None:
        """Let others execute it (they will look for the record first).  Best effort: else it runs out by itself."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None
        if not self.effective or self._lost:
            return
        try:
            # The lease before its heartbeat: a heartbeat alone holds nothing.
            self._store.delete([self._key])
            self._store.delete([f"{self._key}.beat"])
        except StoreError as error:
            log.warning("The lease of %s could not be released and will run out: %s", self.owner, error)
        self._number = 0

    def leave(self) -> None:
        """Stop to renew it, and keep it: somebody else renews it from now on (:meth:`Leases.renew`)."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None
        self.beat()
        self._number = 0

    @property
    def _key(self) -> str:
        return f"{self._folder}/{self._number}"

    def _lose(self) -> None:
        self._lost = True
        log.warning("The lease of %s was taken over: it had not been renewed in time.", self.owner)

    def _renew(self) -> None:
        while not self._stop.wait(self._period) and not self._lost:
            self.beat()
