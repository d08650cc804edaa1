"""The containers that one scheduler follows, off the scheduler's own thread: launch, look, stop, clean up.

Nothing here knows Airflow, and no call but :meth:`Fleet.find` waits for the engine: an engine that hangs does not stop
the scheduler.  What happened is told by :meth:`Fleet.poll`.

The order of an end: the state is read, the end is told, the output is kept in the task's log, the container is removed.
A scheduler that dies in between leaves a container that its successor finds by its labels, as ended or still running.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from airflow_mlpipe.errors import MLPipeError
from airflow_mlpipe.executors.engine import Engine
from airflow_mlpipe.executors.logs import TaskLogs
from airflow_mlpipe.executors.options import Options
from airflow_mlpipe.executors.seen import Seen
from airflow_mlpipe.executors.words import end_in_words

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_THREADS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A container to launch.

    :param document: what :func:`spec.container_document` made. :param workload: the JSON with the task's token.
    """

    name: str
    document: Mapping[str, Any]
    workload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a key's container.

    :param container: its id; empty when there never was one.
    :param ended: whether it is over. :param failure: why that is a failure, in words; ``None`` for exit code 0.
    """

    key: Hashable
    container: str
    ended: bool = False
    failure: str | None = None


@dataclass(slots=True, kw_only=True)
class _Followed:
    """A container that is to be launched, or was.

    :param silent: nothing is told of it any more: it was cancelled, or another one runs for its key.
    :param cancelled: it is to be stopped. :param stopping: it was asked to end.
    """

    key: Hashable
    task_instance: str
    launch: Future[str] | None = None
    container: str = ""
    silent: bool = False
    cancelled: bool = False
    stopping: bool = False


class Fleet:
    """The containers of one scheduler.

    :param logs: where their output is kept.
    """

    def __init__(self, options: Options, logs: TaskLogs) -> None:
        self._options = options
        self._logs = logs
        self._engine = Engine(options)
        self._followed: list[_Followed] = []
        self._work = ThreadPoolExecutor(_THREADS, thread_name_prefix="mlpipe-docker")
        # Of its own, so that slow pulls and stops do not keep the looks waiting.
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="mlpipe-docker-look")
        self._look: tuple[Future[tuple[Seen, ...]], frozenset[str]] | None = None
        self._looked = float("-inf")
        # What a look leaves out: what is being removed, and what is kept for a person and needs no second look.
        self._cleaning: set[str] = set()
        self._kept: set[str] = set()
        self._orphans: dict[str, float] = {}
        self._is_down = False

    def launch(self, key: Hashable, task_instance: str, log_path: str, make: Callable[[], Order]) -> None:
        """Launch a container.

        :param task_instance: its UUID. :param log_path: where a failure is told to the task's reader.
        :param make: is called in a thread of the fleet; what it raises ends the key as a failed launch would.
        """
        for older in self._of(key):
            # The key was deferred, and is here again before its first container was seen to have ended: to tell that
            # end now would be taken for the end of the second.
            older.silent = True
        launch = self._work.submit(self._launch, make, log_path)
        self._followed.append(_Followed(key=key, task_instance=task_instance, launch=launch))

    def follow(self, key: Hashable, seen: Seen) -> None:
        """Follow a container that another scheduler launched."""
        self._followed.append(_Followed(key=key, task_instance=seen.task_instance, container=seen.id))

    def find(self, task_instances: Collection[str]) -> dict[str, Seen]:
        """The containers of these task instances, by their UUIDs; waits for the engine.

        Of several containers of one, the one that has not ended: the others ran it up to a deferral.

        :raises ContainerEngineError: when the engine does not answer.
        """
        found: dict[str, Seen] = {}
        for seen in self._engine.look():
            if seen.task_instance in task_instances and seen.state != "created":
                known = found.get(seen.task_instance)
                if known is None or (known.has_ended and not seen.has_ended):
                    found[seen.task_instance] = seen
        return found

    def output(self, task_instance: str) -> tuple[str, str] | None:
        """The id of a task instance's container, and what it printed so far; waits for the engine."""
        seen = self.find([task_instance]).get(task_instance)
        if seen is None or self._logs.size(seen.log_path) > seen.log_size:
            return None
        return seen.id, b"".join(self._engine.output(seen.id)).decode(errors="replace")

    def cancel(self, key: Hashable) -> None:
        """End a key's containers, with grace; nothing is told of them any more."""
        for followed in self._of(key):
            followed.silent = followed.cancelled = True
            self._stop(followed)

    def keys(self) -> set[Hashable]:
        """The keys whose ends are still to be told."""
        return {followed.key for followed in self._followed if not followed.silent}

    def poll(self) -> list[Event]:
        """What happened since the last call.  Does not wait."""
        events = [*self._launched(), *self._seen()]
        if self._look is None and time.monotonic() - self._looked >= _LOOK_SECONDS:
            known = frozenset(followed.container for followed in self._followed if followed.container)
            self._look = self._looks.submit(self._engine.look, frozenset(self._cleaning | self._kept)), known
        return events

    def close(self) -> None:
        """Let go: what is being launched is finished, what waits to be is not, and what runs goes on."""
        self._work.shutdown(wait=True, cancel_futures=True)
        self._looks.shutdown(wait=True, cancel_futures=True)
        self._engine.close()

    # ------------------------------------------------------------------------------------------- on the caller's thread

    def _of(self, key: Hashable) -> list[_Followed]:
        return [followed for followed in self._followed if followed.key == key]

    def _stop(self, followed: _Followed) -> None:
        if followed.container and not followed.stopping:
            followed.stopping = True
            self._do(self._engine.stop, followed.container)

    def _launched(self) -> list[Event]:
        events = []
        for followed in [one for one in self._followed if one.launch is not None and one.launch.done()]:
            launch, followed.launch = followed.launch, None
            if launch is None or (error := launch.exception()) is not None:
                self._followed.remove(followed)
                if not followed.silent:
                    events.append(Event(key=followed.key, container="", ended=True, failure=str(error)))
                continue
            followed.container = launch.result()
            if followed.cancelled:
                self._stop(followed)
            elif not followed.silent:
                events.append(Event(key=followed.key, container=followed.container))
        return events

    def _seen(self) -> list[Event]:
        if self._look is None or not self._look[0].done():
            return []
        (look, known), self._look, self._looked = self._look, None, time.monotonic()
        if (error := look.exception()) is not None:
            if not self._is_down:
                log.error("The containers of this deployment cannot be seen, and are followed further: %s", error)
            self._is_down = True
            return []
        self._is_down = False
        found = {seen.id: seen for seen in look.result() if seen.id not in self._cleaning}
        self._sweep(found)
        return [event for followed in list(self._followed) if (event := self._end(followed, found, known))]

    def _end(self, followed: _Followed, found: Mapping[str, Seen], known: Collection[str]) -> Event | None:
        """The end of a followed container, if it has ended, and its clean-up."""
        seen = found.get(followed.container)
        if seen is None:
            if followed.container not in known:  # launched after the engine was asked
                return None
            failure: str | None = f"container {followed.container[:12]} is gone: something else removed it"
        elif not seen.has_ended:
            return None
        else:
            failure = end_in_words(seen)
            self._clean_up(seen, None if followed.silent else failure)
        self._followed.remove(followed)
        if followed.silent:
            return None
        return Event(key=followed.key, container=followed.container, ended=True, failure=failure)

    def _sweep(self, found: Mapping[str, Seen]) -> None:
        """Clean up what ended, or never started, and is nobody's: its scheduler died.

        Other schedulers of this deployment may own what this one does not follow, so each is left some time to them.
        A *running* container without an owner ends by itself: Airflow tells its supervisor that it should not run.
        """
        # By task instance, because the id of a container that is just being launched is not known here.
        followed = {one.task_instance for one in self._followed}
        left = {container: seen for container, seen in found.items() if seen.task_instance not in followed}
        self._kept |= {container for container, seen in left.items() if self._is_kept(seen)}
        now = time.monotonic()
        self._orphans = {
            container: self._orphans.get(container, now)
            for container, seen in left.items()
            if container not in self._kept and (seen.has_ended or seen.state == "created")
        }
        for container, since in self._orphans.items():
            if now - since >= self._options.orphan_seconds:
                self._clean_up(found[container], None)

    def _is_kept(self, seen: Seen) -> bool:
        return self._options.keep_failed and seen.exit_code not in (None, 0)

    def _clean_up(self, seen: Seen, failure: str | None) -> None:
        self._cleaning.add(seen.id)
        self._do(self._finish, seen, failure)

    def _do(self, work: Callable[..., None], *given: object) -> None:
        """Do it in a thread; what it raises is logged."""

        def watched() -> None:
            try:
                work(*given)
            except MLPipeError as error:
                log.warning("%s", error)
            except Exception:
                log.exception("%s failed", work.__name__)

        self._work.submit(watched)

    # -------------------------------------------------------------------------------------------- in the pool's threads

    def _launch(self, make: Callable[[], Order], log_path: str) -> str:
        try:
            order = make()
            self._engine.provide(order.document["Image"])
            container = self._engine.create(order.name, order.document, order.workload)
            self._engine.start(container)
        except Exception as error:
            self._say(log_path, str(error))
            raise
        return container

    def _finish(self, seen: Seen, failure: str | None) -> None:
        """Keep the output, unless the container wrote the task's log itself, and remove the container."""
        try:
            self._keep_output(seen)
            if failure is not None:
                self._say(seen.log_path, failure)
            if not self._is_kept(seen):
                self._engine.remove(seen.id)
        finally:  # if it is still there, it is swept later
            self._cleaning.discard(seen.id)

    def _keep_output(self, seen: Seen) -> None:
        try:
            if seen.log_path and self._logs.size(seen.log_path) <= seen.log_size:
                self._logs.keep_output(seen.log_path, seen.id, self._engine.output(seen.id))
        except (MLPipeError, OSError, ValueError) as error:
            log.warning("The output of container %s is not in the log of its task: %s", seen.id[:12], error)

    def _say(self, log_path: str, message: str) -> None:
        try:
            self._logs.say(log_path, message)
        except (OSError, ValueError) as error:
            log.warning("%s (not in the log of its task: %s)", message, error)
