"""The order in which the steps of a pipeline are shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def pipeline_order(downstream: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Task ids, every task after those it depends on, and by name where that leaves a choice.

    :param downstream: by task id, the tasks that follow it directly.
    """
    waits = dict.fromkeys(downstream, 0)
    for follower in (t for tasks in downstream.values() for t in tasks):
        waits[follower] = waits.get(follower, 0) + 1
    ready = sorted(t for t, count in waits.items() if count == 0)
    order: list[str] = []
    while ready:
        order.append(task := ready.pop(0))
        for follower in downstream.get(task, ()):
            waits[follower] -= 1
            if waits[follower] == 0:
                ready.append(follower)
        ready.sort()
    # Airflow refuses cycles; should one come anyway, its tasks are shown last rather than lost.
    return tuple(order) + tuple(sorted(set(waits) - set(order)))
