"""Run: follow a pod from its creation to its end: its place in the queue, its lines, its time, how it ended.

What the pod's status says decides.  Its log is shown and decides nothing; events are told and decide nothing.
"""

from __future__ import annotations

import math
import queue
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from airflow_mlpipe.compute.kubernetes_ import state, words
from airflow_mlpipe.compute.kubernetes_.changes import GONE, PodChanges
from airflow_mlpipe.compute.kubernetes_.client import Cluster, Object
from airflow_mlpipe.compute.kubernetes_.log import PodLog
from airflow_mlpipe.compute.kubernetes_.news import News
from airflow_mlpipe.compute.kubernetes_.spec import AGENT, MAIN
from airflow_mlpipe.compute.kubernetes_config import KubernetesConfig
from airflow_mlpipe.errors import ComputeError, MLPipeError
from airflow_mlpipe.runtime.verdict import Ended, Stop

_ROUND = 0.3  # seconds between looks at the clock
_AGAIN, _AGAIN_AT_MOST = 2.0, 30.0  # seconds between two beginnings of a log that breaks
_LAST_LINES = 15.0  # seconds that a log may be silent after its container's end
_MARGIN = 15.0  # seconds that a cluster may take to do what it was asked for
_STARTS = 3  # of the agent, without a word from it
_SIGNALS = {128 + s: -int(s) for s in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV, signal.SIGINT)}
"""Nodes and shells say 128 + n for death by signal n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one program: seconds, seconds between SIGTERM and SIGKILL, bytes."""

    timeout: float | None
    grace: float
    memory: int | None
    where: str


