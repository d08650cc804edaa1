"""Run: what happens to a pod, as it happens, from a watch that is opened again whenever it breaks.

The pod's state and its events are watched in threads of their own, apart from the log, so that a log that cannot be
read holds nothing up.
"""

from __future__ import annotations

import json
import queue
import threading
from typing import Any

from airflow_mlpipe.compute.kubernetes_.client import Cluster, Object, Stream
from airflow_mlpipe.errors import MLPipeError

GONE: Object = {}
"""What is told of a pod that is not there any more."""

Change = Object | MLPipeError

_PAUSE = 1.0  # seconds before a broken watch is opened again


class Watching:
    """Reads one watch in a thread until it is closed."""

    def __init__(self, cluster: Cluster, pod: str, name: str) -> None:
        self._cluster, self._pod = cluster, pod
        self._closed = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Hang up."""
        self._closed.set()
        if (stream := self._stream) is not None:
            stream.end()

    def _run(self) -> None:
        raise NotImplementedError

    def _documents(self, kind: str, field: str, version: str) -> str:
        """Follow one watch to its end; the version of the last object, empty when the watch has to begin anew."""
        try:
            self._stream = self._cluster.watch(kind, field, version)
            if self._closed.is_set():
                return ""
            for line in self._stream:
                document = json.loads(line)
                if document["type"] == "ERROR":
                    return ""
                version = document["object"]["metadata"]["resourceVersion"]
                self._take(document["type"], document["object"])
        except MLPipeError:
            raise
        except Exception:  # noqa: BLE001 - whatever a broken connection raises: the watch is opened again
            return ""
        return version

    def _take(self, kind: str, found: Object) -> None:
        raise NotImplementedError


class PodChanges(Watching):
    """The states of a pod, the newest last.

    :ivar changes: objects, :data:`GONE`, or an error that ends the watch.
    """

    def __init__(self, cluster: Cluster, pod: str) -> None:
        super().__init__(cluster, pod, "mlpipe-kubernetes-pod")
        self.changes: queue.SimpleQueue[Change] = queue.SimpleQueue()

    def _run(self) -> None:
        version = ""
        while not self._closed.is_set():
            try:
                version = self._documents("pod", f"metadata.name={self._pod}", version)
                if not version and not self._closed.wait(_PAUSE):
                    self.changes.put(self._cluster.read("pod", self._pod) or GONE)
            except MLPipeError as error:
                if self._closed.is_set() or not self._survives(error):
                    self.changes.put(error)
                    return

    def _survives(self, error: MLPipeError) -> bool:
        """A cluster that does not answer a watch is asked for the pod, which takes more patience."""
        try:
            self._closed.wait(_PAUSE)
            self.changes.put(self._cluster.read("pod", self._pod) or GONE)
        except MLPipeError:
            return False
        return True

    def _take(self, kind: str, found: Object) -> None:
        if kind != "BOOKMARK":
            self.changes.put(found)
        if kind == "DELETED":
            self.changes.put(GONE)


class PodEvents(Watching):
    """What a cluster says of a pod: its scheduler, its nodes, its queue.  Where it may not be read, nothing is said."""

    def __init__(self, cluster: Cluster, pod: str) -> None:
        super().__init__(cluster, pod, "mlpipe-kubernetes-events")
        self.events: queue.SimpleQueue[Object] = queue.SimpleQueue()

    def _run(self) -> None:
        version = ""
        while not self._closed.is_set():
            try:
                version = self._documents("event", f"involvedObject.name={self._pod}", version)
            except MLPipeError:
                return
            if not version:
                self._closed.wait(_PAUSE)

    def _take(self, kind: str, found: Any) -> None:
        if kind in ("ADDED", "MODIFIED"):
            self.events.put(found)
