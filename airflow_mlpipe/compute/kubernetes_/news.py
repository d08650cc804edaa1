"""See it: what a cluster says of a pod, each thing once, as lines of the task's log."""

from __future__ import annotations

import queue
from collections.abc import Callable

from airflow_mlpipe.compute.kubernetes_ import state
from airflow_mlpipe.compute.kubernetes_.changes import PodEvents
from airflow_mlpipe.compute.kubernetes_.client import Cluster, Object

_SILENT = frozenset({"Created", "Started", "Killing", "SuccessfulMountVolume", "TaintManagerEviction", "Unhealthy"})
"""Reasons of events that say what is to be expected, or what is told better otherwise."""

_LONGEST = 600


class News:
    """Tells events and conditions.

    :ivar queued: the last that was said of why the pod has no node. :ivar pull_error: and of an image.
    """

    def __init__(self, cluster: Cluster, pod: str, on_line: Callable[[str], object]) -> None:
        self._events = PodEvents(cluster, pod)
        self._on_line = on_line
        self._said: set[str] = set()
        self.queued = ""
        self.pull_error = ""

    def start(self) -> None:
        """Begin to listen."""
        self._events.start()

    def close(self) -> None:
        """Tell the rest, and hang up."""
        self._events.close()
        self.tell()

    def tell(self) -> None:
        """What is new."""
        try:
            while True:
                self._event(self._events.events.get_nowait())
        except queue.Empty:
            return

    def look(self, pod: Object) -> None:
        """Why it has no node, also where events may not be read."""
        found = state.condition(pod, "PodScheduled")
        if found.get("status") == "False" and (message := str(found.get("message") or "")):
            self._queued(message)

    def say(self, line: str, key: str | None = None) -> None:
        """A line, once.  :param key: by what it is the same, if not by its text."""
        if (known := key or line) not in self._said:
            self._said.add(known)
            self._on_line(line[:_LONGEST])

    def _event(self, event: Object) -> None:
        reason, message = str(event.get("reason") or ""), " ".join(str(event.get("message") or "").split())
        if reason == "FailedScheduling":
            self._queued(message)
        elif reason not in _SILENT and message:
            if reason in ("Failed", "FailedToPullImage") and "pull" in message:
                self.pull_error = message
            self.say(f"{reason}: {message}")

    def _queued(self, message: str) -> None:
        message = " ".join(message.split())
        self.queued = message
        self.say(f"waiting for a node: {message}")
