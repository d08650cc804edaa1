"""Run: watch a container until it has ended: its lines, its time, its memory."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.compute.docker.endings import settled
from airflow_mlpipe.compute.docker.follow import LogFollower
from airflow_mlpipe.compute.docker.moments import between
from airflow_mlpipe.runtime.process import Program
from airflow_mlpipe.runtime.verdict import Ended, Stop

if TYPE_CHECKING:
    from docker import APIClient

_ROUND = 0.5  # seconds between looks at the clock while the program is silent
_LOOK = 10.0  # seconds between looks at the container while its log goes on
_SIGNALS = {128 + s: -int(s) for s in (signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV, signal.SIGINT)}
"""Engines and shells say 128 + n for death by signal n."""


class Following:
    """One container until it has ended.

    :param api: for questions. :param reader: another client, whose connection streams the log.
    :param program: with its limits of time and memory. :param since: the moment after which lines are new.
    """

    def __init__(
        self,
        api: APIClient,
        reader: APIClient,
        container: str,
        program: Program,
        *,
        on_line: Callable[[str], object],
        since: str = "",
    ) -> None:
        self._api, self._container, self._program = api, container, program
        self._follower = LogFollower(reader, container, on_line, since=since)
        self._started = time.monotonic()
        self._stop: Stop | None = None
        self._kill_at: float | None = None
        self._peak = 0
        self._sample_at = 0.0
        self._between = 0.5

    def run(self, cancelled: Callable[[], bool]) -> Ended:
        """Hand on its lines, keep its limits, and say how it ended.  :param cancelled: asked now and then."""
        self._follower.start()
        look_at = time.monotonic() + _LOOK
        while True:
            streaming = self._follower.pump(_ROUND)
            self._look_at_the_clock(cancelled)
            if streaming and time.monotonic() < look_at:
                continue
            look_at = time.monotonic() + _LOOK
            state: Mapping[str, Any] = self._api.inspect_container(self._container)["State"]
            if not state["Running"]:
                while streaming and self._follower.pump(_ROUND):  # its last lines
                    pass
                self._follower.close()
                if self._stop is None:
                    limited = self._program.memory_limit is not None
                    state = settled(self._api, self._container, state, limited=limited)
                return self._ended(state)
            if not streaming:
                time.sleep(_ROUND)
                self._follower.start()

    def _look_at_the_clock(self, cancelled: Callable[[], bool]) -> None:
        now, program = time.monotonic(), self._program
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._kill_at = now + program.grace
                self._signal("SIGKILL")
            return
        if now >= self._sample_at:
            self._sample(now)
        if cancelled():
            self._end("cancelled", now)
        elif program.timeout is not None and now - self._started >= program.timeout:
            self._end("timeout", now)

    def _end(self, why: Stop, now: float) -> None:
        self._stop = why
        self._kill_at = now + self._program.grace
        self._signal("SIGTERM")

    def _signal(self, name: str) -> None:
        from docker.errors import APIError

        with contextlib.suppress(APIError):  # it has just ended
            self._api.kill(self._container, signal=name)

    def _sample(self, now: float) -> None:
        from docker.errors import APIError

        self._between = min(self._between * 1.5, 10.0)
        self._sample_at = now + self._between
        with contextlib.suppress(APIError):
            used = self._api.stats(self._container, stream=False, one_shot=True).get("memory_stats") or {}
            cache = (used.get("stats") or {}).get("inactive_file", (used.get("stats") or {}).get("cache", 0))
            self._peak = max(self._peak, used.get("usage", 0) - cache)

    def _ended(self, state: Mapping[str, Any]) -> Ended:
        code = int(state["ExitCode"])
        out_of_memory = bool(state.get("OOMKilled")) and code != 0
        limited = out_of_memory and self._program.memory_limit is not None
        if limited and self._program.memory_limit is not None:
            self._peak = max(self._peak, self._program.memory_limit)  # the kernel saw it there
        return Ended(
            exit_code=-int(signal.SIGKILL) if out_of_memory else _SIGNALS.get(code, code),
            stop=self._stop or ("memory" if limited else None),
            seconds=between(state["StartedAt"], state["FinishedAt"]),
            peak_bytes=self._peak,
            tail=tuple(self._follower.tail),
            kernel_killed=out_of_memory,
        )
