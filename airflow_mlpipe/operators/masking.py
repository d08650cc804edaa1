"""What may not be written down: values that Airflow's secrets masker hides in the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_mlpipe.model.step import Template


def is_masked(value: object, name: str | None = None) -> bool:
    """Whether Airflow would hide (part of) a value, for what it is or for the name that it has."""
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return bool(redact(value, name) != value)


def typed_params(params: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Run parameters with their types; a secret one by its name only."""
    return {n: Template(f"params.{n}") if is_masked(params[n], n) else params[n] for n in sorted(names) if n in params}
