"""Stage: the small files that a program's variables point to: its parameters, its metrics, its secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from airflow_mlpipe.model.step import StepSpec
from airflow_mlpipe.runtime.layout import Layout, below


def parameters_of(step: StepSpec) -> dict[str, Any]:
    """What ``MLPIPE_PARAMS`` holds; a function's parameters are in its call."""
    return dict(step.parameters) if step.function is None else {}


def write_exchange(layout: Layout, step: StepSpec) -> None:
    """The files of ``MLPIPE_PARAMS`` and, empty, of ``MLPIPE_METRICS``."""
    layout.params.write_text(json.dumps(parameters_of(step), ensure_ascii=False), encoding="utf-8")
    layout.metrics.touch()


def write_secrets(layout: Layout, secrets: Mapping[str, str]) -> None:
    """A file each, which the owner alone reads."""
    for name, value in secrets.items():
        descriptor = os.open(below(layout.private, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(value)


def as_text(value: Any) -> str:
    """A value as a command line shows it: text as it is, lists and dicts as JSON, the rest as Python writes it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict, tuple)) else str(value)
