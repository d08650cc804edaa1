"""Ask for a run's state again and again, at the price of three requests and one for each new decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_mlpipe.experiment.errors import ApiError, WaitTimeoutError
from airflow_mlpipe.experiment.params import CONF
from airflow_mlpipe.experiment.records import Decision, Snapshot, StepStatus, number_or_none, parse_time

if TYPE_CHECKING:
    from airflow_mlpipe.experiment.progress import Reporter
    from airflow_mlpipe.experiment.run import Run

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # seconds


class Watcher:
    """A run's state over time; decisions that did not change are not fetched again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: dict[tuple[str, int], tuple[str, Decision | None]] = {}

    def poll(self) -> Snapshot:
        """The run and its steps now.  :raises ApiError: when the API refuses."""
        # The run first: what is seen of the steps after it ended is final.
        status = self._run.get_status()
        return Snapshot(run=status, steps=self.steps())

    def steps(self) -> tuple[StepStatus, ...]:
        """The steps now, in the order of the pipeline.  :raises ApiError: when the API refuses."""
        place = {task_id: number for number, task_id in enumerate(self._run.order)}
        self._learn_decisions()
        # By id, because offsets need a total order; by name then, because a retry gets a new id between two pages.
        pages = self._run.api.pages(self._run.resource("taskInstances"), "task_instances", order_by="id")
        found = {step.name: step for step in map(self._step, pages)}
        return tuple(sorted(found.values(), key=lambda s: (place.get(s.task_id, len(place)), s.task_id, s.map_index)))

    def _step(self, instance: Mapping[str, Any]) -> StepStatus:
        task_id, map_index = str(instance["task_id"]), int(instance.get("map_index", -1))
        state = instance.get("state") or "none"
        outcome = self._known.get((task_id, map_index), ("", None))[1]
        if outcome is not None and outcome.decision == "running" and state in ("failed", "up_for_retry"):
            outcome = replace(outcome, decision="failed")  # the last thing that the step said before it failed
        return StepStatus(
            task_id=task_id,
            map_index=map_index,
            label=instance.get("rendered_map_index"),
            state=state,
            try_number=int(instance.get("try_number") or 0),
            started=parse_time(instance.get("start_date")),
            seconds=number_or_none(instance.get("duration")),
            outcome=outcome,
        )

    def _learn_decisions(self) -> None:
        seen = set()
        for entry in self._entries():
            at = (str(entry["task_id"]), int(entry.get("map_index", -1)))
            seen.add(at)
            stamp = str(entry.get("timestamp"))
            if self._known.get(at, ("", None))[0] != stamp:
                self._known[at] = (stamp, self._decision(*at))
        # A task that is cleared and runs again has no decision until it decides anew.
        for gone in self._known.keys() - seen:
            del self._known[gone]

    def _entries(self) -> Iterator[Mapping[str, Any]]:
        where = self._run.resource("taskInstances", "~", "xcomEntries")
        return self._run.api.pages(where, "xcom_entries", xcom_key=CONF)

    def _decision(self, task_id: str, map_index: int) -> Decision | None:
        try:
            return Decision.from_xcom(self._run.get_xcom(task_id, CONF, map_index=map_index))
        except ApiError as error:
            if error.status != 404:  # cleared between the two requests
                raise
            return None


def watch(run: Run, reporter: Reporter, *, timeout_seconds: float | None = None) -> Snapshot:
    """Report a run's progress until it ends; return what was seen last.

    :param timeout_seconds: how long to wait; ``None`` for as long as it takes.
    :raises WaitTimeoutError: when the time is over. :raises ApiError: when the API refuses.
    """
    return follow(Watcher(run).poll, reporter, timeout_seconds=timeout_seconds)


def follow(poll: Callable[[], Snapshot], reporter: Reporter, *, timeout_seconds: float | None = None) -> Snapshot:
    """:func:`watch`, of whatever can say how a run gets on."""
    began, pause = time.monotonic(), _FIRST_PAUSE
    with reporter:
        while True:
            snapshot = poll()
            reporter.update(snapshot)
            if snapshot.run.ended:
                reporter.finish(snapshot)
                break
            left = None if timeout_seconds is None else timeout_seconds - (time.monotonic() - began)
            if left is not None and left <= 0:
                raise WaitTimeoutError(snapshot.run, timeout_seconds or 0.0)
            time.sleep(pause if left is None else min(pause, left))
            pause = min(pause * 1.1, _LONGEST_PAUSE)
    return snapshot
