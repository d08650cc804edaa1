"""What ``wait_for_completion(show_output=True)`` shows: how each step gets on, and what its program wrote.

As in v1 the output of a step comes after its state.  A run on this machine shows it while the step runs; of a deployed
run each log is one request, so it comes when the step has ended.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from airflow_mlpipe.experiment.progress import Lines
from airflow_mlpipe.experiment.records import Snapshot, StepStatus

_ENDED = ("success", "failed")


class StepOutput(Lines):
    """Lines of states, and of what steps that execute wrote, each behind the step's name.

    :param read: the last lines of a step's log, so many at most; here: all of them.
    :param live: whether to ask it while a step runs.
    """

    def __init__(self, stream: TextIO, read: Callable[[StepStatus, int], list[str]], *, live: bool) -> None:
        super().__init__(stream)
        self._read = read
        self._live = live
        self._states = (*_ENDED, "running") if live else _ENDED
        self._shown: dict[tuple[str, int], int] = {}
        self._done: set[tuple[str, int]] = set()

    def update(self, snapshot: Snapshot) -> None:
        """Write what changed since the last snapshot."""
        super().update(snapshot)
        for step in snapshot.steps:
            key = (step.name, 0 if self._live else step.try_number)  # a local log holds all tries
            reused = step.outcome is not None and step.outcome.decision == "reused"
            if reused or step.state not in self._states or key in self._done:
                continue
            lines = self._read(step, sys.maxsize)
            for line in lines[self._shown.get(key, 0) :]:
                self._stream.write(f"{step.name} | {line}\n")
            self._shown[key] = len(lines)
            if step.state in _ENDED:
                self._done.add(key)
        self._stream.flush()
