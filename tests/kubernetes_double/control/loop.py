"""One thread that lets every controller look at each change."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from kubernetes_double.objects.store import Store

_SECONDS = 0.5  # deadlines are looked at this often where nothing changes


class Controller(Protocol):
    """Something that compares what is with what should be."""

    def sync(self) -> None:
        """Look at everything once."""


class Loop:
    """Runs the controllers.  A controller that fails is asked again; its error is kept for the test to see."""

    def __init__(self, store: Store, controllers: Sequence[Controller]) -> None:
        self._changes = store.listen()
        self._controllers = controllers
        self._stopped = threading.Event()
        self.errors: list[Exception] = []

    def start(self) -> None:
        """In a thread."""
        threading.Thread(target=self._run, name="kubernetes-double-control", daemon=True).start()

    def stop(self) -> None:
        """After the round that runs."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Empty):
                self._changes.get(timeout=_SECONDS)
                while True:
                    self._changes.get_nowait()
            for controller in self._controllers:
                try:
                    controller.sync()
                except Exception as error:  # noqa: BLE001 - an object may go while it is looked at
                    self.errors.append(error)
