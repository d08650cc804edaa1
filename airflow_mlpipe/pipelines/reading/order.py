"""What steps say of each other: outputs that are there, steps that are there, and no circle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.pipelines.reading.scope import Scope
from airflow_mlpipe.pipelines.records import OutputOf, Step
from airflow_mlpipe.written.mistakes import nearest
from airflow_mlpipe.written.places import Place


def check_outputs(steps: tuple[Step, ...], written: Mapping[str, Any], scope: Scope) -> None:
    """Every output that a step names is one of the others'."""
    known = {step.task_id: step for step in steps}
    for place, wanted in scope.wanted:
        step = known.get(wanted.step)
        if step is None:
            if wanted.step not in written:
                valid = list(written)
                scope.mistakes.add(
                    place,
                    "there is no step of this name",
                    given=wanted.step,
                    valid=valid,
                    fix=nearest(wanted.step, valid),
                )
            continue
        names = [output.name for output in step.outputs]
        if wanted.output not in names and step.kind != "module":  # a module declares outputs of its own
            scope.mistakes.add(
                place,
                f"step {wanted.step!r} has no such output",
                given=wanted.output,
                valid=names or "it declares no outputs",
                fix=nearest(wanted.output, names),
            )
    scope.wanted.clear()


def check_order(steps: tuple[Step, ...], written: Mapping[str, Any], place: Place, scope: Scope) -> None:
    """Steps that are waited for are there, and nothing waits for itself."""
    waits: dict[str, set[str]] = {}
    for step in steps:
        waits[step.task_id] = {s.step for s in all_sources(step)} | set(step.after)
        for index, name in enumerate(written[step.task_id].get("after") or ()):
            if isinstance(name, str) and name not in written:
                at = (*place, step.task_id, "after", index)
                scope.mistakes.add(
                    at, "there is no step of this name", given=name, valid=list(written), fix=nearest(name, written)
                )
    if circle := _circle(waits):
        at = (*place, circle[0])
        what = "the steps wait for each other in a circle: " + " -> ".join([*circle, circle[0]])
        scope.mistakes.add(at, what, fix="let one of them read other data", of_key=True)


def all_sources(step: Step) -> list[Any]:
    """The outputs of other steps that a step reads, those of its instances included."""
    mapped = [port for one in (step.expand.inputs or () if step.expand else ()) for port in one]
    own = [*step.sources, *(source for port in mapped for source in port.sources)]
    return [source for source in own if isinstance(source, OutputOf)]


def _circle(waits: Mapping[str, set[str]]) -> list[str]:
    """Steps that wait for each other, each for the next one; empty when there are none."""
    done: set[str] = set()
    for start in waits:
        path: list[str] = []
        stack = [(start, iter(sorted(waits[start])))] if start not in done else []
        path += [start] if stack else []
        while stack:
            upstream = next(stack[-1][1], None)
            if upstream is None:
                stack.pop()
                done.add(path.pop())
            elif upstream in path:
                return path[path.index(upstream) :][::-1]
            elif upstream in waits and upstream not in done:
                path.append(upstream)
                stack.append((upstream, iter(sorted(waits[upstream]))))
    return []