class Following:
    """One pod until it has ended.

    :param pod: as it was created, or found. :param cancelled: asked now and then.
    :param agent_error: what the agent of this pod left word of, if anything; asked when it did not start.
    :param log_since: the moment of the last line that somebody else has shown.
    """

    def __init__(
        self,
        cluster: Cluster,
        pod: Object,
        config: KubernetesConfig,
        limits: Limits,
        *,
        on_line: Callable[[str], object],
        cancelled: Callable[[], bool],
        agent_error: Callable[[], MLPipeError | None],
        log_since: str = "",
    ) -> None:
        self._cluster, self._pod, self._config, self._limits = cluster, pod, config, limits
        self._cancelled, self._agent_error = cancelled, agent_error
        self._name, self._uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        self._changes = PodChanges(cluster, self._name)
        self._news = News(cluster, self._name, on_line)
        self._log = PodLog(cluster, self._name, MAIN, on_line, since=log_since)
        self._began = time.monotonic() - state.age(pod["metadata"].get("creationTimestamp"))
        self._pulling: float | None = None
        self._started: float | None = None
        self._ended_at: float | None = None
        self._going: float | None = None
        self._log_from, self._log_wait = 0.0, _AGAIN
        self._stop: Stop | None = None
        self._kill_at: float | None = None
        self._gone = False

    def run(self) -> Ended:
        """Hand on its lines, keep its limits, and say how its program ended.

        :raises ComputeError: it ended, or did not start, through no fault of its program.
        :raises ConfigurationError: the deployment's mistake.
        """
        self._changes.start()
        self._news.start()
        try:
            self._look(self._pod)
            while not self._is_over:
                self._take_changes()
                self._news.tell()
                self._read_log()
                self._look_at_the_clock()
            self._read_last_lines()
        finally:
            self._changes.close()
            self._news.close()
            self._log.close()
        return self._ended()

    @property
    def _is_over(self) -> bool:
        return self._gone or state.phase(self._pod) in state.ENDED

    # ---- what happens ----------------------------------------------------------------------------------------------

    def _take_changes(self) -> None:
        try:
            change = self._changes.changes.get(timeout=0 if self._log.is_reading else _ROUND)
            while True:
                if isinstance(change, MLPipeError):
                    raise change
                self._look(change)
                change = self._changes.changes.get_nowait()
        except queue.Empty:
            return

    def _look(self, pod: Object) -> None:
        if pod is GONE or pod["metadata"]["uid"] != self._uid:
            self._gone = True
            return
        self._pod, now = pod, time.monotonic()
        self._news.look(pod)
        if self._started is None and (since := state.running_since(pod)) is not None:
            self._started = now - state.age(since)
            self._news.say(f"the program runs in the pod {self._name}, on {pod['spec'].get('nodeName')}", since)
        if self._ended_at is None and state.terminated(pod) is not None:
            self._ended_at = now
        if self._going is None and state.is_going(pod):
            self._going = now
        if self._stop is None and not state.is_going(pod):
            self._look_for_trouble(pod, now)

    def _look_for_trouble(self, pod: Object, now: float) -> None:
        pulling = False
        for container, reason, message in state.waiting(pod):
            image = self._image_of(container)
            said = self._news.pull_error or message
            found = words.image_trouble(container, reason, said, image, self._limits.where)
            if (found := found or words.container_trouble(container, reason, message, self._limits.where)) is not None:
                raise found
            pulling = pulling or reason in words.PULLING
        self._pulling = (self._pulling or now) if pulling else None
        begun = self._started is not None or self._ended_at is not None
        if not begun and (state.restarts(pod) or state.terminated(pod, AGENT) is not None):
            self._look_for_agent(pod)

    def _look_for_agent(self, pod: Object) -> None:
        """It ended before the program was started: what it could not stage, it left word of."""
        if (error := self._agent_error()) is not None:
            raise error
        if state.restarts(pod) >= _STARTS:
            last = state.status_of(pod, AGENT).get("lastState", {}).get("terminated") or {}
            raise ComputeError(
                f"the agent does not start: exit code {last.get('exitCode')}, {last.get('reason', '')} "
                f"{last.get('message', '')}".strip(),
                reason="agent",
                where=self._limits.where,
                given=self._config.agent_image,
                fix=f"look at its log: kubectl logs {self._name} -c {AGENT} --previous",
            )

    def _image_of(self, container: str) -> str:
        spec = self._pod["spec"]
        every = [*spec.get("initContainers", ()), *spec["containers"]]
        return str(next(one["image"] for one in every if one["name"] == container))

    # ---- its lines -------------------------------------------------------------------------------------------------

    def _read_log(self) -> None:
        if self._log.is_reading:
            if not self._log.pump(_ROUND):  # the end of the program is often told a little later
                self._log_from = max(self._log_from, time.monotonic() + _AGAIN)
            return
        begun = self._started is not None or self._ended_at is not None
        if not begun or time.monotonic() < self._log_from:
            return
        if not self._log.was_read or self._ended_at is None:  # it was cut, or the status is late
            self._log_from = time.monotonic() + self._log_wait
            self._log_wait = min(self._log_wait * 2, _AGAIN_AT_MOST)
            self._log.start()

    def _read_last_lines(self) -> None:
        """As long as they come: much may have been written at the end."""
        now = ended = time.monotonic()
        self._log_from, self._log_wait = min(self._log_from, now + _AGAIN), _AGAIN
        begun = self._started is not None or self._ended_at is not None
        while begun and not self._log.was_read and now - max(ended, self._log.heard) < _LAST_LINES:
            if not self._log.is_reading and self._gone:
                break
            self._read_log()
            if not self._log.is_reading:
                time.sleep(_ROUND)
            now = time.monotonic()
        if self._log.was_read and not self._gone:
            # A stream that is followed may end with the program, before its last lines were written: once more.
            self._log.start()
            while self._log.pump(_ROUND) and time.monotonic() - max(ended, self._log.heard) < _LAST_LINES:
                continue
        self._log.pump(0)

    # ---- limits ----------------------------------------------------------------------------------------------------

    def _look_at_the_clock(self) -> None:
        now, limits = time.monotonic(), self._limits
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._kill_at = now + _MARGIN
                self._cluster.delete("pod", self._name, uid=self._uid, grace=0)
        elif self._cancelled():
            self._end("cancelled", now)
        elif self._ended_at is None and now - (self._started or now) >= (limits.timeout or math.inf):
            self._end("timeout", now)
        if self._stop is None:
            self._keep_budgets(now)

    def _end(self, why: Stop, now: float) -> None:
        """SIGTERM and a grace time; a pod whose program was not started has nothing to be asked."""
        self._stop = why
        grace = self._limits.grace if self._started is not None and self._ended_at is None else 0
        self._kill_at = now + grace + _MARGIN
        self._cluster.delete("pod", self._name, uid=self._uid, grace=max(1, int(grace)))

    def _keep_budgets(self, now: float) -> None:
        config, where = self._config, self._limits.where
        if self._going is not None:  # by somebody else; a node that is lost ends nothing
            patience = self._limits.grace if self._ended_at is None else config.publish_seconds
            if now - self._going >= patience + _MARGIN:
                self._going = now
                self._cluster.delete("pod", self._name, uid=self._uid, grace=0)
        elif not state.has_node(self._pod) and now - self._began >= config.queue_seconds:
            raise words.not_scheduled(self._news.queued, config.queue_seconds, where)
        elif self._pulling is not None and now - self._pulling >= config.image_seconds:
            container, _, said = next(state.waiting(self._pod))
            said = self._news.pull_error or said
            raise words.image_late(container, said, self._image_of(container), config.image_seconds, where)
        elif self._ended_at is not None and now - self._ended_at >= config.publish_seconds + _MARGIN * 4:
            what = f"the agent did not end in the {config.publish_seconds:g} seconds that it has for publishing"
            raise ComputeError(what, reason="agent", where=where, given=self._name)

    # ---- how it ended ----------------------------------------------------------------------------------------------

    def _ended(self) -> Ended:
        pod, end = self._pod, state.terminated(self._pod)
        stop = self._stop
        if stop is None and pod["status"].get("reason") == "DeadlineExceeded":
            stop = "timeout"
        code = int(end["exitCode"]) if end is not None else int(-signal.SIGTERM)
        if stop is None and (end is None or code != 0 or words.was_asked_to_end(pod, end.get("finishedAt"))):
            outside = words.ended_from_outside(pod, self._limits.where)
            if outside is None and end is None:
                outside = words.refused_by_node(pod, self._limits.where) or self._deleted()
            if outside is not None:
                raise outside
        end = end or {}
        out_of_memory = end.get("reason") == "OOMKilled" and code != 0
        limited = out_of_memory and self._limits.memory is not None
        start_error = words.start_error(end)
        return Ended(
            exit_code=-int(signal.SIGKILL) if out_of_memory else 127 if start_error else _SIGNALS.get(code, code),
            start_error=start_error,
            stop=stop or ("memory" if limited else None),
            seconds=state.seconds_between(end.get("startedAt"), end.get("finishedAt")),
            tail=tuple(self._log.tail),
            kernel_killed=out_of_memory,
        )

    def _deleted(self) -> ComputeError:
        return ComputeError("somebody deleted the pod", reason="deleted", where=self._limits.where, given=self._name)
