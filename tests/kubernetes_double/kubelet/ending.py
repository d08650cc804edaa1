"""The end of a pod: who is told to stop, in which order, and who is made to."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kubernetes_double.kubelet.status import are_ended
from kubernetes_double.kubelet.tracked import RUNNING, Tracked

_LEAST_SECONDS = 2  # however little of the grace period is left, a container gets this to end


@dataclass(slots=True)
class Ending:
    """Why and by when a pod ends.

    :param phase: ``None`` where the exit codes decide.
    """

    grace: float
    phase: str | None = None
    reason: str = ""
    message: str = ""
    began: float = 0

    def shorten(self, grace: float) -> None:
        """A grace period may only become shorter."""
        self.grace = min(self.grace, grace)

    def step(self, containers: Sequence[Tracked], stop: Callable[[Tracked, bool], None]) -> float | None:
        """Signal whose turn it is.

        Main containers and init containers that do not stay are told at once; those that stay (sidecars) after them,
        the last one first, each when the one after it has ended or the grace period is over.

        :param stop: sends the signal; its second argument says whether it is the one that no program can ignore.
        :returns: the seconds until it is worth looking again; ``None`` if all have ended.
        """
        now = time.monotonic()
        self.began = self.began or now
        deadline = self.began + self.grace
        first = [each for each in containers if not each.sidecar]
        turn = [each for each in first if each.state == RUNNING]
        if are_ended(first) or now >= deadline:
            staying = [each for each in reversed(containers) if each.sidecar and each.state == RUNNING]
            turn += staying if now >= deadline else staying[:1]
        for each in turn:
            self._signal(each, now, deadline, stop)
        if are_ended(containers):
            return None
        times = [each.kill_at for each in turn if each.kill_at is not None]
        return max(0.02, min([deadline if deadline > now else now + 1, *times]) - now)

    def _signal(self, each: Tracked, now: float, deadline: float, stop: Callable[[Tracked, bool], None]) -> None:
        if not each.signalled:
            each.signalled = True
            each.kill_at = now if self.grace == 0 else max(deadline, now + _LEAST_SECONDS)
            if self.grace:
                stop(each, False)
        elif each.kill_at is not None:
            each.kill_at = min(each.kill_at, max(deadline, now))
        if each.kill_at is not None and now >= each.kill_at:
            stop(each, True)
            each.kill_at = now + 1
