"""What fits into a row of XCom: under 4 KiB, whatever a value is and however long the ids of its producer are.

A row is counted as the most wordy of Airflow's databases writes it: JSON in ASCII, with spaces.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from airflow_mlpipe.model.reference import OutputReference

ROW = 4000
"""Bytes of a row, with a little room below 4 KiB."""

INLINE = 3 * 1024
"""Bytes up to which a plain value is its row itself."""


def row_bytes(value: Any) -> int:
    """How many bytes a JSON value takes in the database."""
    return len(json.dumps(value))


def fitted(reference: OutputReference) -> OutputReference:
    """The reference without what it can do without, as far as it takes: the end of its preview, then who made it.

    What it needs to be read stays, so one with long ``details`` may still be too long: see :func:`fits`.
    """
    preview = dict(reference.preview)
    while preview and not fits(reference):
        preview.popitem()  # the last says the least
        reference = replace(reference, preview=preview)
    return reference if fits(reference) else replace(reference, dag_id="", task_id="", run_id="")


def fits(reference: OutputReference) -> bool:
    """Whether it is short enough for a row."""
    return row_bytes(reference.to_json()) <= ROW
