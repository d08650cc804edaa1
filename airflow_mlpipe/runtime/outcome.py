"""Verify: what a program says of itself in the files ``MLPIPE_RESULT`` and ``MLPIPE_METRICS``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from airflow_mlpipe.errors import StepError

LONGEST_RESULT = 48 * 1024
"""Bytes: XCom is for small values, some of Airflow's databases take 64 KiB."""

MOST_METRICS = 1000


def read_result(path: Path, *, where: str) -> Any:
    """The value that the program wrote to ``MLPIPE_RESULT``; ``None`` if it wrote none.

    :raises StepError: when it is no JSON (the message says in which line and column), or too long.
    """
    at = f"{where}: MLPIPE_RESULT"
    try:
        size = path.stat().st_size
        if size > LONGEST_RESULT:
            fix = "write it to an output, and only a short value here"
            raise StepError(
                "the result is too long", where=at, given=f"{size} bytes", valid=f"{LONGEST_RESULT}", fix=fix
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StepError(
            f"the result cannot be read ({error})", where=at, fix="write one JSON value, in UTF-8"
        ) from error
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        fix = "write one JSON value, for example with json.dump"
        raise StepError(f"the result is not JSON ({error})", where=at, given=text[:80], fix=fix) from error


def read_metrics(path: Path, on_line: Callable[[str], object]) -> dict[str, float]:
    """The last value of each metric in ``MLPIPE_METRICS``: lines of ``{"name": ..., "value": ..., "step": ...}``.

    A line that is none is told to ``on_line`` and left out: metrics are no reason to lose a result.
    """
    metrics: dict[str, float] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        on_line(f"MLPIPE_METRICS cannot be read ({error.strerror}); the metrics are left out")
        return metrics
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            name, value = _metric(line)
        except ValueError as error:
            on_line(f"line {number} of MLPIPE_METRICS is left out ({error}): {line[:80].decode('utf-8', 'replace')}")
            continue
        if name not in metrics and len(metrics) >= MOST_METRICS:
            on_line(f"more than {MOST_METRICS} metrics; the rest is left out")
            break
        metrics[name] = value
    return metrics


def _metric(line: bytes) -> tuple[str, float]:
    """:raises ValueError: saying what is wrong with it."""
    document = json.loads(line)
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # one kind of error, as of json.loads
    name, value = document.get("name"), document.get("value")
    if not isinstance(name, str) or not name:
        raise ValueError('no "name"')
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError('"value" is not a finite number')
    return name, float(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
