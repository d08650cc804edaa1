"""Watches: the changes after a version, as lines of JSON."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

from kubernetes_double.api.call import Call, Stream
from kubernetes_double.api.status import ApiError
from kubernetes_double.objects.resources import Object, Resource
from kubernetes_double.objects.selectors import Matches
from kubernetes_double.objects.store import Change, Store

_LOOK = 0.5
_LONGEST = 1800
_BOOKMARK_SECONDS = 60


class Bookmarks:
    """How a test asks all watches for a bookmark now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked = 0

    def ask(self) -> None:
        """Let each watch that takes bookmarks send one."""
        with self._lock:
            self.asked += 1


def watch(
    store: Store, bookmarks: Bookmarks, resource: Resource, namespace: str, call: Call, matches: Matches
) -> Stream:
    """The changes of a kind that the selectors let through."""
    told = call.query.get("resourceVersion", "")
    if told in ("", "0"):
        initial, version = store.snapshot(resource, namespace)
        first = [obj for obj in initial if matches(obj)]
    else:
        first, version = [], int(told)
    seconds = min(float(call.query.get("timeoutSeconds") or _LONGEST), _LONGEST)
    marks = bookmarks if call.flag("allowWatchBookmarks") else None

    def concerns(change: Change) -> bool:
        return change.key.resource is resource and namespace in ("", change.key.namespace)

    pieces = _lines(store, marks, resource, first, version, seconds, concerns, matches)
    return Stream("watch", "application/json;stream=watch", pieces)


def _lines(
    store: Store,
    bookmarks: Bookmarks | None,
    resource: Resource,
    first: list[Object],
    version: int,
    seconds: float,
    concerns: Callable[[Change], bool],
    matches: Matches,
) -> Iterator[bytes]:
    end = time.monotonic() + seconds
    marked, asked = time.monotonic(), bookmarks.asked if bookmarks else 0
    yield b"".join(_line("ADDED", obj) for obj in first)
    while time.monotonic() < end:
        try:
            changes = store.after(version, max(0.0, min(_LOOK, end - time.monotonic())))
        except ApiError as error:
            yield _line("ERROR", error.document())
            return
        for change in changes:
            version = change.version
            if concerns(change) and (event := _event(change, matches)):
                yield event
        if bookmarks and (bookmarks.asked != asked or time.monotonic() - marked > _BOOKMARK_SECONDS):
            asked, marked = bookmarks.asked, time.monotonic()
            yield _bookmark(resource, version)
        yield b""


def _event(change: Change, matches: Matches) -> bytes:
    """What the change is to one that sees only what the selectors let through."""
    before = change.old is not None and matches(change.old)
    after = change.type != "DELETED" and matches(change.new)
    if before and after:
        return _line("MODIFIED", change.new)
    if after:
        return _line("ADDED", change.new)
    return _line("DELETED", change.new) if before else b""


def _bookmark(resource: Resource, version: int) -> bytes:
    obj = {
        "kind": resource.kind,
        "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
    }
    return _line("BOOKMARK", obj)


def _line(kind: str, obj: Object) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"
