"""The table of ``plan``."""

from __future__ import annotations

import pytest

from airflow_mlpipe.cli.plan import cells
from airflow_mlpipe.model.records import Reason
from airflow_mlpipe.operators.plan import PlannedStep


@pytest.mark.parametrize(
    ("step", "row"),
    [
        (
            PlannedStep(task_id="t", outcome="unknown", reasons=(Reason(code="UNKNOWN", new="not a step"),)),
            ("t", "unknown", "not a step", ""),
        ),
        (
            PlannedStep(task_id="t", outcome="execute", reasons=(Reason(code="PARAM", subject="lr", new="1"),)),
            ("t", "EXECUTE", "PARAM lr 1", ""),
        ),
        (
            PlannedStep(task_id="t", outcome="depends", waits_for=("a", "b")),
            ("t", "depends", "on the new output of a, b", ""),
        ),
        (PlannedStep(task_id="t", outcome="reuse", saved=61.0), ("t", "reuse", "", "1 m 01 s")),
        (PlannedStep(task_id="t", outcome="reuse", map_index=2), ("t[2]", "reuse", "", "")),
    ],
)
def test_a_row_says_the_outcome_once(step: PlannedStep, row: tuple[str, ...]) -> None:
    """The reason's code is left out where it is the outcome's word."""
    assert cells(step) == row
